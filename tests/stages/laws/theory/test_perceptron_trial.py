"""The simulated perceptron: an exact student, and errors where the theory says they are."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.theory.perceptron import saddle
from stages.laws.theory.perceptron_trial import SIDES, max_margin, trial, trials


def test_the_student_is_the_one_with_the_largest_margin():
    random = np.random.default_rng(0)
    inputs = random.standard_normal((60, 8))
    signed = inputs * np.sign(inputs[:, :1])
    student = max_margin(signed)
    margins = signed @ student
    assert (
        np.linalg.norm(student) == pytest.approx(1)
        and (margins < margins.min() * (1 + 1e-6)).sum() >= 2
    )
    others = student + 0.02 * random.standard_normal((3000, 8))
    assert (signed @ (others / np.linalg.norm(others, axis=1, keepdims=True)).T).min(
        axis=0
    ).max() <= margins.min() + 1e-9
    with pytest.raises(InputError, match="cannot be separated"):
        max_margin(np.array([[1.0, 0.0], [-1.0, 0.0]]))


@pytest.mark.parametrize(
    ("pool_alpha", "keep", "side"),
    [
        (1, 1, "hard"),
        (1, 0.5, "hard"),
        (1, 0.5, "easy"),
        (2, 0.5, "easy"),
        (4, 0.5, "hard"),
    ],
)
def test_simulated_errors_are_those_of_the_theory(pool_alpha, keep, side):
    found = trials(pool_alpha, keep, side, 24, dimension=120)
    assert found.error == pytest.approx(
        saddle(keep * pool_alpha, keep, hard=side == "hard").error, rel=0.07
    )


def test_easy_beats_hard_in_a_small_pool_and_loses_in_a_large_one_on_the_same_pools():
    small = [
        trial(1, 0.5, side, dimension=80, seed=seed)
        for side in ("easy", "hard")
        for seed in range(4)
    ]
    large = [
        trial(8, 0.5, side, dimension=80, seed=seed)
        for side in ("easy", "hard")
        for seed in range(8)
    ]
    assert np.mean(small[:4]) < np.mean(small[4:]) - 0.05
    assert np.mean(large[:8]) > np.mean(large[8:])


def test_a_probe_at_an_angle_prunes_worse_and_random_is_a_smaller_pool():
    assert (
        trials(6, 0.4, "hard", 6, dimension=80).error
        < trials(6, 0.4, "hard", 6, dimension=80, theta_degrees=40).error
    )
    assert trials(4, 0.5, "random", 12).error == pytest.approx(
        saddle(2.0).error, rel=0.07
    )


def test_what_cannot_be_drawn_is_named():
    with pytest.raises(InputError, match=f"sides are {', '.join(SIDES)}"):
        trial(1, 0.5, "best")
    with pytest.raises(InputError, match="cannot keep 1.5"):
        trial(1, 1.5, "hard")
