"""The effective share of a task."""

import numpy as np

from stages.laws import get_law
from stages.laws.mixtures_and_tasks.multiplier import effective_share


def test_the_effective_share_has_its_ends_and_lies_above_the_share():
    p = {"c1": 0.5, "c2": 0.7, "c3": 0.8}
    np.testing.assert_allclose(
        effective_share(p, np.array([0.0, 1.0])), [0, 1], atol=1e-12
    )
    assert effective_share(p, np.array([0.3]))[0] > 0.3


def test_a_task_alone_is_a_model_of_its_own():
    p = {"E": 1.5, "A": 100.0, "alpha": 0.3, "c1": 0.5, "c2": 0.7, "c3": 0.8}
    n = np.geomspace(1e6, 1e9, 5)
    np.testing.assert_allclose(
        get_law("multiplier").value(p, {"n_params": n, "share_task": np.ones(5)}),
        get_law("power_floor_params").value(p, {"n_params": n}),
    )
