"""The advice: the comparison that is open widest, and the cheapest run that settles half of what the best would."""

import numpy as np
import polars as pl
import pytest

from stages.decision import next_run
from stages.decision.next_run import (
    OpenPair,
    advice,
    candidate_runs,
    cheapest_worthy,
    least_settled,
    looks,
    next_best,
    setting_near,
)
from stages.laws.deciding.plan import NextRun
from stages.laws.interface.cost import Cost


def test_the_flip_with_the_widest_interval_is_least_settled(target, flip):
    narrow = flip(first="x", low=9e8, high=1.1e9)
    wide = flip(first="w", second="v", flops=1e6, low=1e5, high=1e7)
    far = flip(first="f", flops=1e12, low=9e11, high=1.1e12)
    assert least_settled([target()], [narrow, wide, far]) == ("w", "v", 1e6)


@pytest.mark.parametrize("end", ["low", "high"])
def test_an_open_end_is_wider_than_two_decades(flip, end):
    wide = flip(first="w", low=1e8, high=1e10)
    assert least_settled([], [wide, flip(first="o", **{end: None})]).first == "o"
    wider = flip(first="w", low=1e4, high=1e13)
    assert least_settled([], [wider, flip(first="o", **{end: None})]).first == "w"


def test_without_a_flip_the_closest_pair_is_least_settled(target):
    close = target(best="c", second="d", flops=7e9, lead=(-0.02, -0.9, 0.9))
    wide = target(lead=(-0.3, -0.31, -0.29))
    assert least_settled([wide, close], []) == ("c", "d", 7e9)


def test_a_single_arm_leaves_nothing_open(target):
    assert least_settled([target(second=None)], []) is None
    assert next_best(None, {}, [target(second=None)], [], None, 1) is None


ROWS = pl.DataFrame(
    {"n_params": [100, 200, 100], "n_tokens_seen": [1_000, 1_000, 4_000]}
)


def test_candidates_are_what_was_trained_and_twice_the_largest_budget():
    columns = {"a": {"n_tokens_unique": 7.0}, "b": {"n_tokens_unique": 8.0}}
    runs = candidate_runs(("a", "b"), columns, ROWS)
    assert [(r["arm"], r["n_params"], r["n_tokens_seen"]) for r in runs] == [
        (arm, size, tokens)
        for arm in ("a", "b")
        for size in (100.0, 200.0)
        for tokens in (1_000.0, 4_000.0, 8_000.0)
    ]
    assert runs[0]["flops"] == 6 * 100 * 1_000 and runs[-1]["flops"] == 6 * 200 * 8_000
    assert runs[0]["n_tokens_unique"] == 7.0 and runs[-1]["n_tokens_unique"] == 8.0


def test_candidates_cost_what_runs_of_the_table_cost():
    """60 N D, and a size that pays 90: its own, whatever 6 N D says."""
    cost = Cost(sizes=(100.0, 200.0), factors=(60.0, 90.0))
    runs = candidate_runs(("a",), {"a": {}}, ROWS, cost=cost)
    assert runs[0]["flops"] == pytest.approx(60 * 100 * 1_000)
    assert runs[-1]["flops"] == pytest.approx(90 * 200 * 8_000)


def run(removed, flops):
    row = {"arm": "a", "n_params": 1e4, "n_tokens_seen": 2e5}
    return NextRun(row, flops, removed, removed / flops)


def test_the_cheapest_run_that_removes_half_of_the_most_is_taken():
    cheap, half, most = run(0.19, 1.0), run(0.2, 5.0), run(0.4, 9.0)
    assert cheapest_worthy([most, cheap, half]) is half
    assert cheapest_worthy([cheap]) is cheap


def test_the_advice_says_what_to_train_and_what_it_settles():
    found = advice(run(0.256, 1.2e10), OpenPair("a", "b", 3.4e9))
    assert found.text == (
        "Train a once more, on a new resample, with 10,000 parameters for 200,000"
        " tokens (1.2e+10 FLOPs): it would remove an expected 26 % of the variance of"
        " a against b at 3.4e+09 FLOPs, the least settled comparison."
    )
    assert (found.arm, found.n_params, found.n_tokens_seen) == ("a", 1e4, 2e5)
    assert (found.flops, found.variance_removed) == (1.2e10, 0.256)
    assert found.settles == ("a", "b", 3.4e9)


def test_the_whole_way_asks_for_the_pair_of_the_flip(known_boot, flip, monkeypatch):
    asked = {}

    def next_runs(boot, quantity, candidates):
        asked.update(quantity=quantity, arms={row["arm"] for row in candidates})
        asked.update(flops=candidates[0]["flops"])
        return [run(0.3, 6e8)]

    monkeypatch.setattr(next_run.plan, "next_runs", next_runs)
    boot = known_boot(
        {
            arm: (lambda flops, v=v: v + 0 * flops)
            for arm, v in zip("abc", (2, 3, 4), strict=True)
        },
        {"a": [0.0, 1.0], "b": [0.0, 0.0], "c": [0.0, 0.0]},
    )
    boot.fit.cost = Cost(factors=(60.0,))
    columns = {arm: {} for arm in "abc"}
    found = next_best(boot, columns, [], [flip()], ROWS, 100)
    assert asked["flops"] == pytest.approx(60 * 100 * 1_000)
    assert found.settles == ("a", "b", 1e9) and asked["arms"] == {"a", "b"}
    assert asked["quantity"] == pytest.approx(np.log([2 / 3, 3 / 3]))


def test_every_addition_to_a_cell_is_a_look_and_its_resamples_are_one():
    seeds = [0, 1, 10_000, 10_001, 20_000, 20_001]
    rows = pl.DataFrame({"seed": seeds}).with_columns(
        arm=pl.lit("a"), n_params=1, n_tokens_seen=2
    )
    other = rows.filter(seed=10_000).with_columns(arm=pl.lit("b"))
    assert looks(rows.head(2)) == 1 and looks(rows) == 3
    assert looks(pl.concat([rows, other])) == 4
    assert looks(rows.drop("seed")) == 1


def test_a_run_is_made_at_the_setting_that_won_nearest_to_it():
    near, far = (1_000, 4_000), (100, 1_000)
    rows = pl.DataFrame(
        [
            {"arm": arm, "n_params": n, "n_tokens_seen": d, "weight_decay": w}
            for arm, (n, d), w in [
                ("a", near, 1.0),
                ("a", near, 0.1),
                ("a", near, 1.0),
                ("a", far, 3.2),
                ("b", near, 0.5),
            ]
        ]
    ).with_columns(dropout=0.1)
    asked = {"arm": "a", "n_params": 1_000.0, "n_tokens_seen": 8_000.0}
    assert setting_near(rows, asked) == (1.0, 0.1)
    assert setting_near(rows, asked | {"n_params": 100, "n_tokens_seen": 900}) == (
        3.2,
        0.1,
    )
    assert setting_near(rows.drop("dropout"), asked) == (None, None)
