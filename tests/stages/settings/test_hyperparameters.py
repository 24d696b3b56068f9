"""What a learning rate that is off costs."""

import pytest

from stages.settings.hyperparameters import lr_sensitivity


def test_sensitivity_caps_what_a_broken_rate_costs():
    assert lr_sensitivity({0.01: 3.0, 0.02: 3.1}, 6.2) == pytest.approx(0.05)
    assert lr_sensitivity({0.01: 3.0, 1.0: float("nan")}, 6.0) == pytest.approx(1.5)
