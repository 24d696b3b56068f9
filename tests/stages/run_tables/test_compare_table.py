"""A comparison as records, tables and a figure."""

import json

import numpy as np
import polars as pl
import pytest

from stages.foundation.errors import InputError
from stages.laws.deciding.path import Path
from stages.presentation.plot_style import plt
from stages.run_tables.compare_figures import arm_colours, chances, draw_compare
from stages.run_tables.compare_rows import (
    crossover_rows,
    decision_rows,
    flip_interval,
    shown_chances,
    shown_decisions,
    shown_flips,
)
from stages.run_tables.compare_table import baseline_arm, compare_table


def crossing_runs(arms=2, noise=0.002):
    """Arm a0 is better below 1.6e19 FLOPs (0.8 x^-1/4 + 2.2 = 1.6 x^-1/4 + 1.8), a1 above; further arms are worse."""
    rng, flops = np.random.default_rng(0), np.geomspace(1e17, 1e21, 14)
    curves = [
        2.2 + 0.8 * (flops / 1e18) ** -0.25,
        1.8 + 1.6 * (flops / 1e18) ** -0.25,
    ] + [2.6 + 0.1 * i + 2.0 * (flops / 1e18) ** -0.25 for i in range(arms - 2)]
    frames = [
        pl.DataFrame(
            {
                "flops": flops,
                "value": c * np.exp(noise * rng.standard_normal(14)),
                "data": f"a{i}",
            }
        )
        for i, c in enumerate(curves)
    ]
    return pl.concat(frames)


def compared(table, at, **options):
    return compare_table(
        table,
        "runs.csv",
        arm="data",
        at=at,
        law="power_floor",
        cluster=None,
        n_params=None,
        n_draws=100,
        **options,
    )


@pytest.fixture(scope="module")
def found():
    return compared(crossing_runs(), [2e17, 1e21])


def test_the_best_arm_is_worth_what_the_inverted_curve_says(found):
    below, above = found.worth
    # at 2e17 the other arm reaches the value of a0 where 1.8 + 1.6 x^-1/4 is that
    value = 2.2 + 0.8 * 0.2**-0.25
    assert (below.best, below.baseline) == ("a0", "a1")
    assert below.times == pytest.approx((1.6 / (value - 1.8)) ** 4 / 0.2, rel=0.05)
    assert below.low < below.times < below.high
    assert below.until.flops == found.found.switches[0].flops
    assert below.tokens_times is None  # the table has no tokens
    # the floor of a0 lies above what a1 has at 1e21
    assert (above.best, above.times, above.never) == ("a1", None, True)


@pytest.mark.parametrize(
    ("arms", "baseline"),
    [
        (("strict", "keep_100"), "keep_100"),
        (("Unfiltered", "strict"), "Unfiltered"),
        (("keep everything", "all"), "keep everything"),
        (("all", "strict"), "all"),
        (("overall", "rawhide"), None),
    ],
)
def test_the_arm_that_keeps_everything_is_found_by_its_name(arms, baseline):
    columns = {arm: {} for arm in arms}
    assert baseline_arm(columns, "runs.csv") == baseline
    assert baseline_arm(columns, "runs.csv", arms[0]) == arms[0]


def test_a_baseline_that_no_run_has_is_refused():
    with pytest.raises(InputError, match="--baseline x: no such arm; arms are a0, a1"):
        compared(crossing_runs(), [2e17], baseline="x")


def test_records_name_winner_chance_and_crossover_with_interval(found):
    records = decision_rows(found.decisions)
    assert [r["best"] for r in records] == ["a0", "a1"] and all(
        r["status"] == "decided" for r in records
    )
    assert all(
        r["lead_low"] <= r["lead"] <= r["lead_high"]
        and r["low"] <= r["value"] <= r["high"]
        for r in records
    )
    assert sum(
        entry["p_best"] for entry in records[0]["arms"].values()
    ) == pytest.approx(1)
    [flip] = crossover_rows(found.found)
    assert (flip["from"], flip["to"]) == ("a0", "a1") and flip["low"] < flip[
        "flops"
    ] < flip["high"]
    assert flip["flops"] == pytest.approx(1.6e19, rel=0.15)
    assert json.loads(json.dumps(records))[0]["flops"] == 2e17


def test_tables_hold_the_same_answer(found):
    records = decision_rows(found.decisions)
    shown = shown_decisions(records)
    assert [row["best"] for row in shown] == ["a0", "a1"] and shown[0][
        "P(best)"
    ] == f"{records[0]['p_best']:.2f}"
    assert (
        shown_chances(records)[0]["arm"] in ("a0", "a1")
        and len(shown_chances(records)) == 2
    )
    [flip] = shown_flips(crossover_rows(found.found), found.found)
    assert " to " in flip["90 % interval"] and flip["in draws"].endswith("%")
    assert (
        flip_interval(None, 1e20, found.found) == "below 1.0e17 to 1.0e20"
        and flip_interval(1e18, None, found.found) == "1.0e18 to above 1.0e22"
    )


def test_the_figure_marks_the_flip_and_the_budgets(found):
    figure = draw_compare(found, "loss (nats)")["compare"]
    figure.draw_without_rendering()
    top, bottom = figure.axes
    assert (
        "flip a0 → a1 at" in top.get_title(loc="left")
        and top.get_ylabel() == "loss (nats)"
        and top.get_xscale() == "log"
    )
    assert sorted(
        line.get_xdata()[0] for line in bottom.lines if line.get_marker() == "^"
    ) == [2e17, 1e21]
    assert {text.get_text() for text in top.texts} == {"a0", "a1"}
    plt.close(figure)


