"""The over-training law: two ways to write it, its optimum, and the published predictions."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.size_and_compute.over_training import from_code


def test_the_code_of_the_authors_and_the_paper_are_one_law():
    a_code, b_code, power, floor = 166.21, 366.69, -0.27285, 1.8366
    n, m = np.geomspace(1e7, 1e10, 7), np.geomspace(5, 640, 7)
    code = floor + a_code * n**power + b_code * 6 ** (power / 2) * (m * n) ** power
    paper = get_law("over_training").value(
        {"E": floor} | from_code(a_code, b_code, power),
        {"n_params": n, "n_tokens_seen": m * n},
    )
    np.testing.assert_allclose(paper, code, rtol=1e-12)
    assert from_code(a_code, b_code, power)["a"] == pytest.approx(212.2, abs=0.05)


def test_the_optimum_is_the_least_on_a_grid_and_has_one_ratio_at_every_budget():
    law, p = (
        get_law("over_training"),
        {"E": 1.8366, "a": 212.2, "b": 366.7, "eta": 0.1364},
    )
    n_params, n_tokens = law.optimum(p, np.array([1e19, 1e22]))
    np.testing.assert_allclose(6 * n_params * n_tokens, [1e19, 1e22])
    assert np.ptp(n_tokens / n_params) < 1e-6
    grid = np.geomspace(1e7, 1e10, 4001)
    assert grid[
        law.value(p, {"n_params": grid, "n_tokens_seen": 1e19 / 6 / grid}).argmin()
    ] == pytest.approx(n_params[0], rel=0.005)


def test_redpajama_headline_errors_from_five_and_six_small_runs(evidence, table_of):
    runs = [row for row in evidence("gadre.csv") if row["train_dataset"] == "rpj"]
    size, ratio = (
        (lambda row: float(row["params_N"])),
        (lambda row: float(row["tokens_per_param_M"])),
    )
    few = [
        row
        for row in runs
        if (ratio(row) == 20 and size(row) < 4.2e8)
        or (ratio(row) == 320 and size(row) < 1.1e7)
    ]
    six = few + [row for row in runs if ratio(row) == 20 and 1e9 < size(row) < 2e9]
    law = fit_law(
        get_law("over_training"),
        table_of(
            few, n_params="params_N", n_tokens_seen="tokens_D", value="loss_nats_c4_val"
        ),
        objective="least_squares",
        identify=False,
    )
    error = fit_law(
        get_law("error_from_loss"),
        table_of(six, loss_nats="loss_nats_c4_val", value="err_avg17"),
        objective="least_squares",
        identify=False,
    )
    assert len(few) == 5 and len(six) == 6
    found = {}
    for row in runs:
        if (size(row) > 6e9 and ratio(row) == 20) or (
            1e9 < size(row) < 2e9 and ratio(row) == 640
        ):
            loss = law.predict(
                {"n_params": size(row), "n_tokens_seen": float(row["tokens_D"])}
            )
            errors = (
                loss[0] / float(row["loss_nats_c4_val"]) - 1,
                error.predict({"loss_nats": loss})[0] / float(row["err_avg17"]) - 1,
            )
            found[ratio(row)] = [100 * abs(e) for e in errors]
    assert found[640] == pytest.approx([0.7103, 3.6365], abs=6e-5) and found[
        20
    ] == pytest.approx([0.7320, 0.0464], abs=6e-5)
