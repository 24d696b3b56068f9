import pytest

from stages.laws import get_law


def test_the_data_term_falls_with_tokens_per_parameter_and_with_size():
    p = {"E": 1.0, "A": 8.0, "alpha": 0.5, "B": 3.0, "beta": 0.5, "gamma": 0.25}
    value = get_law("coupled").value(p, {"n_params": 16.0, "n_tokens_seen": 64.0})
    assert float(value) == pytest.approx(1 + 8 / 4 + 3 * 0.5 / 2)
