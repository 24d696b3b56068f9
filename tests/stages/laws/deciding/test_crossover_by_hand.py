"""Crossovers of curves that cross at a budget known by hand."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.deciding.crossover import PER_DECADE, crossovers


def flat(flops):
    return 3 + 0 * flops


def falling(at, slope=0.5):
    """Crosses the value 3 at a budget, worse below it."""
    return lambda flops: 3 * (flops / at) ** -slope


@pytest.fixture
def cross(known_boot):
    """cross(curves, offsets, low, high, ...): crossovers of arms with known draws."""

    def found(curves, offsets=None, low=1e6, high=1e10, **options):
        offsets = offsets or {arm: [0.0, 0.0] for arm in curves}
        boot = known_boot(curves, offsets)
        columns = {arm: {} for arm in curves}
        return crossovers(boot, columns, low, high, n_params=1e3, **options)

    return found


def test_the_better_arm_below_comes_first(cross):
    found = cross({"late": falling(1e8), "early": flat})
    [switch] = found.switches
    assert (switch.first, switch.second) == ("early", "late")
    assert switch.flops == pytest.approx(1e8, rel=1e-4)
    assert found.sequence == [
        ("early", 1e6, pytest.approx(1e8, rel=1e-4)),
        ("late", pytest.approx(1e8, rel=1e-4), pytest.approx(1e10)),
    ]
    assert (found.flops_low, found.flops_high) == (1e6, 1e10)
    assert found.pair_share == {("late", "early"): 1.0}
    assert found.pairs == {("late", "early"): [switch]}


def test_an_interval_is_made_of_the_crossing_of_each_draw(cross):
    # in draw s the second arm is 3 (C / 1e8)^-.5 + s against 3: it crosses at 1e8 / (1 - s / 3)^2
    steps = np.linspace(-0.9, 0.9, 11)
    found = cross(
        {"a": flat, "b": falling(1e8)},
        {"a": 0 * steps, "b": steps},
        high=1e9,
        level=0.8,
    )
    [switch] = found.switches
    at = 1e8 / (1 - steps / 3) ** 2
    assert switch.low == pytest.approx(at[1], rel=1e-3)
    assert switch.high == pytest.approx(at[9], rel=1e-3)  # the 10th of 11
    assert (switch.share, switch.level) == (1.0, 0.8)


def test_draws_that_cross_outside_say_on_which_side(cross):
    # with 40 more the first arm is worse at once, with 40 more the second never better
    curves = {"a": flat, "b": falling(1e8)}
    low = cross(curves, {"a": [0.0] * 8 + [40.0] * 2, "b": [0] * 10}).switches[0]
    assert low.low is None and low.high == pytest.approx(1e8, rel=1e-3)
    assert low.share == 0.8
    high = cross(curves, {"a": [0] * 10, "b": [0.0] * 8 + [40.0] * 2}).switches[0]
    assert high.high is None and high.low == pytest.approx(1e8, rel=1e-3)
    both = cross(
        curves, {"a": [0.0] * 8 + [40.0, 0.0], "b": [0.0] * 9 + [40.0]}, level=0.9
    )
    assert (both.switches[0].low, both.switches[0].high) == (None, None)
    assert both.pair_share == {("a", "b"): 0.8}


def test_arms_that_never_cross_have_no_switch(cross):
    found = cross({"a": flat, "b": lambda flops: 4 + 0 * flops})
    assert found.switches == [] and found.sequence == [
        ("a", pytest.approx(1e6), pytest.approx(1e10))
    ]
    assert found.pairs == {("a", "b"): []} and found.pair_share == {("a", "b"): 0.0}


def test_three_arms_are_best_in_turn(cross):
    found = cross(
        {
            "c": lambda flops: 30 * flops**-0.2,
            "a": lambda flops: 30 * 1e7**-0.1 * 1e9**-0.1 + 0 * flops,
            "b": lambda flops: 30 * 1e9**-0.1 * flops**-0.1,
        }
    )
    assert [arm for arm, _, _ in found.sequence] == ["a", "b", "c"]
    assert [s.flops for s in found.switches] == pytest.approx([1e7, 1e9], rel=1e-3)
    assert [(s.first, s.second) for s in found.switches] == [("a", "b"), ("b", "c")]
    # a and c cross too, between the two, where neither is best
    [aside] = found.pairs["c", "a"]
    assert (aside.first, aside.second) == ("a", "c")
    assert aside.flops == pytest.approx(1e8, rel=1e-3)


def test_arms_that_cross_twice_have_two_crossings_in_order(cross):
    def dip(flops):
        return 3 + 0.1 * (np.abs(np.log10(flops / 1e8)) - 1)

    found = cross({"a": flat, "b": dip})
    assert [(s.first, s.second) for s in found.switches] == [("a", "b"), ("b", "a")]
    assert [s.flops for s in found.switches] == pytest.approx([1e7, 1e9], rel=1e-3)
    assert [c.flops for c in found.pairs["a", "b"]] == pytest.approx(
        [1e7, 1e9], rel=1e-3
    )
    # each crossing takes of every draw the one that is nearest to it
    assert found.switches[0].high < 1e8 < found.switches[1].low


def test_arms_equal_up_to_a_point_cross_there(cross):
    def repeats(flops):
        return 3 + 0.5 * np.maximum(np.log10(flops / 1e8), 0)

    found = cross({"a": flat, "b": repeats})
    assert found.switches == []  # the first is best from the start
    [crossing] = found.pairs["a", "b"]
    assert (crossing.first, crossing.second) == ("b", "a")
    assert crossing.flops == pytest.approx(1e8, rel=10 ** (1 / PER_DECADE) - 1)


def test_a_range_that_does_not_grow_is_refused(cross):
    for low, high in ((1e9, 1e9), (1e9, 1e8), (0.0, 1e8), (-1.0, 1e8)):
        with pytest.raises(InputError) as error:
            cross({"a": flat, "b": falling(1e8)}, low=low, high=high)
        assert str(error.value) == (
            f"the searched compute must grow, got {low:g} to {high:g}"
        )


def test_a_short_range_still_has_eight_budgets(cross):
    found = cross({"a": flat, "b": falling(1.05e8)}, low=1e8, high=1.1e8)
    assert found.switches[0].flops == pytest.approx(1.05e8, rel=1e-6)


def wave(flops):
    """Above 3 up to 1e7, below to 1e8, above to 1e9, below beyond: (x - 7) (x - 8) (x - 9) falls through them."""
    x = np.log10(flops)
    return 3 - 0.05 * (x - 7) * (x - 8) * (x - 9)


def test_each_crossing_takes_of_a_draw_the_one_that_is_nearest(cross):
    found = cross({"a": flat, "b": wave})
    assert [(s.first, s.second) for s in found.switches] == [
        ("a", "b"),
        ("b", "a"),
        ("a", "b"),
    ]
    for switch, at in zip(found.switches, (1e7, 1e8, 1e9), strict=True):
        assert switch.flops == pytest.approx(at, rel=1e-2)
        assert switch.low == pytest.approx(at, rel=1e-2)
        assert switch.high == pytest.approx(at, rel=1e-2)
    assert [arm for arm, _, _ in found.sequence] == ["a", "b", "a", "b"]


def test_differences_of_rounding_are_no_crossing(cross):
    def nearly(flops):
        return 3 * (1 + 1e-14 * np.sign(np.sin(40 * np.log(flops))))

    found = cross({"a": flat, "b": nearly})
    assert found.pairs["a", "b"] == []


def test_a_crossing_in_the_first_step_still_begins_with_the_better_arm(cross):
    found = cross({"a": flat, "b": falling(1.02e6)})
    assert [arm for arm, _, _ in found.sequence] == ["a", "b"]


@pytest.mark.parametrize(("smallest", "at"), [(1e3, 6e8), (2e3, 1.2e9)])
def test_without_a_size_each_arm_takes_its_best_of_the_range(known_boot, smallest, at):
    boot = known_boot({"a": flat, "b": flat}, {"a": [0.0] * 4, "b": [0.0] * 4})

    def value(rows, arm=None):
        # b is equal to a at 1e5 tokens, and better the smaller the model
        tokens = np.asarray(rows["n_tokens_seen"], float)
        return 3 + 0 * tokens if arm == "a" else 3 * (tokens / 1e5) ** -0.5

    boot.fit.predict = value
    found = crossovers(
        boot, {"a": {}, "b": {}}, 1e7, 1e10, n_params_range=(smallest, 1e5)
    )
    [switch] = found.switches
    assert (switch.first, switch.second) == ("a", "b")
    assert switch.flops == pytest.approx(at, rel=1e-3)
    assert switch.level == 0.9


def test_the_search_has_24_budgets_a_decade_and_both_ends(cross):
    seen = []

    def curve(flops):
        seen.append(flops)
        return flat(flops)

    cross({"a": curve, "b": falling(1e8)}, low=1e6, high=1e8)
    grid = seen[0]
    assert len(grid) == 2 * 24 + 1
    assert (grid[0], grid[-1]) == (pytest.approx(1e6), pytest.approx(1e8))
    seen.clear()
    cross({"a": curve, "b": falling(1e8)}, low=1e6, high=1.1e6)
    assert len(seen[0]) == 8


def test_the_share_of_a_pair_counts_draws_that_cross_either_way(cross):
    curves = {"a": flat, "b": falling(1e8)}
    # by draw b is better throughout, worse throughout, and twice worse up to a crossing
    found = cross(
        curves, {"a": [40.0, 0.0, 0.0, 0.0], "b": [0.0, 40.0, 0.0, 0.1]}, high=1e9
    )
    assert found.pair_share == {("a", "b"): 0.5}
    # the other way round the same
    found = cross(
        {"b": falling(1e8), "a": flat},
        {"a": [40.0, 0.0, 0.0, 0.0], "b": [0.0, 40.0, 0.0, 0.1]},
        high=1e9,
    )
    assert found.pair_share == {("b", "a"): 0.5}


def test_crossings_of_a_pair_stand_in_order_whichever_arm_leads_first(cross):
    # b is better below 1e7, between 1e8 and 1e9; a in turn
    found = cross({"b": flat, "a": wave})
    crossings = found.pairs["b", "a"]
    assert [c.first for c in crossings] == ["b", "a", "b"]
    assert [c.flops for c in crossings] == pytest.approx([1e7, 1e8, 1e9], rel=1e-2)


def test_an_interval_holds_the_crossing_of_the_arms_themselves(cross):
    """All draws cross above it, at 1e8 / (1 - s / 3)^2 with s of .3 to .9."""
    steps = np.linspace(0.3, 0.9, 11)
    found = cross({"a": flat, "b": falling(1e8)}, {"a": 0 * steps, "b": steps})
    [switch] = found.switches
    assert switch.low == switch.flops == pytest.approx(1e8, rel=1e-4)
    assert switch.high == pytest.approx(1e8 / 0.7**2, rel=1e-3)
