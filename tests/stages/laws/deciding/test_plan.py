"""Allocation of a budget, and the value of the next run against what the run then does."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.deciding.plan import difference_at, next_runs, optimal_allocation
from stages.laws.fitting.fit import fit_law


def test_plenty_of_data_gives_the_closed_form_and_scarcity_more_epochs(simulated):
    rows, truth = simulated("data_constrained")
    boot = bootstrap(
        fit_law(get_law("data_constrained"), rows, n_starts=32, identify=False),
        rows,
        n_draws=20,
    )
    closed = get_law("chinchilla").optimum(
        {k: np.array(v) for k, v in truth.items()}, np.array([1e20])
    )
    plenty, scarce = (
        optimal_allocation(boot, 1e20, n_tokens_unique=u) for u in (1e14, 2e9)
    )
    assert (
        plenty.n_params == pytest.approx(closed[0][0], rel=0.1)
        and plenty.epochs == 1.0
        and not plenty.at_grid_edge
    )
    assert (
        scarce.epochs > 2
        and scarce.value[0] > plenty.value[0]
        and scarce.n_params * scarce.n_tokens * 6 == pytest.approx(1e20)
    )
    with pytest.raises(InputError, match="say n_tokens_unique="):
        optimal_allocation(boot, 1e20)


def test_the_published_law_gives_the_published_allocation(evidence, table_of):
    rows = table_of(
        evidence("datablations.csv"),
        n_params="params_N",
        n_tokens_seen="train_tokens_D",
        n_tokens_unique="unique_tokens_U",
        value="val_loss_nats_c4",
    )
    constants = {
        "A": np.exp(6.255414),
        "B": np.exp(7.3049974),
        "E": np.exp(0.6254804),
        "alpha": 0.3526596,
        "beta": 0.3526596,
        "R_D_star": 15.387756,
        "R_N_star": 5.309743,
    }
    boot = bootstrap(
        fit_law(
            get_law("data_constrained"),
            rows,
            fixed=constants,
            identify=False,
            n_starts=2,
        ),
        rows,
        n_draws=2,
    )
    best = optimal_allocation(boot, 1e22, n_tokens_unique=25e9)
    assert best.n_params == pytest.approx(
        7.0224e9, rel=0.06
    ) and best.epochs == pytest.approx(9.493, rel=0.06)


def arm_boot(rows, n_draws=400):
    fit = fit_law(
        get_law("chinchilla"),
        rows,
        by_arm=("E", "B"),
        n_starts=8,
        identify=False,
        delta=None,
    )
    return bootstrap(fit, rows, n_draws=n_draws)


def test_the_run_that_is_valued_most_narrows_the_decision_most(arm_runs):
    rows, truth = arm_runs(np.random.default_rng(0), 2)
    boot, arms = arm_boot(rows), {"a": {}, "b": {}, "c": {}}
    quantity = difference_at(boot, 1e19, "a", "b", arms)
    candidates = [
        {"arm": arm, "n_params": n, "n_tokens_seen": 1e10}
        for arm in "abc"
        for n in (5e6, 5e8)
    ]
    ranked = next_runs(boot, quantity, candidates)
    by_removal = sorted(ranked, key=lambda run: -run.variance_removed)
    assert (
        by_removal[0].row["arm"] in "ab"
        and by_removal[-1].row["arm"] == "c"
        and all(0 <= run.variance_removed < 1 for run in ranked)
    )
    assert (
        ranked[0].per_flop == max(run.per_flop for run in ranked)
        and ranked[0].flops == 6 * ranked[0].row["n_params"] * 1e10
    )

    def narrowed(run):
        law, row = get_law("chinchilla"), run.row
        value = law.value(
            truth | {"E": truth["E"][row["arm"]], "B": truth["B"][row["arm"]]}, row
        )
        extra = {
            k: np.r_[v, np.repeat({**row, "value": value, "pool_draw": 0}[k], 8)]
            for k, v in rows.items()
        }
        return difference_at(arm_boot(extra), 1e19, "a", "b", arms).std()

    assert narrowed(by_removal[0]) < narrowed(by_removal[-1])


def test_bad_candidates_are_refused(arm_runs):
    boot = arm_boot(arm_runs(np.random.default_rng(0), 2)[0], 20)
    with pytest.raises(InputError, match="one value a draw"):
        next_runs(
            boot, np.zeros(3), [{"arm": "a", "n_params": 1e8, "n_tokens_seen": 1e9}]
        )
    with pytest.raises(InputError, match="no candidate run"):
        next_runs(boot, np.zeros(20), [])


def test_candidates_and_plans_cost_what_runs_of_the_table_cost(simulated):
    """A table at 60 N D: a budget buys a tenth of the tokens, and a run costs ten times as much."""
    rows, _ = simulated("chinchilla")
    rows = rows | {"flops": 60 * rows["n_params"] * rows["n_tokens_seen"]}
    fit = fit_law(get_law("chinchilla"), rows, n_starts=16, identify=False)
    boot = bootstrap(fit, rows, n_draws=20)
    candidate = {"n_params": 1e8, "n_tokens_seen": 1e10}
    [run] = next_runs(boot, boot.predict(candidate)[:, 0], [candidate])
    assert run.flops == pytest.approx(60 * 1e8 * 1e10)
    plan = optimal_allocation(boot, 1e20)
    assert 60 * plan.n_params * plan.n_tokens == pytest.approx(1e20)
