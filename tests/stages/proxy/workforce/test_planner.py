"""The planner against measured rates that are given, and its arithmetic against brute force."""

from itertools import product

import pytest

from stages.proxy.specs.stack import n_tokens_trained
from stages.proxy.workforce.kinds import Kind, kind_of
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
