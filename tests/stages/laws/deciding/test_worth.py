"""The worth of arms whose curves are inverted by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from stages.laws.deciding.crossover import crossovers
from stages.laws.deciding.worth import first_reached, worths

TARGET = 1e8


def power(times=1.0, floor=2.0):
    """Falls as floor + (times C / 1e6)^-.3: an arm of `times` 2 does at C what one of 1 does at 2 C."""
    return lambda flops: floor + (times * flops / 1e6) ** -0.3


@pytest.fixture
def worth(known_boot):
    """worth(curves, offsets, best, second, baseline): of the best arm at 1e8 FLOPs."""

    def found(curves, offsets=None, best="a", second="b", baseline="b", **options):
        boot = known_boot(curves, offsets or {arm: [0.0] * 20 for arm in curves})
        one = SimpleNamespace(
            flops=TARGET, best=best, second=second, n_params=dict.fromkeys(curves, 1e3)
        )
        columns = {arm: {} for arm in curves}
        options = {"n_params": 1e3} | options
        return worths(boot, [one], columns, baseline=baseline, **options)

    return found


@pytest.mark.parametrize("ratio", [1.8, 1.03, 47.0])
def test_an_arm_that_does_as_much_with_a_part_of_the_compute(worth, ratio):
    [one] = worth({"a": power(ratio), "b": power()})
    assert (one.best, one.baseline, one.flops) == ("a", "b", TARGET)
    assert one.times == pytest.approx(ratio, rel=1e-3)
    assert (one.low, one.high) == pytest.approx((ratio, ratio), rel=1e-3)
    # at one size, six N a token
    assert one.tokens_times == one.times and one.tokens_high == one.high
    assert not one.never and one.until is None


def test_an_error_that_both_arms_have_cancels(worth):
    # both curves shifted by the same: the compute at which they are equal stays
    common = list(np.linspace(-0.05, 0.05, 20))
    [one] = worth({"a": power(1.8), "b": power()}, {"a": common, "b": common})
    assert one.low == pytest.approx(1.8, rel=1e-3) == one.high
    [apart] = worth({"a": power(1.8), "b": power()}, {"a": common, "b": common[::-1]})
    assert apart.low < 1.4 and apart.high > 2.4


def test_the_interval_is_that_of_the_draws(worth):
    # in draw s the best arm is worse by s, so the baseline is at s more sooner
    steps = np.linspace(-0.02, 0.02, 11)
    [one] = worth(
        {"a": power(1.8), "b": power()}, {"a": steps, "b": 0 * steps}, level=0.8
    )
    value = (1.8 * TARGET / 1e6) ** -0.3 + steps
    times = value ** (-1 / 0.3) * 1e6 / TARGET
    assert one.low == pytest.approx(times[9], rel=1e-3)
    assert one.high == pytest.approx(times[1], rel=1e-3)


def test_arms_that_cross_are_worth_one_there_and_nothing_above(worth, known_boot):
    # equal at 1e8: the first floors at 2.5, the second falls on
    curves = {
        "a": lambda flops: 2.5 + 0 * flops,
        "b": lambda flops: 2.5 * (flops / 1e8) ** -0.1,
    }
    [at] = worth(curves)
    assert at.times == pytest.approx(1.0, rel=1e-6)
    found = crossovers(
        known_boot(curves, {"a": [0.0] * 20, "b": [0.0] * 20}),
        {"a": {}, "b": {}},
        1e5,
        1e10,
        n_params=1e3,
    )
    earlier = SimpleNamespace(flops=1e7, best="a", second="b", n_params={"a": 1e3})
    boot = known_boot(curves, {"a": [0.0] * 20, "b": [0.0] * 20})
    options = {"baseline": "b", "n_params": 1e3, "found": found}
    [below] = worths(boot, [earlier], {"a": {}, "b": {}}, **options)
    assert below.times == pytest.approx(10.0, rel=1e-3)
    assert below.until.flops == pytest.approx(1e8, rel=1e-3)
    later = SimpleNamespace(flops=1e9, best="b", second="a", n_params={"b": 1e3})
    [above] = worths(boot, [later], {"a": {}, "b": {}}, **options | {"baseline": "a"})
    assert above.until is None


def test_a_baseline_whose_repeats_are_exhausted_never_gets_there(worth):
    [one] = worth({"a": power(floor=1.0), "b": power(floor=2.0)})
    assert (one.times, one.low, one.high, one.never) == (None, 1e4, None, True)
    # it falls on, and arrives at 1e9 times
    slow = {"a": lambda c: 2.0 + 0 * c, "b": lambda c: 2.0 * (c / 1e17) ** -0.1}
    [late] = worth(slow)
    assert (late.times, late.high, late.never) == (None, None, False)


def test_some_draws_that_never_get_there_leave_the_end_open(worth):
    curves = {"a": power(1.8), "b": power()}
    [one] = worth(curves, {"a": [0.0] * 20, "b": [0.0] * 17 + [1.0] * 3})
    assert one.times == pytest.approx(1.8, rel=1e-3) == one.low
    assert one.high is None and not one.never
    # nothing is known where some are at once there and others never
    [open_] = worth(curves, {"a": [9.0] * 3 + [0.0] * 17, "b": [0.0] * 10 + [9.0] * 10})
    assert (open_.low, open_.high) == (None, None)


def test_where_the_baseline_is_best_the_second_is_asked(worth):
    [one] = worth({"a": power(1.8), "b": power()}, baseline="a")
    assert (one.best, one.baseline) == ("a", "b") and one.times > 1.7
    [none] = worth({"a": power(1.8), "b": power()}, baseline=None)
    assert none.baseline == "b"
    assert worth({"a": power()}, second=None, baseline="a") == []


def test_tokens_are_counted_at_the_size_of_the_best_arm(known_boot):
    """Value (N D)^-.1 + N^-.5 at the best N of a range in which the largest is best: the same ratio in tokens."""
    curves = {"a": power(1.8), "b": power()}
    boot = known_boot(curves, {"a": [0.0] * 5, "b": [0.0] * 5})
    one = SimpleNamespace(flops=TARGET, best="a", second="b", n_params={"a": 2e3})
    [found] = worths(
        boot,
        [one],
        {"a": {}, "b": {}},
        baseline="b",
        n_params_range=(1e3, 4e3),
    )
    assert found.tokens_times == pytest.approx(1.8, rel=1e-3)
    unsized = SimpleNamespace(
        flops=TARGET, best="a", second="b", n_params={"a": float("nan")}
    )
    [none] = worths(
        boot, [unsized], {"a": {}, "b": {}}, baseline="b", n_params_range=(1e3, 4e3)
    )
    assert none.tokens_times is None and none.times == pytest.approx(1.8, rel=1e-3)


def test_the_first_descent_counts_where_a_curve_turns():
    times = np.array([1.0, 2.0, 4.0, 8.0])
    turning = np.array([[4.0, 2.0, 1.0, 3.0], [4.0, 4.0, 4.0, 4.0], [1.0, 1, 1, 1]])
    found = first_reached(times, turning, np.array([2.0, 2.0, 2.0]))
    assert found == pytest.approx([2.0, np.inf, 0.0])
