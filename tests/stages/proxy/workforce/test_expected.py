"""Expected rates against what was measured on one H200, and what follows from them in a plan that runs nothing."""

import pytest
import torch

from stages.proxy.specs.shape import Shape
from stages.proxy.specs.stack import n_tokens_trained
from stages.proxy.workforce.cards import CARDS
from stages.proxy.workforce.expected import (
    COMPILE_SECONDS,
    START_SECONDS,
    expected_rates,
    saved_by_compiling,
    seconds_saved,
    step_seconds,
)
from stages.proxy.workforce.kinds import Kind, kind_of
from stages.proxy.workforce.planner import group_seconds, packed
from stages.proxy.workforce.probe import Candidate, candidates

H100, H200 = CARDS["H100"], CARDS["H200"]
ONE_M, TEN_M = Shape(192, 2, 3, 512, 4096), Shape(512, 3, 8, 512, 4096)
LARGE = Shape(768, 12, 12, 1024, 50_304)


@pytest.mark.parametrize(
    ("shape", "batch_tokens", "n_runs", "tokens_per_second"),
    [
        (TEN_M, 4096, 64, 4.57e6),
        (TEN_M, 4096, 8, 4.45e6),
        (TEN_M, 4096, 1, 3.26e6),
        (ONE_M, 4096, 64, 19.2e6),
        (ONE_M, 4096, 16, 17.7e6),
        (ONE_M, 4096, 4, 14.1e6),
        (ONE_M, 4096, 1, 7.92e6),
        (LARGE, 65_536, 1, 561e3),
    ],
)
def test_recorded_steps_of_an_h200_are_expected_within_a_tenth(
    shape, batch_tokens, n_runs, tokens_per_second
):
    seconds = step_seconds(shape, batch_tokens, n_runs, H200)
    assert n_runs * batch_tokens / seconds == pytest.approx(tokens_per_second, rel=0.1)


@pytest.mark.parametrize(
    ("shape", "batch_tokens", "n_runs", "seconds"),
    [
        (Shape(48, 2, 1, 128, 512), 512, 1, 0.536e-3),
        (Shape(48, 2, 1, 128, 512), 512, 16, 0.984e-3),
        (Shape(16, 2, 1, 128, 512), 512, 16, 0.867e-3),
        (ONE_M, 4096, 1, 1.40e-3),
        (ONE_M, 4096, 16, 13.2e-3),
    ],
)
def test_plain_steps_of_an_h200_are_expected_within_a_fifth(
    shape, batch_tokens, n_runs, seconds
):
    found = step_seconds(shape, batch_tokens, n_runs, H200, compiled=False)
    assert found == pytest.approx(seconds, rel=0.2)


def test_small_models_gain_most_from_stacking():
    gains = []
    for shape in (Shape.named("6k"), ONE_M, TEN_M):
        rates = expected_rates(shape, 512, [Candidate(1), Candidate(64)], limits=H100)
        gains.append(rates[Candidate(64)] / rates[Candidate(1)])
    assert gains == sorted(gains, reverse=True) and gains[0] > 10 and gains[-1] < 3


def test_fp32_is_slower_than_bfloat16():
    half, full = Candidate(4, 1, "bfloat16"), Candidate(4, 1, "float32")
    rates = expected_rates(TEN_M, 4096, [half, full], limits=H100)
    assert rates[half] > 2 * rates[full]


def plan_of(specs, held_out_tokens=0, n_cards=1):
    kinds = {}
    for spec in specs:
        ways = candidates(spec.shape, "cuda", "auto", largest=1024)
        rates = expected_rates(spec.shape, spec.batch_tokens, ways, limits=H100)
        kinds[kind_of(spec, "cuda")] = Kind(rates, 1024)
    return packed(
        specs,
        kinds,
        n_workers=n_cards,
        device="cuda",
        held_out_tokens=held_out_tokens,
        limits=H100,
    )


def test_a_plan_for_a_card_compiles_nothing_and_says_why(make_spec, monkeypatch):
    def never(*_arguments, **_options):
        raise AssertionError("compiled while planning")

    monkeypatch.setattr(torch, "compile", never)
    plan = plan_of([make_spec(seed=seed) for seed in range(33)])
    assert not plan.compiled
    [first, why] = plan.lines()
    assert "33 runs" in first and "one process on the GPU" in first
    assert "tokens/s expected by stack" in why
    assert "recorded as written: compiling would cost about 1" in why


