"""The information form: pools add up and are exhausted."""

import numpy as np

from stages.laws.repetition.information import gathered, information


def test_a_fresh_pool_gives_what_is_read_and_an_exhausted_one_all_it_has():
    np.testing.assert_allclose(
        gathered(1e6, np.array([1e2, 1e12]), 10.0), [1e2, 1e7], rtol=1e-5
    )


def test_a_larger_model_exhausts_a_pool_sooner_and_a_denser_pool_is_better():
    law, n = information(("web", "books")), 20
    p = {
        "E": 1.7,
        "A": 400.0,
        "alpha": 0.34,
        "B": 2000.0,
        "beta": 0.36,
        "K0": 8.0,
        "nu": 0.5,
        "q_books": 1.0,
    }
    v = {
        "n_tokens_seen": np.full(n, 1e9),
        "unique_web": np.full(n, 1e9),
        "unique_books": np.full(n, 1e8),
        "share_books": np.linspace(0, 1, n),
        "share_web": np.linspace(1, 0, n),
    }
    best = [
        v["share_books"][law.value(p, v | {"n_params": np.full(n, size)}).argmin()]
        for size in (1e7, 1e9)
    ]
    assert 0 < best[1] < best[0]
