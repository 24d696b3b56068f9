import pytest

from stages.laws import get_law


def test_the_area_lowers_the_loss_as_a_power_and_the_fall_in_proportion():
    law, p = get_law("annealing"), {"E": 1.0, "A": 2.0, "alpha": 0.5, "C": 0.5}
    assert float(law.value(p, {"lr_area": 4.0, "lr_fall": 0.0})) == pytest.approx(2.0)
    assert float(law.value(p, {"lr_area": 4.0, "lr_fall": 0.4})) == pytest.approx(1.8)
