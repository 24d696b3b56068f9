"""Schedules: shapes, the two sums by hand, and the published cost of shared stems."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.schedules.schedule import (
    SHAPES,
    decay_for,
    fall,
    lr_area,
    lr_fall,
    warmup_stable_decay,
    wsd_cost,
)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_decay_falls_to_its_end(shape):
    rates = fall(shape, 500, 3e-4, 3e-5)
    assert (
        rates.size == 500
        and np.all(np.diff(rates) < 0)
        and rates[0] < 3e-4
        and rates[-1] == pytest.approx(3e-5)
    )


def test_warm_up_plateau_and_decay_have_their_lengths():
    lr = warmup_stable_decay(100, 1.0, warmup=10, decay_steps=20)
    assert (
        lr.size == 100
        and lr[9] == 1.0
        and lr[79] == 1.0
        and lr[80] < 1.0
        and lr[-1] == 0.0
    )
    with pytest.raises(InputError, match="do not fit"):
        warmup_stable_decay(10, 1.0, warmup=8, decay_steps=8)
    with pytest.raises(InputError, match="no decay is called 'cliff'"):
        fall("cliff", 5, 1.0, 0.0)


def test_the_two_sums_follow_their_definitions():
    lr = np.concatenate(
        [np.linspace(0.1, 1, 10), np.full(20, 1.0), fall("linear", 30, 1.0, 0.1)]
    )
    momentum, total, expected = 0.0, 0.0, []
    for i, rate in enumerate(lr):
        momentum = 0.9 * momentum + (lr[i - 1] - rate if i >= 10 else 0.0)
        total += momentum
        expected.append(total)
    np.testing.assert_allclose(lr_fall(lr, warmup=10, decay=0.9), expected, atol=1e-12)
    np.testing.assert_allclose(lr_area(lr, [1, 60]), [lr[0], lr.sum()])
    assert np.all(lr_fall(lr, np.arange(1, 31), warmup=10) == 0)


def test_shared_stems_cost_what_was_published(evidence):
    rows = evidence("schedules_flops_plan.csv")
    for model in {row["model"] for row in rows}:
        own = [row for row in rows if row["model"] == model]
        published = float(own[0]["wsd_over_cosine_flops_ratio_for_this_model"])
        assert wsd_cost(
            [float(row["train_flops"]) for row in own], 0.2
        ) == pytest.approx(published, abs=1e-6)


def test_memory_is_the_same_share_of_every_run():
    """S2 of one schedule at two step lengths is the same area, when the decay follows the number of steps."""
    ends = [
        lr_fall(schedule, decay=decay_for(len(schedule)))[-1] / len(schedule)
        for schedule in (
            warmup_stable_decay(n, 1e-3, decay_steps=n // 5) for n in (1200, 24_000)
        )
    ]
    assert decay_for(24_000) == pytest.approx(0.999) and ends[0] == pytest.approx(
        ends[1], rel=0.02
    )
