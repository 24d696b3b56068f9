"""Fine likelihood profiles."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.fitting.fit import fit_law
from stages.laws.fitting.identify import LIKELIHOOD_RATIO_90
from stages.laws.fitting.profile_curve import profile_curves


@pytest.fixture(scope="module")
def noisy(simulated):
    rows, _ = simulated("chinchilla")
    rows = rows | {
        "value": (
            rows["value"]
            * np.exp(
                0.01 * np.random.default_rng(0).standard_normal(rows["value"].size)
            )
        )
    }
    return (
        fit_law(
            get_law("chinchilla"), rows, objective="least_squares_log", n_starts=16
        ),
        rows,
    )


def test_the_profile_is_least_at_the_fit_and_agrees_with_the_bootstrap(noisy):
    fit, rows = noisy
    limits = bootstrap(fit, rows, n_draws=400).params()
    for curve in profile_curves(fit):
        assert curve.rise.min() == pytest.approx(
            curve.rise[np.argmin(np.abs(curve.size - curve.fitted))], abs=1e-3
        )
        assert np.all(np.diff(curve.size) > 0) and curve.rise.max() > 8
        if curve.of_term:
            continue  # the parameter itself is not what was moved
        low, high = (
            np.interp(LIKELIHOOD_RATIO_90, side_rise, side)
            for side, side_rise in (
                (
                    curve.size[curve.size <= curve.fitted][::-1],
                    curve.rise[curve.size <= curve.fitted][::-1],
                ),
                (
                    curve.size[curve.size >= curve.fitted],
                    curve.rise[curve.size >= curve.fitted],
                ),
            )
        )
        drawn = limits[curve.name]
        assert high - low == pytest.approx(
            drawn[1] - drawn[0], rel=0.35
        )  # two approximations of one interval


def test_a_fixed_parameter_has_no_profile(simulated):
    rows, _ = simulated("chinchilla")
    fit = fit_law(get_law("chinchilla"), rows, fixed={"alpha": 0.34}, n_starts=8)
    assert [curve.name for curve in profile_curves(fit)] == ["E", "A", "B", "beta"]
