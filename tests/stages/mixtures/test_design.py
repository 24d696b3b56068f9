"""A designed swarm holds the prior, each domain alone, mixtures that lie apart, and repeats."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.mixtures.design import Designed, design, over_draws

PRIOR = np.array([0.6, 0.3, 0.1])
FREE = {"low": np.zeros(3), "high": np.ones(3)}


def shares_of(runs):
    return np.stack([run.share for run in runs])


def roles_of(runs):
    return [run.role for run in runs]


def test_prior_corners_and_repeats_at_both():
    runs = design(PRIOR, 24, **FREE, seed=1)
    assert roles_of(runs) == [
        "prior",
        *3 * ["corner"],
        *17 * ["spread"],
        *3 * ["repeat"],
    ]
    assert shares_of(runs)[:4].tolist() == [PRIOR.tolist(), *np.eye(3).tolist()]
    again = [run.number for run in runs[-3:]]
    assert again == [0, 1, 0]  # the prior twice more, one corner once more
    for run in runs[-3:]:
        assert run.share.tolist() == runs[run.number].share.tolist()


def test_mixtures_are_whole_and_lie_apart():
    shares = shares_of(design(PRIOR, 40, **FREE, seed=1)[:35])
    assert shares.sum(axis=1) == pytest.approx(np.ones(35), abs=1e-9)
    assert not ((shares > 0) & (shares < 0.005)).any()
    apart = 0.5 * np.abs(shares[:, None] - shares).sum(axis=2) + np.eye(35)
    assert apart.min() > 0.05
    # every mixture of the simplex is near one that is trained
    asked = np.random.default_rng(0).dirichlet(np.ones(3), 500)
    nearest = 0.5 * np.abs(asked[:, None] - shares).sum(axis=2).min(axis=1)
    assert nearest.max() < 0.25


def test_a_seed_gives_the_same_swarm_and_another_seed_another():
    first, same, other = (
        shares_of(design(PRIOR, 24, **FREE, seed=seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, same) and not np.array_equal(first, other)


def test_floors_and_caps_hold_in_every_run():
    low, high = np.array([0.2, 0.0, 0.0]), np.array([1.0, 0.5, 0.3])
    shares = shares_of(design(PRIOR, 24, low=low, high=high, seed=1))
    assert (shares >= low - 1e-9).all() and (shares <= high + 1e-9).all()


def test_too_few_runs_are_refused():
    with pytest.raises(
        InputError, match=r"5 runs of 3 domains .* at least 6, better 15"
    ):
        design(PRIOR, 5, **FREE, seed=1)


def test_resamples_share_the_runs_and_none_has_a_mixture_twice():
    runs = design(PRIOR, 24, **FREE, seed=1)
    draws = over_draws(runs, 4)
    assert np.bincount(draws).tolist() == [6, 6, 6, 6]
    pairs = [(run.number, draw) for run, draw in zip(runs, draws, strict=True)]
    assert len(set(pairs)) == 24


def test_more_repeats_than_resamples_share_one():
    twice = [Designed(PRIOR, "prior", 0), Designed(PRIOR, "repeat", 0)]
    assert over_draws(twice, 1) == [0, 0]
