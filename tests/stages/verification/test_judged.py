"""Runs inside and outside of their intervals, leads as said and not, all known by hand."""

import numpy as np
import polars as pl
import pytest

from stages.verification.judged import Claim, judge, said_at

FLOPS = {2e9: 2_000, 8e9: 8_000}
# arm -> (value at 2e9, at 8e9)
PREDICTED = {"a": (4.0, 3.8), "b": (4.1, 4.0), "c": (4.3, 4.2)}
OFFSETS = np.linspace(-0.1, 0.1, 101)  # 90 % of the draws lie within .09


class Known:
    """Each draw is the prediction plus an offset that all arms share, and noise of the row's own."""

    def __init__(self, noise=0.0):
        self.noise = noise

    def point(self, rows):
        places = [list(FLOPS).index(flops) for flops in rows["flops"]]
        return np.array(
            [
                PREDICTED[arm][place]
                for arm, place in zip(rows["arm"], places, strict=True)
            ]
        )

    def new_runs(self, rows):
        n_rows = len(rows["flops"])
        noise = np.random.default_rng(0).normal(0, self.noise, (len(OFFSETS), n_rows))
        return self.point(rows) + OFFSETS[:, None] + noise


def claim(noise=0.0):
    return Claim(
        prediction=Known(noise),
        columns={arm: {"n_tokens_unique": 500.0} for arm in PREDICTED},
        n_params=10,
        reach=1e9,
        level=0.9,
    )


def measured(rows):
    """rows: arm, FLOPs, resample, value."""
    return pl.DataFrame(
        [
            {
                "run_id": f"{arm}-{draw}-{flops:g}",
                "arm": arm,
                "flops": flops,
                "n_tokens_seen": FLOPS[flops],
                "epochs": FLOPS[flops] / 500,
                "pool_draw": draw,
                "weight_decay": 1.0,
                "dropout": 0.1,
                "value": value,
            }
            for arm, flops, draw, value in rows
        ]
    )


def test_a_run_is_inside_its_interval_or_not():
    table = measured([("a", 2e9, 0, 4.08), ("b", 2e9, 0, 4.2), ("a", 8e9, 0, 3.5)])
    found = judge(claim(), table, [])
    assert [(run.arm, run.inside) for run in found.runs] == [
        ("a", True),
        ("b", False),
        ("a", False),
    ]
    first, _, last = found.runs
    assert (first.predicted, first.low, first.high) == pytest.approx((4.0, 3.91, 4.09))
    assert (first.times, last.times, last.epochs) == (2.0, 8.0, 16.0)
    assert (first.run_id, first.weight_decay) == ("a-0-2e+09", 1.0)


def test_the_lead_of_the_best_over_every_other_arm_is_judged_by_its_own_interval():
    table = measured([("a", 2e9, 0, 4.0), ("b", 2e9, 0, 4.1), ("c", 2e9, 0, 4.0)])
    near, far = judge(claim(), table, []).leads
    assert (near.arm, near.against, near.inside) == ("a", "b", True)
    assert (near.predicted, near.measured) == pytest.approx((-0.1, -0.1))
    # the offset that all share cancels: the interval has no width
    assert (near.low, near.high) == pytest.approx((-0.1, -0.1))
    assert (far.against, far.measured, far.inside) == ("c", 0.0, False)
    assert far.run_ids == ["a-0-2e+09", "c-0-2e+09"]


def test_the_noise_of_two_runs_does_not_cancel():
    table = measured([("a", 2e9, 0, 4.0), ("b", 2e9, 0, 4.1)])
    [lead] = judge(claim(noise=0.1), table, []).leads
    # two runs: sqrt(2) times .1, of which 90 % lie within 1.645
    assert lead.high - lead.low == pytest.approx(2 * 1.645 * 0.1 * 2**0.5, rel=0.25)


def test_a_lead_is_the_mean_over_the_resamples_that_both_arms_have():
    table = measured(
        [
            ("a", 2e9, 0, 4.0),
            ("a", 2e9, 1, 4.2),
            ("a", 2e9, 2, 9.0),
            ("b", 2e9, 0, 4.3),
            ("b", 2e9, 1, 4.3),
        ]
    )
    [lead] = judge(claim(), table, []).leads
    assert lead.measured == pytest.approx((-0.3 - 0.1) / 2)
    assert len(lead.run_ids) == 4


def test_arms_without_a_common_resample_have_no_lead():
    table = measured([("a", 2e9, 0, 4.0), ("b", 2e9, 1, 4.1)])
    assert judge(claim(), table, []).leads == []


@pytest.mark.parametrize(
    ("value_of_b", "status", "right"),
    [
        (4.1, "decided", True),
        (3.9, "decided", False),
        (3.9, "extrapolating", None),
        (4.1, "tie", None),
    ],
)
def test_a_decided_budget_is_right_or_wrong_and_another_neither(
    target, value_of_b, status, right
):
    table = measured([("a", 2e9, 0, 4.0), ("b", 2e9, 0, value_of_b)])
    [verdict] = judge(claim(), table, [target(flops=2e9, status=status)]).verdicts
    assert (verdict.status, verdict.right) == (status, right)
    assert verdict.best == "a"
    assert verdict.measured_best == ("b" if value_of_b < 4 else "a")


def test_leads_are_of_the_arm_that_the_decision_named(target):
    table = measured([("a", 2e9, 0, 4.0), ("b", 2e9, 0, 4.1)])
    said = target(flops=2e9, best="b", second="a")
    [lead] = judge(claim(), table, [said]).leads
    assert (lead.arm, lead.against) == ("b", "a")
    assert (lead.predicted, lead.measured) == pytest.approx((0.1, 0.1))


def test_nothing_is_said_of_a_budget_that_is_no_target_or_an_arm_not_trained(target):
    table = measured([("b", 2e9, 0, 4.1), ("c", 2e9, 0, 4.3), ("b", 8e9, 0, 4.0)])
    assert judge(claim(), table, [target(flops=2e9)]).verdicts == []
    assert said_at([target(flops=2e9)], 2.001e9).flops == 2e9
    assert said_at([target(flops=2e9)], 2.1e9) is None


def test_without_runs_there_is_nothing_to_judge():
    found = judge(claim(), measured([]), [])
    assert (found.runs, found.leads, found.verdicts) == ([], [], [])
