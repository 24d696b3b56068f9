"""The algebra of the two-stage projection; no measurement was published to test it on."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.mixtures_and_tasks.projektor import (
    fit_mixture_score,
    onto_simplex,
    project,
)


def test_the_projection_is_exact_for_a_line_in_log_size():
    def line(n):
        return 3.0 - 0.2 * np.log(n)

    assert project(10_000, 1000, line(1000), 1500, line(1500)) == pytest.approx(
        line(10_000), abs=1e-12
    )
    assert project(1000, 1000, 0.7, 1500, 0.72) == pytest.approx(0.7)
    with pytest.raises(InputError, match="must differ"):
        project(10_000, 1000, 1.0, 1000, 1.0)


def test_the_first_stage_is_recovered_with_its_gradient():
    rng = np.random.default_rng(2)
    mixtures, distances = rng.dirichlet(np.ones(3), 60), rng.uniform(0.5, 2.0, 60)
    scores = (
        (mixtures**2 @ [0.1, -0.2, 0.3] + 0.5) * distances
        + mixtures**2 @ [0.4, 0.0, -0.1]
        + mixtures @ [0.2, 0.3, 0.1]
    )
    found = fit_mixture_score(mixtures, distances, scores)
    np.testing.assert_allclose(found.value(mixtures, distances), scores, atol=1e-10)
    point, pull, step = (
        mixtures[0],
        np.array([0.3, -0.1, 0.2]),
        1e-6 * np.array([1.0, -1.0, 0.0]),
    )
    moved = [
        found.value(point + sign * step, distances[0] + sign * pull @ step)[0]
        for sign in (1, -1)
    ]
    assert (moved[0] - moved[1]) / 2 == pytest.approx(
        found.gradient(point, distances[0], pull) @ step, rel=1e-5
    )
    with pytest.raises(InputError, match="run more mixtures"):
        fit_mixture_score(mixtures[:5], distances[:5], scores[:5])


def test_the_simplex_projection_is_the_nearest_point():
    np.testing.assert_allclose(onto_simplex([0.5, 0.5, -1.0]), [0.5, 0.5, 0.0])
    np.testing.assert_allclose(onto_simplex([0.2, 0.3, 0.5]), [0.2, 0.3, 0.5])
    y, others = (
        np.array([0.9, 0.4, 0.2]),
        np.random.default_rng(0).dirichlet(np.ones(3), 5000),
    )
    assert (
        np.sum((onto_simplex(y) - y) ** 2)
        <= np.min(np.sum((others - y) ** 2, axis=1)) + 1e-12
    )
