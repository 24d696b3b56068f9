"""What to train for a budget."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.deciding.advisor import chances
from stages.laws.deciding.path import arm_path
from stages.laws.fitting.fit import fit_law
from stages.run_tables.plan_table import (
    next_run_rows,
    plan_notes,
    plan_rows,
    shown_next_runs,
    shown_plan,
)


def fitted(name, **parameters):
    """A bootstrap of a law with 0.5 % noise on a grid of sizes, lengths and unique tokens."""
    law, rng = get_law(name), np.random.default_rng(0)
    n, u, e = (
        g.ravel()
        for g in np.meshgrid(
            np.geomspace(1e7, 1e9, 4), np.geomspace(3e8, 3e10, 3), [0.5, 1.0, 4.0, 16.0]
        )
    )
    columns = {"n_params": n, "n_tokens_seen": u * e, "n_tokens_unique": u}
    columns = {k: c for k, c in columns.items() if k in law.variable_names}
    rows = columns | {
        "value": (
            law.value({k: np.array([v]) for k, v in parameters.items()}, columns)
            * np.exp(0.005 * rng.standard_normal(n.size))
        )
    }
    return bootstrap(fit_law(law, rows, n_starts=32, identify=False), rows, n_draws=100)


BASE = {"E": 1.8, "A": 400.0, "alpha": 0.34, "B": 1200.0, "beta": 0.33}


@pytest.fixture(scope="module")
def chinchilla():
    return fitted("chinchilla", **BASE)


@pytest.fixture(scope="module")
def constrained():
    return fitted("data_constrained", **BASE, R_D_star=8.0, R_N_star=6.0)


def test_the_plan_is_the_optimum_with_an_interval_around_it(chinchilla):
    [row] = plan_rows(chinchilla, 1e21, None)
    n, d = get_law("chinchilla").optimum(chinchilla.fit.params, np.array([1e21]))
    assert row["n_params"] == pytest.approx(n[0], rel=0.02) and row[
        "n_tokens"
    ] == pytest.approx(d[0], rel=0.02)
    assert (
        row["n_params_low"] < row["n_params"] < row["n_params_high"]
        and row["n_tokens_low"] < row["n_tokens"] < row["n_tokens_high"]
    )
    assert (
        6 * row["n_params_low"] * row["n_tokens_high"] == pytest.approx(1e21)
        and row["epochs"] is None
    )


def test_the_plan_says_batch_and_learning_rate_by_the_cited_rule(chinchilla):
    [row] = plan_rows(chinchilla, 1e21, None)
    assert row["lr"] == pytest.approx(
        1.7973 * row["n_params"] ** -0.71292 * row["n_tokens"] ** 0.30749, rel=1e-3
    )
    assert row["batch_tokens"] == pytest.approx(
        0.58069 * row["n_tokens"] ** 0.57094, rel=1e-3
    )
    assert (
        row["n_steps"] * row["batch_tokens"] == pytest.approx(row["n_tokens"])
        and "2503.04715" in row["rule"]
    )


def test_few_different_tokens_make_the_run_repeat_and_the_value_worse(constrained):
    [plenty], [few] = (plan_rows(constrained, 1e21, unique) for unique in (1e12, 1e9))
    assert plenty["epochs"] == 1 and plenty["n_tokens_unique"] == plenty["n_tokens"]
    assert few["epochs"] == pytest.approx(few["n_tokens"] / 1e9) and few["epochs"] > 4
    assert few["low"] > plenty["high"]


def test_what_the_plan_rests_on_is_a_coded_warning(chinchilla, constrained):
    def codes(boot, flops, unique):
        return {
            note["code"]
            for note in plan_notes(boot, plan_rows(boot, flops, unique), unique)
        }

    assert codes(chinchilla, 1e21, None) == set()
    assert "repetition_not_in_law" in codes(
        chinchilla, 1e21, 1e9
    ) and "repetition_not_in_law" not in codes(constrained, 1e21, 1e9)
    assert {"extrapolating", "rule_extrapolated"} <= codes(chinchilla, 1e25, None)


@pytest.mark.parametrize(
    ("law", "reason"),
    [
        ("power_floor", "needs a law of n_params and n_tokens_seen"),
        ("half_life", "needs a law of n_params"),
    ],
)
def test_a_law_that_gives_no_plan_is_refused_in_one_line(law, reason):
    columns = {
        "flops": np.geomspace(1e17, 1e21, 12),
        "n_tokens_seen": np.geomspace(1e8, 1e10, 12),
        "n_tokens_unique": np.full(12, 1e9),
    }
    rows = columns | {"value": 2 + 1e3 * columns["flops"] ** -0.15}
    boot = bootstrap(
        fit_law(get_law(law), rows, n_starts=8, identify=False), rows, n_draws=5
    )
    with pytest.raises(InputError, match=reason):
        plan_rows(boot, 1e21, None)


def test_a_law_of_repeats_asks_for_the_unique_tokens(constrained):
    with pytest.raises(InputError, match="--unique-tokens"):
        plan_rows(constrained, 1e21, None)
    with pytest.raises(InputError, match="--unique-tokens"):
        next_run_rows(constrained, 1e21, None)


def test_next_runs_cost_less_than_the_budget_and_help(constrained):
    rows = next_run_rows(constrained, 1e22, 3e9)
    assert all(
        0 <= row["variance_removed"] <= 1
        and row["flops"] == 6 * row["n_params"] * row["n_tokens_seen"]
        for row in rows
    )
    gain = [row["variance_removed"] / row["flops"] for row in rows]
    assert gain == sorted(gain, reverse=True) and gain[0] > 0
    shown = shown_next_runs(rows, 1e22)
    assert "arm" not in shown[0] and shown[0]["FLOPs"]


def test_the_table_for_a_person_has_every_part_of_the_plan(constrained):
    lines = {row[""]: row for row in shown_plan(plan_rows(constrained, 1e21, 1e9)[0])}
    assert list(lines) == [
        "model size",
        "training tokens",
        "epochs",
        "predicted value",
        "batch",
        "learning rate",
        "steps",
    ]
    assert (
        "1B different tokens" in lines["epochs"]["unit"]
        and " to " in lines["model size"]["90 % interval"]
    )


def test_runs_near_the_budget_that_are_lowest_elsewhere_widen_the_plan():
    """Larger models came out worse by 12 % at the smaller budgets, so the law plans too small a one."""
    flops, k = (
        g.ravel()
        for g in np.meshgrid(np.geomspace(1e18, 1e20, 5), np.geomspace(0.15, 4, 9))
    )
    n_params = 2.92e8 * np.sqrt(flops / 1e20) * k
    value = 1.8 + (flops / 1e20) ** -0.12 * (1 + 0.04 * np.log(k) ** 2)
    value = value * np.where((flops < 9e19) & (k > 1.5), 1.12, 1.0)
    rows = {"n_params": n_params, "n_tokens_seen": flops / 6 / n_params}
    rows |= {"flops": flops, "value": value}
    fit = fit_law(get_law("chinchilla"), rows, n_starts=32, delta=None)
    boot = bootstrap(fit, rows, n_draws=100)
    [row] = plan_rows(boot, 1e20, None)
    assert row["n_params_of_runs"] == pytest.approx(2.92e8, rel=0.05)
    assert row["n_params"] < 2e8 and row["n_params_high"] == row["n_params_of_runs"]
    assert row["n_tokens_low"] == pytest.approx(1e20 / 6 / row["n_params_high"])
    codes = {each["code"] for each in plan_notes(boot, [row], None)}
    assert codes & {"runs_contradict", "minimum_of_runs"}


ARMS = {"poor": 2.2, "good": 1.8, "close": 1.801}  # floors of the loss


def test_next_runs_tell_which_of_all_arms_is_best_as_a_decision_advises():
    """The first arm of the table is hopeless: no run of it tells anything of the two that may be best."""
    law, rng = get_law("chinchilla"), np.random.default_rng(1)
    n, d = (
        g.ravel()
        for g in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(3e8, 3e10, 4))
    )
    columns = {"n_params": n, "n_tokens_seen": d}
    parts = [
        law.value({k: np.array([v]) for k, v in (BASE | {"E": floor}).items()}, columns)
        for floor in ARMS.values()
    ]
    rows = {name: np.tile(column, len(ARMS)) for name, column in columns.items()}
    rows["value"] = np.concatenate(parts) * np.exp(
        0.003 * rng.standard_normal(len(ARMS) * n.size)
    )
    rows["arm"] = np.repeat(list(ARMS), n.size)
    fit = fit_law(law, rows, by_arm=("E",), n_starts=8, identify=False)
    boot = bootstrap(fit, rows, n_draws=100)
    runs = next_run_rows(boot, 1e21, None)
    assert runs and {run["arm"] for run in runs} <= {"good", "close"}
    path = arm_path(boot, [1e21], {arm: {} for arm in ARMS})
    values = np.stack([path.draws[arm][:, 0] for arm in ARMS], axis=1)
    for run in runs:
        now, after = run["p_best"]
        # what a run is expected to tell is known to about half a draw of a hundred
        assert now == chances(values).max() and after > now - 0.005
    assert runs[0]["p_best"][1] > runs[0]["p_best"][0]
    shown = shown_next_runs(runs, 1e21)
    assert shown[0]["P(best)"].startswith(f"{runs[0]['p_best'][0]:.2f}, then ")
