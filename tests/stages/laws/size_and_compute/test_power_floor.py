import pytest

from stages.laws import get_law


@pytest.mark.parametrize(
    ("name", "variable", "amplitude", "exponent"),
    [
        ("power_floor", "flops", "A", "alpha"),
        ("power_floor_tokens", "n_tokens_seen", "B", "beta"),
        ("power_floor_params", "n_params", "A", "alpha"),
    ],
)
def test_a_fourfold_variable_halves_a_term_of_exponent_one_half(
    name, variable, amplitude, exponent
):
    law, p = get_law(name), {"E": 1.0, amplitude: 4.0, exponent: 0.5}
    assert float(law.value(p, {variable: 16.0})) == pytest.approx(2.0)
    assert float(law.value(p, {variable: 64.0})) == pytest.approx(1.5)
