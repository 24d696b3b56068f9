import numpy as np
import pytest

from stages.proxy.training.record import diverged


def falling(n_steps=300):
    return (
        6 * np.exp(-np.arange(n_steps) / 80)
        + 2
        + np.random.default_rng(0).normal(0, 0.15, n_steps)
    )


def spiked(losses, first, stop):
    losses[first:stop] += 3
    return losses


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (falling(), False),
        (np.append(falling(), np.nan), True),
        (np.append(falling(), np.inf), True),
        (spiked(falling(), 260, 300), True),
        (spiked(falling(), 100, 105), False),
        (np.array([4.0, 3.9]), False),
    ],
)
def test_a_run_that_ends_above_its_best_or_is_not_finite_has_diverged(losses, expected):
    assert diverged(losses) is expected
