"""Law selection: by extrapolation, in favour of fewer unknowns, with the reasons said."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.choose import choose_law
from stages.laws.choosing.cuts import largest_rungs
from stages.laws.interface.table import run_flops


def noisy(rows, sd=0.005, seed=0):
    return rows | {
        "value": (
            rows["value"]
            * np.exp(
                sd * np.random.default_rng(seed).standard_normal(rows["value"].size)
            )
        )
    }


def laws(*names):
    return [get_law(name) for name in names]


def test_the_law_that_extrapolates_is_chosen(simulated):
    rows = noisy(simulated("overfit")[0])
    choice = choose_law(
        laws("power_floor", "chinchilla", "overfit"),
        rows,
        delta=None,
        n_starts=32,
        n_draws=100,
    )
    assert choice.fit.law.name == "overfit" and choice.runner_up.law.name in (
        "chinchilla",
        "power_floor",
    )
    assert [s.typical for s in choice.ranking] == sorted(
        s.typical for s in choice.ranking
    )
    best = choice.ranking[0]
    assert (
        best.mape < 0.02
        and best.coverage >= 0.5
        and best.reason == "lowest held-out error"
        and "overfit: held-out error" in choice.reason
    )
    assert choice.fit.n_points == rows["value"].size > choice.n_held_out


def test_a_tie_goes_to_the_better_fit_for_its_unknowns(simulated):
    rows = noisy(simulated("chinchilla")[0])
    choice = choose_law(
        laws("overfit", "chinchilla"),
        rows | {"n_tokens_unique": rows["n_tokens_seen"]},
        n_starts=16,
        n_draws=50,
    )
    assert (
        choice.fit.law.name == "chinchilla"
        and "not told apart from overfit" in choice.reason
        and "best for its number of unknowns (5)" in choice.reason
    )


def test_arms_are_separated_by_the_law_s_own_parameters(arm_runs):
    rows, _ = arm_runs(np.random.default_rng(0), 3)
    choice = choose_law(
        laws("chinchilla", "data_constrained"),
        rows,
        clusters="pool_draw",
        n_starts=16,
        n_draws=50,
    )
    assert choice.fit.by_arm == ("E", "B") and choice.runner_up is None
    assert (
        "n_tokens_unique" in choice.refused["data_constrained"]
        and "no other candidate" in choice.reason
    )


def test_few_held_out_runs_are_said_to_be_few(simulated):
    rows = noisy(simulated("chinchilla", repeats=1)[0])
    held = np.argsort(run_flops(rows)) >= rows["value"].size - 3
    choice = choose_law(
        laws("chinchilla"), rows, held_out=held, n_starts=16, n_draws=50
    )
    assert choice.n_held_out == 3 and "few_held_out" in [
        w["code"] for w in choice.warnings
    ]


def test_rungs_are_taken_from_the_top_until_three_runs_are_held():
    flops = np.array([1e15] * 6 + [1e16] * 6 + [1e17, 1.05e17] + [1e18])
    np.testing.assert_array_equal(largest_rungs(flops), flops > 9e16)
    with pytest.raises(InputError, match="1 distinct compute budgets"):
        largest_rungs(np.full(10, 1e15))
    with pytest.raises(InputError, match="hold 9 of 10 runs"):
        largest_rungs(np.array([1e15] + [1e16] * 9))


def test_compute_is_six_n_d_unless_the_table_says():
    assert (
        run_flops({"n_params": np.array([2.0]), "n_tokens_seen": np.array([3.0])})[0]
        == 36
    )
    assert run_flops({"flops": np.array([5.0])})[0] == 5
    with pytest.raises(InputError, match="needs a column 'flops'"):
        run_flops({"value": np.array([5.0])})
