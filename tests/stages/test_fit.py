"""The fit stage's own decisions: which budgets a law is fitted to."""

from types import SimpleNamespace

import numpy as np

from stages.fit import FitParams, early_budgets
from stages.laws import get_law
from stages.laws.fitting.fit import fit_law

PARAMS = FitParams(laws=["power_floor", "chinchilla"], starts=32)
ARMS = {"all": 60.0, "best": 50.0}


def runs(n_budgets, early):
    """Two arms, three sizes; below 500k tokens losses are held back by `early` a halving."""
    cells = [
        (arm, n, 4_194_304 / 2.0**halving)
        for arm in ARMS
        for n in (6e3, 25e3, 147e3)
        for halving in range(n_budgets)
    ]
    arm, n_params, tokens = (np.array(column) for column in zip(*cells, strict=True))
    loss = (
        1.5 + 40 / n_params**0.35 + np.array([ARMS[name] for name in arm]) / tokens**0.3
    )
    return {
        "arm": arm,
        "n_params": n_params,
        "n_tokens_seen": tokens,
        "flops": 6 * n_params * tokens,
        "value": loss * np.exp(early * np.maximum(0, np.log2(524_288 / tokens))),
    }


def left_out(rows):
    late = {
        name: column[rows["n_tokens_seen"] >= 524_288] for name, column in rows.items()
    }
    fit = fit_law(
        get_law("chinchilla"), late, by_arm=("B",), n_starts=32, identify=False
    )
    onset = early_budgets(SimpleNamespace(fit=fit), rows, PARAMS)
    return onset and sorted(set(rows["n_tokens_seen"][~onset.keep]))


def test_budgets_before_the_law_are_left_out_for_all_arms():
    assert left_out(runs(6, early=-0.05)) == [131_072, 262_144]


def test_a_clean_ladder_and_one_of_four_budgets_keep_all():
    assert left_out(runs(6, early=0.0)) == []
    assert left_out(runs(4, early=-0.05)) is None