def test_many_arms_leave_the_likeliest_in_colour():
    many = compared(crossing_runs(arms=10), [1e20])
    figure = draw_compare(many, "value")["compare"]
    assert "3 other arms" in {text.get_text() for text in figure.axes[0].texts}
    plt.close(figure)
    path = Path(
        np.ones(1),
        {},
        {},
        {"a": np.ones(1), "b": np.full(1, 2.0)},
        {"a": np.ones((4, 1)), "b": np.full((4, 1), 2.0)},
    )
    assert (
        chances(path)["a"] == 1
        and None not in arm_colours(path, chances(path)).values()
    )


def test_scores_and_odd_budgets_are_refused():
    rising = crossing_runs().with_columns(value=1 / pl.col("value"))
    with pytest.raises(InputError, match="grows with compute, .*1 - score"):
        compared(rising, [1e20])
    with pytest.raises(InputError, match="--at -1"):
        compared(crossing_runs(), [-1.0])


def test_an_arm_measured_far_below_the_budget_is_a_coded_warning(found):
    short = crossing_runs(arms=3).filter(
        (pl.col("data") != "a2") | (pl.col("flops") < 5e18)
    )
    [warning] = [
        w for w in compared(short, [1e21]).warnings if w["code"] == "arm_extrapolated"
    ]
    assert "a2 up to" in warning["message"] and "a1" not in warning["message"]
    assert "arm_extrapolated" not in [w["code"] for w in found.warnings]


def test_an_arm_measured_far_below_the_budget_decides_nothing():
    """The better arm at large budgets has small runs only: its lead there is the law's word alone."""
    short = crossing_runs().filter((pl.col("data") != "a1") | (pl.col("flops") < 2e19))
    near, far = compared(short, [2e17, 1e21]).decisions
    assert (
        near.status == "decided"
        and far.status == "extrapolating"
        and "a1 was measured only up to" in far.reason
    )


def repeating_runs(**columns):
    """Two arms of one size, 10^8 parameters. Tokens D of `strict` beyond its 3e8 different ones stop counting after
    about five passes, 2.5 + 500 / D'^.3 with D' = U (1 + 4 (1 - e^-(D / U - 1) / 4)), so it cannot fall below
    3.3837; `loose`, 2.5 + 620 / D^.3, reaches that at (620 / .8837)^(1 / .3) = 3.1e9 tokens.
    """
    rng, seen = np.random.default_rng(1), np.geomspace(1e8, 2.4e9, 9)
    frames = []
    for arm, unique, scale in (("strict", 3e8, 500.0), ("loose", 3e10, 620.0)):
        fresh = np.minimum(seen, unique)
        worth = fresh + unique * 4 * (1 - np.exp(-(seen / fresh - 1) / 4))
        value = 2.5 + scale / np.where(seen > unique, worth, seen) ** 0.3
        noise = np.exp(0.003 * rng.standard_normal(9))
        frames.append(
            pl.DataFrame(
                {"n_tokens_seen": seen, "value": value * noise, "data": arm}
                | {"n_tokens_unique": unique}
                | columns
            )
        )
    return pl.concat(frames)


def test_arms_of_one_size_that_repeat_their_data_flip_where_the_repeats_stop_helping():
    done = compare_table(
        repeating_runs(n_params=1e8),
        "runs.csv",
        arm="data",
        at=[6e17],
        law="auto",
        cluster=None,
        n_params=None,
        n_draws=100,
    )
    assert "half_life" in done.reason
    [decision] = done.decisions
    assert (decision.best, decision.status) == ("strict", "decided")
    assert decision.n_tokens["strict"] == pytest.approx(1e9)
    [flip] = done.found.switches
    # they meet where D / D' = 1.24^(1 / .3), at D = 9.18 U = 2.75e9 tokens: 6 * 1e8 * D = 1.65e18 FLOPs
    assert flip.low < 1.65e18 < (flip.high or np.inf)
    assert flip.flops < 3e18


@pytest.mark.parametrize("law", ["auto", "power_floor"])
def test_a_budget_that_says_nothing_of_tokens_says_nothing_of_passes(law):
    """FLOPs and unique tokens without sizes: no passes are known, and none are called nan."""
    table = repeating_runs().with_columns(flops=pl.col("n_tokens_seen") * 6e8)
    done = compare_table(
        table,
        "runs.csv",
        arm="data",
        at=[6e17],
        law=law,
        cluster=None,
        n_params=None,
        n_draws=100,
    )
    [decision] = done.decisions
    assert decision.best == "strict" and np.isfinite(decision.lead).all()
    assert decision.status == "extrapolating"
    assert decision.reason.startswith("the law does not know model size")
    assert "nan" not in decision.reason and "up to 8 times" in decision.reason


def test_unique_tokens_of_runs_that_never_repeat_withhold_nothing_from_a_law_of_compute():
    table = crossing_runs().with_columns(
        n_tokens_seen=pl.col("flops") / 6e9, n_tokens_unique=pl.col("flops") / 6e9
    )
    [decision] = compared(table, [3e17]).decisions
    assert (decision.best, decision.status) == ("a0", "decided")


def test_a_size_that_no_run_had_is_refused_where_all_runs_have_one():
    options = {"arm": "data", "at": [6e17], "law": "auto", "cluster": None}
    table = repeating_runs(n_params=1e8)
    with pytest.raises(InputError, match="--n-params 1e\\+09: all runs have 1e\\+08"):
        compare_table(table, "runs.csv", n_params=1e9, n_draws=50, **options)
    done = compare_table(table, "runs.csv", n_params=1e8, n_draws=50, **options)
    assert done.decisions[0].n_tokens["strict"] == pytest.approx(1e9)
