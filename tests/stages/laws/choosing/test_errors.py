"""What the mean of laws is off by: an arm that goes its own way widens its own errors, not those of all."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.choosing.choose import choose_law
from stages.laws.choosing.discrepancy import SHARED, Spread
from stages.laws.choosing.errors import _apart, between, weighted_mean

NOTHING = np.zeros(4)


def table(bend=0.0, arms=("a", "b")):
    """Runs of a known law on a grid; values of arm a rise by bend a log of tokens beyond the middle."""
    arm, n_params, n_tokens = (
        axis.ravel()
        for axis in np.meshgrid(
            arms, np.geomspace(1e7, 1e9, 4), np.geomspace(1e8, 1e10, 8), indexing="ij"
        )
    )
    rows = {"arm": arm, "n_params": n_params, "n_tokens_seen": n_tokens}
    clean = 1.8 + 400 / n_params**0.34 + 2000 / n_tokens**0.36
    own = bend * (arm == "a") * np.maximum(0, np.log(n_tokens / 1e9))
    noise = 0.003 * np.random.default_rng(0).standard_normal(arm.size)
    return rows | {"value": clean * np.exp(own + noise)}


def errors_of_table(rows):
    laws = [get_law("chinchilla"), get_law("coupled")]
    return choose_law(laws, rows, n_starts=8, delta=None).errors


def test_an_arm_that_goes_its_own_way_widens_what_is_its_own():
    alike, apart = errors_of_table(table()), errors_of_table(table(bend=0.03))
    assert alike.own_scale < 0.8
    assert apart.own_scale > 1.5 * alike.own_scale


def test_one_arm_has_no_errors_apart_from_those_of_all():
    errors = errors_of_table(table(arms=("a",)))
    assert errors.own_scale == errors.scale


def test_what_is_left_after_the_misfit_is_the_noise_of_a_run():
    errors = errors_of_table(table())
    assert errors.noise.std() == pytest.approx(0.003, rel=0.2)


def test_a_candidate_without_a_number_leaves_the_mean_to_the_others():
    parts = [np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([0.0, 1e5])]
    shares = np.array([0.5, 0.25, 0.25])
    said = weighted_mean(parts, shares)
    assert said == pytest.approx([5 / 3, 8 / 3])
    spread = between(parts[:2], shares[:2], weighted_mean(parts[:2], shares[:2]))
    # of 1 with weight two thirds and 3 with one third: the root of 8 / 9
    assert spread == pytest.approx([np.sqrt(8 / 9)] * 2)


def test_how_far_arms_lie_apart_is_judged_by_what_is_usual():
    spread = Spread(
        noise=0.02,
        misfit=NOTHING,
        between=NOTHING,
        distance=NOTHING,
        repeats=NOTHING,
        unique=NOTHING,
        moved=np.full(4, 0.5),
    )
    arms = np.array(["a", "a", "b", "b"])
    error = np.array([0.05, 0.03, 0.0, 0.0])
    # means .04 and 0 have variance .0008; usual are the noise of two runs and .12 of the movement
    usual = 0.02**2 / 2 + (1 - SHARED) * (0.12 * 0.5) ** 2
    assert _apart(error, spread, arms) == pytest.approx(0.0008 / usual)
    assert _apart(error, spread, np.full(4, "a")) is None
