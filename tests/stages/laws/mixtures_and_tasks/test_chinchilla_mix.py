"""Size, tokens and mixture add up."""

import numpy as np
import pytest

from stages.laws import chinchilla_mix, get_law
from stages.laws.fitting.fit import fit_law

TRUTH = {"E": 1.6, "A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28, "k": -1.0}
SLOPES = {"b": -1.5, "c": -0.5, "d": 1.0, "e": -2.0}


def rows():
    shares = np.random.default_rng(1).dirichlet(np.ones(5), 48)
    n, d = np.tile([1e7, 3e7, 1e8], 16), np.repeat([3e8, 1e9, 3e9, 1e10], 12)
    mix = np.exp(-1 + shares[:, 1:] @ np.array(list(SLOPES.values())))
    return {
        "n_params": n,
        "n_tokens_seen": d,
        **{f"share_{name}": shares[:, i] for i, name in enumerate("abcde")},
        "value": 1.6 + 400 / n**0.34 + 410 / d**0.28 + mix,
    }


def test_five_domains_come_back():
    fit = fit_law(chinchilla_mix(tuple("abcde")), rows())
    wanted = TRUTH | {f"t_{name}": t for name, t in SLOPES.items()}
    assert fit.params == pytest.approx(wanted, rel=1e-3)


def test_the_mixture_adds_its_exponential_to_the_law_of_size_and_tokens():
    v = {"n_params": np.array([1e8]), "n_tokens_seen": np.array([1e9])}
    v |= {"share_web": np.array([0.75]), "share_code": np.array([0.25])}
    p = TRUTH | {"t_code": 2.0}
    added = chinchilla_mix(("web", "code")).value(p, v) - get_law("chinchilla").value(
        p, v
    )
    np.testing.assert_allclose(added, np.exp(-1 + 0.25 * 2))
