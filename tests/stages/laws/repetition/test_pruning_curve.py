"""Curves of kept fractions: their envelope, on the theory and on a fit of it."""

import numpy as np

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.repetition.pruning_curve import envelope
from stages.laws.theory.perceptron import saddle


def test_the_best_fraction_of_the_theory_falls_as_kept_examples_grow():
    found = envelope(
        lambda keep, alphas: np.array([saddle(a, keep).error for a in alphas]),
        (0.3, 0.6, 1.0),
        [0.6, 2.0, 4.0],
    )
    assert (
        found.keep.tolist() == sorted(found.keep, reverse=True)
        and found.keep[0] == 1.0
        and found.keep[-1] == 0.3
    )
    assert len(found.switches) >= 1


def test_a_fit_finds_the_crossing_of_the_curves():
    law, p = (
        get_law("pruning_curve"),
        {"E": 0.1, "B": 30.0, "beta": 0.30, "phi": 1.0, "nu": 0.055},
    )
    keep, tokens = (
        x.ravel() for x in np.meshgrid([0.2, 0.5, 1.0], np.geomspace(1e6, 1e10, 8))
    )
    value = law.value(p, {"keep_fraction": keep, "n_tokens_seen": tokens})
    fit = fit_law(
        law,
        {"keep_fraction": keep, "n_tokens_seen": tokens, "value": value},
        n_starts=16,
        identify=False,
    )
    budgets = np.geomspace(1e6, 1e10, 400)
    found = envelope(
        lambda k, n: fit.predict({"n_tokens_seen": n, "keep_fraction": k}),
        (0.2, 0.5, 1.0),
        budgets,
    )
    # where f^-phi D^(nu log f) = 1, the same for every fraction
    crossing = np.exp(p["phi"] / p["nu"])
    assert (
        found.switches[0][1:] == (1.0, 0.2)
        and abs(np.log(found.switches[0][0] / crossing)) < 0.05
    )
