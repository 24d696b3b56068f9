"""Average parameter count, encoder and decoder, vocabulary."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.size_and_compute.size_variants import average_params, best_split


def test_the_average_size_counts_tokens_and_not_steps_of_the_path():
    assert average_params([0, 5e9, 10e9], [1e8, 1e8, 5e7]) == pytest.approx(8.75e7)
    assert average_params([0, 1e9, 1e9, 10e9], [1e8, 1e8, 5e7, 5e7]) == pytest.approx(
        0.1 * 1e8 + 0.9 * 5e7
    )


def test_the_best_split_is_the_least_on_a_grid():
    p, total = {"E": 1.0, "A": 50.0, "p_e": 0.1, "p_d": 0.25}, 1e8
    encoder, decoder = best_split(p, total)
    grid = np.linspace(0.01, 0.99, 981) * total
    values = get_law("encoder_decoder").value(
        p, {"n_params_encoder": grid, "n_params_decoder": total - grid}
    )
    assert encoder + decoder == pytest.approx(total) and grid[
        values.argmin()
    ] == pytest.approx(encoder, rel=0.01)


def test_vocabulary_has_its_own_diminishing_return():
    p = {"E": 1.0, "A": 400.0, "A_v": 50.0, "B": 2000.0, "alpha": 0.35, "alpha_v": 0.6}
    rows = {
        "n_params_non_vocab": np.full(3, 1e8),
        "n_params_vocab": np.array([1e6, 1e7, 1e8]),
        "n_tokens_seen": np.full(3, 2e9),
    }
    gains = -np.diff(get_law("vocabulary").value(p, rows))
    assert gains[0] > gains[1] > 0
