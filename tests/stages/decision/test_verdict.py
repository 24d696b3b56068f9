"""One status for a question: the commonest of its clear budgets, in doubt the less sure; flips that are none go."""

import pytest

from stages.decision.verdict import crossings, drawn_flips, overall, path_of, stretches
from stages.laws.deciding.crossover import Crossover, Crossovers


@pytest.fixture
def status(target):
    """status([statuses], flips, reach): of budgets 1e9, 2e9, ... FLOPs."""

    def of(statuses, flips=(), reach=1e12):
        targets = [
            target(flops=1e9 * (i + 1), status=each, reason=f"reason {i}")
            for i, each in enumerate(statuses)
        ]
        return overall(targets, flips, reach)

    return of


def test_the_commonest_status_wins(status):
    assert status(["decided", "decided", "tie"])[0] == "decided"
    assert status(["tie", "insufficient_evidence", "tie"])[0] == "tie"
    assert status(["extrapolating", "extrapolating", "decided"])[0] == "extrapolating"


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (["decided", "tie"], "tie"),
        (["tie", "extrapolating"], "extrapolating"),
        (["decided", "extrapolating"], "extrapolating"),
        (["extrapolating", "insufficient_evidence"], "insufficient_evidence"),
        (["decided", "insufficient_evidence"], "insufficient_evidence"),
    ],
)
def test_in_doubt_the_less_sure_wins_whatever_the_order(status, pair, said):
    assert status(pair)[0] == said
    assert status(pair[::-1])[0] == said


def test_the_reason_counts_each_status_and_gives_one_budget_of_it(status):
    assert status(["tie", "decided", "decided"])[1] == (
        "Of 3 target budgets within the measured compute: 1 tie, 2 decided."
        " At 2e+09 FLOPs: reason 1."
    )
    assert status(["insufficient_evidence"])[1] == (
        "Of 1 target budgets within the measured compute: 1 insufficient evidence."
        " At 1e+09 FLOPs: reason 0."
    )


def test_budgets_beyond_what_was_measured_do_not_count(status):
    assert status(["decided", "tie", "tie"], reach=1e9)[0] == "decided"
    # a budget that is the largest run but for rounding counts, one above it does not
    assert status(["decided", "tie"], reach=1.99999e9)[0] == "tie"
    assert status(["decided", "tie"], reach=1.99e9)[0] == "decided"


def test_where_nothing_was_measured_every_budget_counts(status):
    said, reason = status(["decided", "extrapolating", "extrapolating"], reach=1e6)
    assert said == "extrapolating" and reason.startswith("Of 3 target budgets")


def test_budgets_inside_the_interval_of_a_flip_do_not_count(status, flip):
    said, reason = status(
        ["decided", "tie", "tie", "decided"], [flip(low=2e9, high=3e9)]
    )
    assert said == "decided"
    assert reason.startswith(
        "Of 2 target budgets within the measured compute (2 more lie inside the"
        " interval of a flip): 2 decided."
    )


def test_an_open_end_of_a_flip_reaches_as_far_as_it_goes(status, flip):
    three = ["tie", "tie", "decided"]
    assert status(three, [flip(low=None, high=2e9)])[0] == "decided"
    assert status(["decided", "tie", "tie"], [flip(low=2e9, high=None)])[0] == "decided"
    assert status(three, [flip(low=3e9, high=None)])[0] == "tie"


def test_any_of_several_flips_takes_a_budget_out(status, flip):
    flips = [flip(low=1e9, high=1.5e9), flip(low=2e9, high=2.5e9)]
    assert status(["tie", "tie", "decided"], flips)[0] == "decided"


def test_where_all_budgets_lie_inside_flips_they_count_all_the_same(status, flip):
    said, reason = status(["tie", "tie", "decided"], [flip(low=None, high=None)])
    assert said == "tie"
    assert reason.startswith("Of 3 target budgets within the measured compute: 2 tie")


def found(*shares, flops=(1e8, 1e9, 1e10)):
    """Arms a, b, c, d in turn, with a share of the draws for each switch."""
    names = "abcd"[: len(shares) + 1]
    switches = [
        Crossover(names[i], names[i + 1], flops[i], None, 2 * flops[i], share, 0.9)
        for i, share in enumerate(shares)
    ]
    edges = [1e7, *flops[: len(shares)], 1e11]
    sequence = [(name, edges[i], edges[i + 1]) for i, name in enumerate(names)]
    pairs = {("a", "b"): switches[:1], ("c", "a"): switches[1:]}
    return Crossovers(1e7, 1e11, sequence, switches, pairs, {})


def test_first_flips_that_most_draws_do_not_have_are_left_out():
    path, flips = path_of(found(0.4, 0.9, 0.8), reach=1e12)
    assert path == ["b", "c", "d"]
    assert [(flip.first, flip.second) for flip in flips] == [("b", "c"), ("c", "d")]
    assert path_of(found(0.1, 0.2), reach=1e12) == (["c"], [])


def test_flips_of_half_the_draws_and_later_weak_ones_stay():
    path, flips = path_of(found(0.5, 0.1), reach=1e12)
    assert path == ["a", "b", "c"] and [flip.share for flip in flips] == [0.5, 0.1]


def test_a_flip_above_what_was_measured_is_extrapolated():
    _, flips = path_of(found(0.9, 0.9, 0.9), reach=1e9)
    assert [flip.extrapolated for flip in flips] == [False, False, True]
    assert flips[0].model_dump() == {
        "first": "a",
        "second": "b",
        "flops": 1e8,
        "low": None,
        "high": 2e8,
        "share": 0.9,
        "level": 0.9,
        "extrapolated": False,
    }


def test_open_ends_are_drawn_to_the_ends_of_the_searched_range(flip):
    one, other = drawn_flips([flip(low=None), flip(high=None)], low=1e6, high=1e12)
    assert (one.low, one.high) == (1e6, 3e9)
    assert (other.low, other.high) == (5e8, 1e12)
    assert (one.first, one.second, one.flops) == ("a", "b", 1e9)


def test_every_stretch_ends_at_its_flip_and_the_last_at_the_range():
    first, second, third = stretches(found(0.9, 0.1))
    assert (first.arm, first.up_to.second, first.up_to.flops) == ("a", "b", 1e8)
    assert (second.arm, second.up_to.second, second.up_to.flops) == ("b", "c", 1e9)
    assert (third.arm, third.up_to) == ("c", None)


def test_every_crossing_of_every_pair_is_listed():
    assert [(c.first, c.second, c.flops) for c in crossings(found(0.9, 0.9))] == [
        ("a", "b", 1e8),
        ("b", "c", 1e9),
    ]
