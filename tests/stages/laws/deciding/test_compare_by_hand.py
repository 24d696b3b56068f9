"""Decisions on draws whose answer is known by hand: every status, every number, every reason."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.deciding.compare import (
    NEXT_LAW,
    OWN_EXPONENTS,
    compare,
    paired_differences,
    smallest_detectable_effect,
)

BUDGET = 1e9


def flat(value):
    return lambda flops: value + 0 * flops


@pytest.fixture
def boot(known_boot):
    """boot(values, offsets, measured_to): arms with a constant value and known draws."""

    def made(values, offsets, measured_to=BUDGET):
        curves = {arm: flat(value) for arm, value in values.items()}
        return known_boot(curves, offsets, measured_to)

    return made


def decide(boot, arms="ab", **options):
    columns = {arm: {} for arm in arms}
    options = {"n_params": 1e3, "tolerance": 0.01, "smallest_effect": 0.1} | options
    return compare(boot, [BUDGET], columns, **options)[0]


@pytest.fixture
def clear(boot):
    """a at 3, b at 4: a is best in 9 draws of 10, in the last b is 1 below it."""
    zeros = [0.0] * 9
    return boot({"a": 3.0, "b": 4.0}, {"a": [*zeros, 1.0], "b": [*zeros, -1.0]})


def test_the_numbers_of_a_budget_are_those_of_the_draws(boot):
    steps = np.arange(-5, 6) / 10
    found = decide(
        boot({"a": 3.0, "b": 4.0, "c": 9.0}, {"a": steps, "b": 3 * steps, "c": steps}),
        arms="abc",
        level=0.8,
    )
    assert (found.best, found.second, found.flops) == ("a", "b", BUDGET)
    assert found.values["a"] == pytest.approx((3.0, 2.6, 3.4))
    assert found.values["b"] == pytest.approx((4.0, 2.8, 5.2))
    # in draw s: (3 + s) - (4 + 3 s) = -1 - 2 s
    assert found.lead == pytest.approx((-1.0, -1.8, -0.2))
    # b is below a where 1 + 2 s < 0, which none of the draws is; at s = -.5 they are equal
    assert found.p_best == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert found.regret["b"] == pytest.approx(np.mean(1 + 2 * steps))
    assert found.regret["a"] == pytest.approx(0.0)
    assert found.n_params == {"a": 1e3, "b": 1e3, "c": 1e3}
    assert found.n_tokens["b"] == pytest.approx(BUDGET / 6 / 1e3)
    assert (found.tolerance, found.smallest_detectable_effect) == (0.01, 0.1)
    assert found.runner_up_best is None and found.p_best_rivals == {}


def test_regret_and_chances_count_the_draws_in_which_an_arm_loses(clear):
    found = decide(clear)
    assert found.p_best == pytest.approx({"a": 0.9, "b": 0.1})
    # a at 4 and b at 3 in the last draw, a at 3 and b at 4 in the others
    assert found.regret == pytest.approx({"a": 0.1, "b": 0.9})


def test_a_clear_lead_is_decided_with_its_reason(clear):
    found = decide(clear)
    assert found.status == "decided"
    assert found.reason == (
        "a is best in 90% of the draws and leads b by 1, more than the 0.1 that equal"
        " arms differ by here"
    )


def test_best_in_too_few_draws_is_insufficient_evidence(clear):
    found = decide(clear, decide_at=0.95)
    assert found.status == "insufficient_evidence"
    assert found.reason == "a is best in 90% of the draws, less than 95%"


def test_without_a_control_half_of_the_doubt_is_allowed(clear, boot):
    found = decide(clear, smallest_effect=None)
    assert found.status == "insufficient_evidence"
    assert found.reason == "a is best in 90% of the draws, less than 95%"
    sure = boot({"a": 3.0, "b": 4.0}, {"a": [0.0] * 20, "b": [0.0] * 19 + [-2.0]})
    found = decide(sure, smallest_effect=None)
    assert found.status == "decided"
    assert found.reason == (
        "a is best in 95% of the draws and leads b by 1; no control arm says what lead"
        " is real"
    )


def test_a_lead_that_equal_arms_show_is_insufficient_evidence(clear):
    for effect in (1.0, 1.5):
        found = decide(clear, smallest_effect=effect)
        assert found.status == "insufficient_evidence"
    assert found.reason == (
        "a leads by 1, not more than the 1.5 that equal arms differ by here"
    )
    assert decide(clear, smallest_effect=0.99).status == "decided"


def tied(boot, low, high):
    """a and b equal, their difference from `low` to `high` in the draws."""
    return boot({"a": 3.0, "b": 3.001}, {"a": [low, high], "b": [0.001 - 0.002, 0.0]})


def test_a_lead_surely_inside_the_tolerance_is_a_tie(boot):
    steps = np.arange(-5, 6) / 1000
    near = boot({"a": 3.0, "b": 3.001}, {"a": steps, "b": 0 * steps})
    found = decide(near, level=0.8)
    assert found.status == "tie"
    assert found.reason == (
        "a and b differ by -0.001 [-0.005, 0.003], inside the tolerance of 0.01"
    )
    # either end outside the tolerance, and it is none
    assert decide(near, level=0.8, tolerance=0.0049).status != "tie"
    right = boot({"a": 3.0, "b": 3.001}, {"a": 0.006 + steps, "b": 0 * steps})
    assert decide(right, level=0.8, tolerance=0.0095).status == "tie"
    assert decide(right, level=0.8, tolerance=0.0085).status != "tie"


def test_the_tolerance_defaults_to_the_chance_lead_then_to_a_share_of_the_value(boot):
    even = boot({"a": 4.0, "b": 4.01}, {"a": [0.0, 0.0], "b": [0.0, 0.0]})
    found = decide(even, tolerance=None, smallest_effect=0.3)
    assert found.tolerance == 0.3 and found.status == "tie"
    found = decide(even, tolerance=None, smallest_effect=None)
    assert found.tolerance == pytest.approx(0.02) and found.status == "tie"


def test_a_budget_too_far_above_the_runs_is_extrapolating(boot):
    far = boot({"a": 3.0, "b": 4.0}, {"a": [0.0], "b": [0.0]}, measured_to=BUDGET / 100)
    found = decide(far, max_decades=1.5)
    assert found.status == "extrapolating"
    assert found.extrapolation_decades == pytest.approx(2.0)
    assert found.reason == (
        "the budget is 2.0 decades above the largest measured run, more than 1.5"
    )
    assert decide(far, max_decades=2.0).status == "decided"
    # the default is one decade
    assert decide(far).status == "extrapolating"


def test_a_single_arm_decides_nothing(boot):
    found = decide(boot({"a": 3.0}, {"a": [0.0, 1.0]}), arms="a")
    assert found.status == "insufficient_evidence" and found.second is None
    assert found.reason == "a is the only arm" and found.lead == (0.0, 0.0, 0.0)


def test_a_rival_law_that_names_another_arm_makes_it_an_extrapolation(clear, boot):
    other = boot({"a": 4.0, "b": 3.0}, {"a": [0.0], "b": [0.0]})
    found = decide(clear, runner_up=other)
    assert found.status == "extrapolating" and found.runner_up_best == "b"
    assert found.reason == "a leads under this law but b under the next-best law"
    assert found.p_best_rivals == {NEXT_LAW: 0.0}
    found = decide(clear, own_exponents=other)
    assert found.status == "extrapolating" and found.runner_up_best is None
    assert found.reason.endswith("but b under exponents of their own by arm")
    assert found.p_best_rivals == {OWN_EXPONENTS: 0.0}


def test_a_rival_law_that_doubts_makes_it_insufficient(clear, boot):
    doubt = boot({"a": 3.0, "b": 4.0}, {"a": [0.0] * 5, "b": [0.0] * 4 + [-2.0]})
    found = decide(clear, runner_up=doubt)
    assert found.status == "insufficient_evidence" and found.runner_up_best == "a"
    assert found.reason == (
        "a is best in only 80% of the draws under the next-best law, less than 90%"
    )
    assert found.p_best_rivals == pytest.approx({NEXT_LAW: 0.8})
    assert decide(clear, runner_up=doubt, decide_at=0.8).status == "decided"


def test_a_rival_that_agrees_in_every_draw_changes_nothing(clear, boot):
    same = boot({"a": 3.0, "b": 4.0}, {"a": [0.0] * 3, "b": [0.0] * 3})
    found = decide(clear, runner_up=same, own_exponents=same)
    assert found.status == "decided" and found.runner_up_best == "a"
    assert found.p_best_rivals == {NEXT_LAW: 1.0, OWN_EXPONENTS: 1.0}


def test_several_budgets_are_decided_each_for_itself(known_boot):
    boot = known_boot(
        {"a": flat(3.0), "b": lambda flops: 3.5 - np.log10(flops / 1e8)},
        {"a": [0.0] * 3, "b": [0.0] * 3},
    )
    options = {"n_params": 1e3, "smallest_effect": 0.1}
    found = compare(boot, [1e8, 1e9], {"a": {}, "b": {}}, **options)
    assert [d.best for d in found] == ["a", "b"]
    assert [d.extrapolation_decades for d in found] == pytest.approx([-1.0, 0.0])
    assert found[1].lead[0] == pytest.approx(-0.5)


ROWS = {
    "arm": np.array(["x", "x", "y", "y", "y", "x", "z"]),
    "n_params": np.array([1.0, 2.0, 1.0, 2.0, 2.0, 3.0, 1.0]),
    "n_tokens_seen": np.full(7, 10.0),
    "value": np.array([5.0, 7.0, 4.0, 3.0, 5.0, 9.0, 1.0]),
}


def test_paired_differences_are_arm_less_control_by_cell_with_repeats_averaged():
    # sizes 1 and 2 are shared: 5 - 4 and 7 - mean(3, 5)
    assert paired_differences(ROWS, "x", "y").tolist() == [1.0, 3.0]
    assert paired_differences(ROWS, "y", "x").tolist() == [-1.0, -3.0]
    named = {**ROWS, "data": ROWS["arm"]}
    del named["arm"]
    assert paired_differences(named, "x", "y", arm_column="data").tolist() == [1, 3]
    assert paired_differences(ROWS, "x", "y", on=("n_tokens_seen",)).tolist() == [
        pytest.approx(7.0 - 4.0)
    ]


def test_paired_differences_need_a_shared_cell():
    apart = {name: column[[0, 3]] for name, column in ROWS.items()}
    with pytest.raises(
        InputError,
        match="no run of 'x' agrees with a run of 'y' in n_params, n_tokens_seen,"
        " pool_draw; train them on the same design",
    ):
        paired_differences(apart, "x", "y")


def test_the_smallest_detectable_effect_follows_students_t():
    # sd 2, four pairs: error 1; t(.975, 3) = 3.182446, t(.9, 3) = 1.637744
    found = smallest_detectable_effect(np.array([-1.0, 3.0, 1.0, 1.0]) * np.sqrt(1.5))
    assert found.sd == pytest.approx(2.0) and found.n_pairs == 4
    assert found.half_width == pytest.approx(3.182446, abs=1e-5)
    assert found.effect == pytest.approx(3.182446 + 1.637744, abs=1e-5)
    more = smallest_detectable_effect(
        np.array([-1.0, 3.0, 1.0, 1.0]) * np.sqrt(1.5), n_pairs=16, alpha=0.1, power=0.8
    )
    # t(.95, 3) = 2.353363, t(.8, 3) = .978472, error 1 / 2
    assert more.half_width == pytest.approx(2.353363 / 2, abs=1e-5)
    assert more.effect == pytest.approx((2.353363 + 0.978472) / 2, abs=1e-5)
    assert more.n_pairs == 16


def test_two_pairs_are_the_least():
    assert smallest_detectable_effect([1.0, 3.0]).sd == pytest.approx(np.sqrt(2))
    with pytest.raises(InputError, match="^1 control pair says nothing about chance"):
        smallest_detectable_effect(np.array([1.0]))


def test_a_reason_never_rounds_onto_the_bound_that_it_speaks_of(boot):
    """`1.0 decades above, more than 1` and `best in 100% of the draws` of 199 in 200 are not true."""
    just = boot(
        {"a": 3.0, "b": 4.0}, {"a": [0.0], "b": [0.0]}, measured_to=BUDGET / 10.023
    )
    assert "1.001 decades above" in decide(just, max_decades=1.0).reason

    def best_in(wins, draws):
        lost = [0.0] * wins + [1.0] * (draws - wins)
        return boot({"a": 3.0, "b": 4.0}, {"a": lost, "b": [-x for x in lost]})

    assert decide(best_in(199, 200)).reason.startswith("a is best in 99.5% of")
    assert decide(best_in(200, 200)).reason.startswith("a is best in 100% of")
    under = decide(best_in(947, 1000), smallest_effect=None)
    assert under.reason == "a is best in 94.7% of the draws, less than 95%"
