"""Where a fit begins: within the starting ranges, the same for a seed, and what is fixed stays."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.fitting.solver import Problem
from stages.laws.fitting.starts import (
    best_of_ends,
    coarse_ends,
    draw_starts,
    noise_delta,
)
from stages.laws.interface.layout import Layout

LAW = get_law("chinchilla")
TRUTH = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28}


@pytest.fixture
def problem():
    """Sixteen runs without noise."""
    columns = {
        "n_params": np.repeat([1e6, 1e7, 1e8, 1e9], 4),
        "n_tokens_seen": np.tile([1e8, 1e9, 1e10, 1e11], 4),
    }
    values = LAW.value({name: np.array([v]) for name, v in TRUTH.items()}, columns)
    layout = Layout.of(LAW, columns, value_scale=float(np.median(values)))
    return Problem(layout, columns, np.zeros(16, int), values)


def test_starts_are_the_same_for_a_seed_and_spread_over_the_starting_range(problem):
    starts = draw_starts(problem, 200, 1, {})
    assert np.array_equal(starts, draw_starts(problem, 200, 1, {}))
    assert not np.array_equal(starts, draw_starts(problem, 200, 2, {}))
    low, high = problem.layout.range("start_low", "start_high")
    assert np.all(starts.mean(axis=0) > low + 0.4 * (high - low))
    assert np.all(starts.mean(axis=0) < low + 0.6 * (high - low))


def test_what_is_fixed_starts_where_it_is_fixed(problem):
    starts = draw_starts(problem, 5, 1, {"alpha": 0.5})
    found = problem.layout.to_params(starts)["alpha"]
    assert found.ravel() == pytest.approx([0.5] * 5)


def test_the_best_end_is_the_truth_and_most_starts_find_it(problem):
    free = np.zeros(problem.layout.size, bool)
    ends, usable = coarse_ends(problem, draw_starts(problem, 32, 1, {}), free)
    assert usable == 32 and 1 <= len(ends) <= 32
    best = best_of_ends(problem, ends, free)
    found = problem.layout.to_params(best.theta)
    assert {name: float(part[0]) for name, part in found.items()} == pytest.approx(
        TRUTH, rel=1e-3
    )
    assert best.objective < 1e-12 and 1 <= best.same_basin <= len(ends)
    np.testing.assert_array_equal(best.ends[0], best.theta)


def test_starts_of_which_none_gives_a_value_are_refused(problem):
    starts = np.full((3, problem.layout.size), np.nan)
    with pytest.raises(InputError, match="none of 3 starts of law 'chinchilla'"):
        coarse_ends(problem, starts, np.zeros(problem.layout.size, bool))


def test_the_width_of_the_objective_follows_the_noise(problem):
    truth = {name: np.array([value]) for name, value in TRUTH.items()}
    theta = problem.layout.to_theta(truth)
    assert noise_delta(problem, theta) == 1e-4
    shaken = problem.observed * np.exp(np.tile([0.01, -0.01], 8))
    noisy = Problem(problem.layout, problem.columns, problem.arm_index, shaken)
    assert noise_delta(noisy, theta) == pytest.approx(1.345 * 1.4826 * 0.01)