def test_a_plan_counts_what_a_start_plain_steps_and_compiling_take(make_spec):
    """By hand: the first group starts the process; a kind that is compiled pays for it once, others run plain steps."""
    small = [make_spec(seed=seed) for seed in range(40)]
    large = [
        make_spec(
            shape=TEN_M, batch_tokens=4096, budgets_tokens=(81_920_000,), seed=seed
        )
        for seed in range(2)
    ]
    plan = plan_of(small + large)
    kinds = {kind_of(spec, "cuda"): spec for spec in (small[0], large[0])}
    assert plan.compiled == {kind_of(large[0], "cuda")}
    rates = {
        kind: expected_rates(
            spec.shape,
            spec.batch_tokens,
            candidates(spec.shape, "cuda", "auto", largest=1024),
            limits=H100,
        )
        for kind, spec in kinds.items()
    }
    at_rates = sum(
        group_seconds(group, rates[kind], plan.chosen[kind])
        for group in plan.groups
        for kind in [kind_of(group[0], "cuda")]
    )
    plain = sum(
        seconds_saved(
            group[0].shape,
            group[0].batch_tokens,
            len(group),
            n_tokens_trained(group[0]) // group[0].batch_tokens,
            H100,
        )
        for group in plan.groups
        if kind_of(group[0], "cuda") not in plan.compiled
    )
    beside = START_SECONDS + COMPILE_SECONDS + plain
    assert plan.seconds == pytest.approx(at_rates + beside)


def test_every_card_starts_a_process_and_compiles_for_itself(make_spec):
    """Of two cards each has one large run, whose programs are worth compiling twice."""
    specs = [
        make_spec(
            shape=TEN_M, batch_tokens=4096, budgets_tokens=(81_920_000,), seed=seed
        )
        for seed in range(2)
    ]
    plan = plan_of(specs, n_cards=2)
    assert [len(group) for group in plan.groups] == [1, 1] and plan.compiled
    ways = candidates(TEN_M, "cuda", "auto", largest=1)
    [rate] = expected_rates(TEN_M, 4096, ways, limits=H100).values()
    each = n_tokens_trained(specs[0]) / rate + START_SECONDS + COMPILE_SECONDS
    assert plan.group_seconds == [pytest.approx(each)] * 2
    assert plan.seconds == pytest.approx(each)


def test_a_program_saves_what_it_saves_less_compiling_on_each_card_that_trains_it(
    make_spec,
):
    """Eight groups: on sixteen cards it is compiled eight times."""
    specs = [
        make_spec(shape=TEN_M, batch_tokens=4096, budgets_tokens=(40_960_000,), seed=n)
        for n in range(8)
    ]
    groups = [[spec] for spec in specs]
    kind = kind_of(specs[0], "cuda")
    gains = {n: saved_by_compiling(groups, H100, n)[kind] for n in (1, 4, 16)}
    assert gains[1] - gains[4] == pytest.approx(3 * COMPILE_SECONDS)
    assert gains[4] - gains[16] == pytest.approx(4 * COMPILE_SECONDS)


def test_experts_are_never_said_to_be_compiled(make_spec):
    shape = TEN_M.with_experts(4, 1)
    plan = plan_of(
        [make_spec(shape=shape, batch_tokens=4096, budgets_tokens=(81_920_000,))]
    )
    assert not plan.compiled and "compil" not in plan.lines()[1]
    assert (
        "experts are started step by step, which these rates do not" in plan.lines()[1]
    )


def test_long_runs_of_large_models_are_compiled(make_spec):
    spec = make_spec(shape=LARGE, batch_tokens=65_536, budgets_tokens=(2_500_001_792,))
    plan = plan_of([spec])
    assert plan.compiled == {kind_of(spec, "cuda")}
    assert "compiled, which saves about" in plan.lines()[1]


def test_no_run_is_left_over_alone(make_spec):
    """It would be a program of its own: 33 runs in stacks of 32 are 17 and 16."""
    specs = [make_spec(seed=seed) for seed in range(33)]
    kind = kind_of(specs[0], "cuda")
    rates = {Candidate(1, 1, "bfloat16"): 1.0, Candidate(32, 1, "bfloat16"): 30.0}
    plan = packed(
        specs, {kind: Kind(rates, 32)}, n_workers=1, device="cuda", limits=H100
    )
    assert sorted(map(len, plan.groups)) == [16, 17]
