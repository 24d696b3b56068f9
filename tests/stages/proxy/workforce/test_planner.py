"""The planner against measured rates that are given, and its arithmetic against brute force."""

from itertools import product

import pytest

from stages.proxy.specs.stack import n_tokens_trained
from stages.proxy.workforce import planner
from stages.proxy.workforce.kinds import CONTEXT_BYTES, Kind, group_bytes, kind_of
from stages.proxy.workforce.planner import fastest, makespan, packed, spoken
from stages.proxy.workforce.probe import Candidate

RATES = {
    Candidate(1): 100e3,
    Candidate(2): 150e3,
    Candidate(4): 200e3,
    Candidate(8): 205e3,
}


def test_the_smallest_stack_near_the_best_is_taken():
    assert fastest(RATES) == Candidate(4)
    assert fastest({Candidate(1): 100e3, Candidate(8): 103e3}) == Candidate(1)


def test_a_stack_never_exceeds_the_runs_there_are(make_spec):
    plan = plan_of([make_spec(seed=seed) for seed in range(2)], 1)
    assert plan.lines()[1].startswith("stack 2 (1.50 times one run)")


def test_bfloat16_and_threads_must_gain_clearly():
    half, threads = Candidate(1, 1, "bfloat16"), Candidate(1, 4)
    assert fastest({Candidate(1): 100, half: 120, threads: 110}) == Candidate(1)
    assert fastest({Candidate(1): 100, half: 130}) == half
    assert fastest({Candidate(1): 100, threads: 120}) == threads
    assert fastest({half: 90}) == half


def plan_of(specs, n_workers, rates=None, **options):
    kinds = {kind_of(spec, "cpu"): Kind(rates or RATES, 8) for spec in specs}
    return packed(specs, kinds, n_workers=n_workers, **options)


def test_every_run_is_in_one_group_and_time_and_cost_add_up(make_spec):
    specs = [make_spec(seed=seed) for seed in range(8)]
    plan = plan_of(specs, 1, held_out_tokens=300)
    assert sorted(spec.seed for group in plan.groups for spec in group) == list(
        range(8)
    )
    tokens = n_tokens_trained(specs[0]) + 300 / 3 * 3
    assert sum(plan.group_seconds) == pytest.approx(8 * tokens / 200e3)
    assert plan.flops == 8 * n_tokens_trained(specs[0]) * specs[0].shape.flops_per_token
    first, why = plan.lines()
    assert first.startswith("8 runs in 2 groups on 1 workers: about 0 s, ")
    assert "core-hours" in first
    assert why.startswith(
        "stack 4 (2.00 times one run) for d16 x 2 vocabulary 64 batch 128 x 32;"
        " tokens/s by stack 1: 100k, 2: 150k"
    )


def test_smaller_stacks_keep_workers_busy_at_the_end(make_spec):
    """Four runs on two workers: one group of 4 would leave a worker idle."""
    plan = plan_of([make_spec(seed=seed) for seed in range(4)], 2)
    assert [len(group) for group in plan.groups] == [2, 2]
    assert "4 would leave workers idle at the end" in plan.lines()[1]


def test_what_is_left_keeps_its_groups_and_its_share_of_the_time(make_spec):
    plan = plan_of([make_spec(seed=seed) for seed in range(8)], 1)
    done = {spec.seed for spec in plan.groups[0][:1]} | {
        spec.seed for spec in plan.groups[1]
    }
    assert plan.without(
        done, lambda spec: spec.seed, begun=lambda group: True
    ).groups == [plan.groups[0]]
    left = plan.without(done, lambda spec: spec.seed)
    assert left.groups == [plan.groups[0][1:]]
    assert left.group_seconds == [pytest.approx(0.75 * plan.group_seconds[0])]
    assert left.busy_seconds == pytest.approx(3 / 8 * plan.busy_seconds)


def test_what_is_left_takes_as_long_as_its_longest_worker(make_spec):
    """One group of four on two workers takes all of its time, not a quarter of the whole."""
    plan = plan_of([make_spec(seed=seed) for seed in range(16)], 2)
    assert len(plan.groups) == 4
    [left, *gone] = plan.groups
    done = {spec.seed for group in gone for spec in group}
    rest = plan.without(done, lambda spec: spec.seed)
    assert rest.groups == [left] and rest.n_workers == 1
    assert rest.seconds == plan.group_seconds[0] == plan.seconds / 2
    assert rest.n_bytes == plan.n_bytes / 2


