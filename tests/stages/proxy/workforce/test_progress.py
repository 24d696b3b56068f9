import pytest

from stages.proxy.workforce.cards import limits_of
from stages.proxy.workforce.kinds import Kind, kind_of
from stages.proxy.workforce.planner import packed
from stages.proxy.workforce.probe import Candidate
from stages.proxy.workforce.progress import Progress


class Clock:
    seconds = 100.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def plan(make_spec):
    specs = [make_spec(seed=seed, budgets_tokens=(12_800_000,)) for seed in range(4)]
    return packed(
        specs, {kind_of(specs[0], "cpu"): Kind({Candidate(1): 128e3}, 1)}, n_workers=2
    )


def test_the_time_left_follows_what_is_measured(plan):
    clock = Clock()
    progress = Progress(plan, now=clock)
    assert progress.seconds_left == pytest.approx(200)  # 4 runs of 100 s on 2 workers
    clock.seconds += 100
    for group in plan.groups[:2]:
        progress.report(group, 0.5, 4.0)  # half of what was planned
    assert progress.speed == pytest.approx(0.5, abs=0.02)
    assert progress.seconds_left == pytest.approx((400 - 100) / 2 / 0.5, rel=0.03)
    assert progress.line().startswith("loss 4.000, 128k tokens/s, ")
    assert "left (0.51 times the planned speed)" in progress.line()
    for group in plan.groups:
        progress.report(group, 1.0)
    assert progress.seconds_left == 0
    assert progress.fraction == 1


def test_a_known_card_shows_its_utilisation(plan):
    clock = Clock()
    progress = Progress(plan, limits_of("NVIDIA H100 80GB HBM3").flops, now=clock)
    clock.seconds += 10
    progress.report(plan.groups[0], 1.0)
    expected = 12_800_000 * plan.groups[0][0].shape.flops_per_token / 10 / 989e12
    assert progress.flops_utilisation == pytest.approx(expected)
    assert "MFU 0.0 %" in progress.line()
    assert limits_of("some card") is None
