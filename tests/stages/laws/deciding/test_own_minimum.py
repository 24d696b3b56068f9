"""The best size that the runs show, where it is known by hand, beside the one that a law names."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.deciding.own_minimum import (
    OwnMinimum,
    contradiction,
    own_minimum,
    widened,
)
from stages.laws.deciding.plan import Allocation, optimal_allocation
from stages.laws.fitting.fit import fit_law
from stages.laws.interface.cost import SIX

OWN = 2.92e8  # parameters of least value at 1e20 FLOPs


def ladder(misfit: float, at: np.ndarray | None = None):
    """Five budgets of nine sizes around their best, 2.92e8 at 1e20; at smaller budgets larger models come out worse
    by a share.
    """
    around = np.geomspace(0.15, 4, 9) if at is None else at
    flops, k = (g.ravel() for g in np.meshgrid(np.geomspace(1e18, 1e20, 5), around))
    n_params = OWN * np.sqrt(flops / 1e20) * k
    value = 1.8 + (flops / 1e20) ** -0.12 * (1 + 0.04 * np.log(k) ** 2)
    worse = (flops < 9e19) & (k > 1.5)
    rows = {"n_params": n_params, "n_tokens_seen": flops / 6 / n_params}
    rows |= {"flops": flops, "value": value * np.where(worse, 1 + misfit, 1.0)}
    fit = fit_law(get_law("chinchilla"), rows, n_starts=32, delta=None)
    return bootstrap(fit, rows, n_draws=100)


@pytest.fixture(scope="module")
def misfitting():
    return ladder(0.12)


def test_the_minimum_is_that_of_the_runs_where_the_law_misfits(misfitting):
    codes = {warning["code"] for warning in misfitting.fit.warnings}
    assert "misfit" in codes
    plan = optimal_allocation(misfitting, 1e20)
    assert plan.n_params < 0.7 * OWN
    own = own_minimum(misfitting, 1e20, "all", {})
    assert own.n_params == pytest.approx(OWN, rel=0.05) and own.side == 0
    said = contradiction(own, plan)
    assert f"{own.n_params:.3g} parameters" in said["message"]
    assert f"the law at {plan.n_params:.3g}" in said["message"]


def test_the_minimum_is_carried_to_a_budget_between_those_of_the_runs(misfitting):
    # from 1e20 to 1.3e20 the best size grows as the root of compute, the law's as its own power
    own = own_minimum(misfitting, 1.3e20, "all", {})
    assert own.n_params == pytest.approx(OWN * np.sqrt(1.3), rel=0.1)


def test_a_law_that_fits_is_not_contradicted():
    boot = ladder(0.0)
    plan = optimal_allocation(boot, 1e20)
    own = own_minimum(boot, 1e20, "all", {})
    said = contradiction(own, plan)
    assert said is None or said["code"] == "minimum_of_runs"


def test_far_from_all_runs_or_with_three_sizes_there_is_none(misfitting):
    assert own_minimum(misfitting, 1e22, "all", {}) is None
    assert own_minimum(ladder(0.0, np.array([0.3, 1.0, 3.0])), 1e20, "all", {}) is None


def test_runs_that_fall_to_their_largest_size_put_the_minimum_there_or_beyond():
    boot = ladder(0.0, np.array([0.1, 0.2, 0.3, 0.5, 0.7]))
    own = own_minimum(boot, 1e20, "all", {})
    assert own.side == 1 and own.n_params == pytest.approx(0.7 * OWN)
    assert own.place().endswith("parameters or more")


PLAN = Allocation(
    flops=1e20,
    n_params=1.83e8,
    n_tokens=1e20 / 6 / 1.83e8,
    epochs=1.0,
    value=(2.5, 2.4, 2.6),
    at_grid_edge=False,
    n_params_interval=(1.53e8, 2.17e8),
    n_tokens_interval=(1e20 / 6 / 2.17e8, 1e20 / 6 / 1.53e8),
)


def test_what_is_said_holds_both_numbers_and_whether_noise_explains_it():
    sure = contradiction(OwnMinimum(2.92e8, 2.6e8, 3.1e8, 0), PLAN)
    assert (sure["code"], sure["severity"]) == ("runs_contradict", "warning")
    assert sure["message"].startswith(
        "the runs near this budget are lowest at 2.92e+08 parameters, the law at"
        " 1.83e+08 [1.53e+08, 2.17e+08]"
    )
    noisy = contradiction(OwnMinimum(2.92e8, 2.0e8, 4.0e8, 0), PLAN)
    assert (noisy["code"], noisy["severity"]) == ("minimum_of_runs", "info")
    assert contradiction(OwnMinimum(2.0e8, 1.9e8, 2.1e8, 0), PLAN) is None
    # 4 % beyond the end of the interval is at it
    assert contradiction(OwnMinimum(2.25e8, 2.24e8, 2.26e8, 0), PLAN) is None
    small = contradiction(OwnMinimum(1e8, 0.9e8, 1.1e8, 0), PLAN)
    assert small["code"] == "runs_contradict"


def test_the_end_of_the_sizes_contradicts_only_on_its_own_side():
    assert contradiction(OwnMinimum(1e8, 1e8, 1e8, 1), PLAN) is None
    assert contradiction(OwnMinimum(1e8, 1e8, 1e8, -1), PLAN) is not None
    assert contradiction(OwnMinimum(3e8, 3e8, 3e8, -1), PLAN) is None
    assert contradiction(OwnMinimum(3e8, 3e8, 3e8, 1), PLAN) is not None


def test_the_widened_interval_reaches_both_in_sizes_and_tokens():
    wide = widened(PLAN, OwnMinimum(2.92e8, 2.6e8, 3.1e8, 0), SIX)
    assert wide.n_params_interval == (1.53e8, 2.92e8)
    assert wide.n_tokens_interval == pytest.approx(
        (1e20 / 6 / 2.92e8, 1e20 / 6 / 1.53e8)
    )
    assert wide.n_params == PLAN.n_params