def on_cards(specs, n_cards, **options):
    """A plan for GPUs from rates that are given, without what a start and compiling take."""
    rates = {Candidate(1, 1, "bfloat16"): 100e3, Candidate(2, 1, "bfloat16"): 150e3}
    kinds = {kind_of(spec, "cuda"): Kind(rates, 2) for spec in specs}
    return packed(specs, kinds, n_workers=n_cards, device="cuda", **options)


def test_a_plan_for_cards_is_their_layout_done_by_hand(make_spec):
    """Six runs in pairs: three groups on two cards, of which one takes two, one after the other."""
    specs = [make_spec(seed=seed) for seed in range(6)]
    pair_s = 2 * n_tokens_trained(specs[0]) / 150e3
    pair_bytes = group_bytes(specs[:2], "cuda")
    one, two, shared = (
        on_cards(specs, 1),
        on_cards(specs, 2),
        on_cards(specs, 1, per_card=2),
    )
    assert one.lines()[0].startswith("6 runs in 3 groups on one process on the GPU")
    assert one.seconds == pytest.approx(3 * pair_s) and one.n_bytes == pair_bytes
    assert two.lines()[0].startswith("6 runs in 3 groups on 2 processes on 2 cards")
    assert two.seconds == pytest.approx(2 * pair_s)
    assert two.n_bytes == 2 * (pair_bytes + CONTEXT_BYTES)
    assert two.busy_seconds == pytest.approx(3 * pair_s)
    # they take turns, so it is not expected to take less
    assert shared.lines()[0].startswith("6 runs in 3 groups on 2 processes on one card")
    assert shared.seconds == one.seconds and shared.n_bytes == two.n_bytes
    both = on_cards(specs, 2, per_card=2)
    assert "3 processes on 2 cards" in both.lines()[0]


def test_a_sweep_is_packed_for_the_cards_that_there_are_not_for_those_that_are_free(
    make_spec,
):
    """Four runs, four cards: singles, though one card alone would stack them."""
    specs = [make_spec(seed=seed) for seed in range(4)]
    assert [len(group) for group in on_cards(specs, 1).groups] == [2, 2]
    held = {n: on_cards(specs, 4, n_held=n) for n in (1, 3, 4)}
    assert all(len(group) == 1 for plan in held.values() for group in plan.groups)
    assert held[1].groups == held[3].groups == held[4].groups
    single_s = n_tokens_trained(specs[0]) / 100e3
    assert {n: plan.seconds / single_s for n, plan in held.items()} == {
        1: pytest.approx(4),
        3: pytest.approx(2),
        4: pytest.approx(1),
    }
    assert "3 processes on 3 cards" in held[3].lines()[0]
    assert "2 would leave cards idle at the end" in held[4].lines()[1]


def test_what_is_left_uses_no_more_cards_than_it_has_groups(make_spec):
    plan = on_cards([make_spec(seed=seed) for seed in range(4)], 4, per_card=2)
    left = plan.without({0, 1, 2}, lambda spec: spec.seed)
    assert (left.n_workers, left.n_cards) == (1, 1)
    assert left.seconds == pytest.approx(plan.seconds)


def test_large_runs_take_all_cards_then_the_small_ones_are_spread(
    make_spec, monkeypatch
):
    monkeypatch.setattr(planner, "is_large", lambda spec: spec.budgets_tokens[0] > 1280)
    small = [make_spec(seed=seed, budgets_tokens=(1280,)) for seed in range(4)]
    large = make_spec(seed=9, budgets_tokens=(128_000,))
    plan = on_cards([*small, large], 2)
    assert plan.seconds == pytest.approx(
        128_000 / 100e3 / 2 + 2 * n_tokens_trained(small[0]) / 150e3
    )
    assert "2 processes on 2 cards" in plan.lines()[0]
    left = plan.without({0, 1, 2, 3}, lambda spec: spec.seed)
    assert left.n_cards == 2 and left.seconds == pytest.approx(128_000 / 100e3 / 2)


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_makespan_is_close_to_the_best_assignment(n_workers):
    seconds = [5, 4, 3, 3, 2, 1]
    best = min(
        max(
            sum(s for s, w in zip(seconds, who, strict=True) if w == worker)
            for worker in range(n_workers)
        )
        for who in product(range(n_workers), repeat=len(seconds))
    )
    assert best <= makespan(seconds, n_workers) <= 4 / 3 * best


def test_seconds_for_a_person():
    assert [spoken(s) for s in (41, 300, 3700)] == ["41 s", "5 min", "1 h 01 min"]
