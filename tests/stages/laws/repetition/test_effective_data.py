"""Fading repeats: sums by hand, and the published constants of the geometric variant."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.repetition.effective_data import geometric, stepped_tokens


def test_the_geometric_sum_over_whole_copies():
    assert geometric(10.0, 4.0, 0.25) == pytest.approx(
        10 * (1 + 0.75 + 0.75**2 + 0.75**3)
    )
    assert geometric(10.0, 1.0, 0.25) == pytest.approx(10)


def test_the_stepped_sum_with_a_partial_pass():
    assert stepped_tokens(np.array([2.0]), 250.0, 100.0)[0] == pytest.approx(
        100 + 100 * 0.5**0.5 + 50 * 0.5
    )


def test_the_published_geometric_constants_beat_the_published_exponential_ones(
    evidence, table_of
):
    rows = [row for row in evidence("datablations.csv") if row["in_fit182"] == "1"]
    runs = table_of(
        rows,
        n_params="params_N",
        n_tokens_seen="train_tokens_D",
        n_tokens_unique="unique_tokens_U",
        value="val_loss_nats_c4",
    )
    c4 = {
        "A": np.exp(6.255414),
        "B": np.exp(7.3049974),
        "E": np.exp(0.6254804),
        "alpha": 0.3526596,
        "beta": 0.3526596,
    }
    fit = fit_law(
        get_law("data_constrained_geometric"),
        runs,
        fixed=c4 | {"q_D": 0.010463, "q_N": 0.36758},
        identify=False,
    )
    explained = 1 - np.sum((fit.predict(runs) - runs["value"]) ** 2) / np.sum(
        (runs["value"] - runs["value"].mean()) ** 2
    )
    assert (
        fit.objective < 0.0143546 and explained > 0.7396
    )  # those of the exponential variant on the same rows
