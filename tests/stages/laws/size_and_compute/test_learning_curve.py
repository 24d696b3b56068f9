"""Plateau, offset, the lower envelope of runs, and scores with a ceiling."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.size_and_compute.learning_curve import pareto_front


def test_three_regions_has_a_plateau_a_power_law_and_a_floor():
    p = {"E": 1.0, "G": 8.0, "B": 1e4, "beta": 0.5}
    values = get_law("three_regions").value(
        p, {"n_tokens_seen": np.array([1.0, 1e8, 1e30])}
    )
    np.testing.assert_allclose(values, [9.0, 1 + 1 / (1 / 8 + 1), 1.0], rtol=1e-2)


def test_the_front_keeps_the_best_of_each_octave_and_only_improvements():
    flops = np.array([1.0, 1.5, 2.0, 4.0, 8.5, 9.0])
    values = np.array([5.0, 4.0, 4.5, 3.0, 2.9, 2.0])
    assert pareto_front(flops, values).tolist() == [1, 3, 5]


def test_a_score_stops_at_one():
    values = get_law("score_tokens").value(
        {"A": 0.1, "a": 0.2}, {"n_tokens_seen": np.array([1e3, 1e9])}
    )
    assert values[0] == pytest.approx(0.1 * 1e3**0.2) and values[1] == 1.0


@pytest.mark.parametrize("family", ["clip", "mammut"])
def test_the_error_of_the_largest_runs_is_predicted_from_the_front_below(
    evidence, family
):
    """Fit the front at most 3e10 GFLOPs, predict the front above it (the largest is 9e10): two
    runs, within .02 of error.
    """
    wanted = {
        "pretrain_dataset": "datacomp_1b",
        "lr_scheduler": "cosine",
        "model_family": family,
        "downstream": "imagenet1k",
        "metric": "acc1",
    }
    rows = [
        row
        for row in evidence("laion_best.csv")
        if all(row[name] == value for name, value in wanted.items())
    ]
    flops, error = (
        np.array([float(row[name]) for row in rows])
        for name in ("gflops_total", "error")
    )
    below, above = (
        {"flops": flops[part], "value": error[part]}
        for part in (flops <= 3e10, flops > 3e10)
    )
    below, above = (
        {
            name: column[pareto_front(part["flops"], part["value"])]
            for name, column in part.items()
        }
        for part in (below, above)
    )
    fit = fit_law(
        get_law("compute_offset"), below, objective="least_squares", identify=False
    )
    assert (
        above["value"].size == 2
        and np.max(np.abs(fit.predict(above) - above["value"])) < 0.02
    )
