import numpy as np
import pytest

from stages.laws import get_law


def test_a_score_rises_as_a_power_law_and_stops_at_one():
    values = get_law("score_flops").value(
        {"A": 0.1, "a": 0.5}, {"flops": np.array([25.0, 100.0, 10_000.0])}
    )
    assert values == pytest.approx([0.5, 1.0, 1.0])
