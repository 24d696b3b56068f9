"""Compute-optimal sizes from iso-FLOP curves."""

import numpy as np
import pytest

from stages.foundation.errors import RefusedError
from stages.laws import get_law
from stages.laws.theory.isoflop import isoflop

P = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.40}


def curves(sizes):
    flops, n_params = (
        x.ravel() for x in np.meshgrid(np.geomspace(1e17, 1e20, 6), sizes)
    )
    return (
        flops,
        n_params,
        get_law("chinchilla").value(
            P, {"n_params": n_params, "n_tokens_seen": flops / 6 / n_params}
        ),
    )


def test_the_exponent_of_a_known_law_is_found():
    found = isoflop(*curves(np.geomspace(3e5, 3e10, 20)))
    assert found.exponent == pytest.approx(0.40 / 0.74, abs=0.01)
    assert found.best_size(1e19) == pytest.approx(
        get_law("chinchilla").optimum(P, 1e19)[0], rel=0.1
    )


def test_budgets_without_a_lowest_point_inside_are_left_out_or_refused():
    assert isoflop(*curves(np.geomspace(1e8, 3e9, 8))).n_left_out > 0
    with pytest.raises(RefusedError, match="add smaller and larger"):
        isoflop(*curves(np.geomspace(1e10, 1e12, 8)))


def test_the_tuned_refinedweb_exponent_is_near_the_published_one(evidence):
    rows = [
        row
        for row in evidence("porian_isoflop.csv")
        if row["config"] == "rw|tuned|short|const|standard|val"
    ]
    found = isoflop(
        *(
            [float(row[name]) for row in rows]
            for name in ("flops_C", "params_N", "loss_nats")
        )
    )
    assert found.exponent == pytest.approx(0.497, abs=0.02) and found.n_left_out == 0
