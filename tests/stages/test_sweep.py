"""What the summary of a sweep leaves out."""

import polars as pl

from stages.sweep import metrics


def test_the_best_of_a_sweep_is_never_a_diverged_run():
    table = pl.DataFrame(
        {
            "trunk_id": ["a", "b"],
            "metric": ["loss_x"] * 2,
            "value": [3.0, 1.0],
            "diverged": [False, True],
            "flops": [10.0, 100.0],
        }
    )
    assert metrics(table)["best_loss_x_nats"] == 3.0
    assert metrics(table)["diverged"] == 1
