"""Rules for learning rate and batch: the published rule, and what a refit costs where it was not fitted."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.schedules.step_law import near_best, regret


def test_the_published_constants_give_the_rates_that_were_recomputed():
    lr = get_law("step_law_lr").value(
        {"k": np.exp(0.58631), "a": 0.71292, "b": 0.30749},
        {"n_params": np.array([7e9, 1e9]), "n_tokens_seen": np.array([1.4e12, 1e11])},
    )
    batch = get_law("step_law_batch").value(
        {"k": np.exp(-0.54354), "b": 0.57094},
        {"n_tokens_seen": np.array([1.4e12, 1e11])},
    )
    np.testing.assert_allclose(lr, [9.347e-4, 1.662e-3], rtol=5e-4)
    np.testing.assert_allclose(batch, [4.997e6, 1.108e6], rtol=1e-3)


def test_regret_is_zero_at_the_best_run_and_the_nearest_run_counts_outside():
    lr, batch = (
        x.ravel()
        for x in np.meshgrid(np.geomspace(1e-4, 1e-2, 9), np.geomspace(1e5, 1e7, 9))
    )
    cell = {
        "lr": lr,
        "batch_tokens": batch,
        "loss": 2.5 + 0.01 * np.log(lr / 1e-3) ** 2 + 0.01 * np.log(batch / 1e6) ** 2,
    }
    assert regret(cell, 1e-3, 1e6) == pytest.approx(0, abs=1e-12)
    assert regret(cell, 2e-3, 1e6) > 0 and np.isfinite(regret(cell, 1.0, 1e6))
    with pytest.raises(InputError, match="at least 4"):
        regret({name: column[:3] for name, column in cell.items()}, 1e-3, 1e6)


def test_a_rule_from_small_models_costs_large_ones_little(evidence, table_of):
    rows = [row for row in evidence("steplaw.csv") if row["arch"] == "dense"]
    runs = table_of(
        rows,
        n_params="params_nonembed_N",
        n_tokens_seen="tokens_D",
        lr="peak_lr",
        batch_tokens="batch_size_tokens",
        loss="smooth_loss_nats",
    )
    cell = np.array([f"{row['params_nonembed_N']} {row['tokens_D']}" for row in rows])
    small = runs["n_params"] < 5e8
    known = {
        name: column[near_best(runs["loss"], cell) & small]
        for name, column in runs.items()
    }
    rules = [
        fit_law(
            get_law(law),
            known | {"value": known[column]},
            objective="least_squares_log",
            n_starts=8,
            identify=False,
        )
        for law, column in (("step_law_lr", "lr"), ("step_law_batch", "batch_tokens"))
    ]
    costs = []
    for name in np.unique(cell[~small]):
        own = {column: values[cell == name] for column, values in runs.items()}
        recommended = [
            rule.predict(
                {
                    "n_params": own["n_params"][0],
                    "n_tokens_seen": own["n_tokens_seen"][0],
                }
            )[0]
            for rule in rules
        ]
        costs.append(regret(own, *recommended))
    assert (
        len(costs) == 4 and np.mean(costs) < 0.00111
    )  # an independent refit had .111 % on these and one more, the published rule .125 % on all
