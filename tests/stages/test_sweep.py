"""What the summary of a sweep leaves out."""

import polars as pl

from stages.proxy.network import graphs
from stages.sweep import UNRECORDED, metrics, unrecorded


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


def test_trunks_whose_steps_could_not_be_recorded_are_counted_in_the_trainers_words():
    assert UNRECORDED == graphs.UNRECORDED
    failed = f"{graphs.UNRECORDED}: a CUDA graph could not be recorded (an error)"
    runs = [{"result": {"notes": notes}} for notes in (["device cuda"], [failed], [])]
    assert unrecorded(runs) == {"unrecorded_trunks": 1}
    assert unrecorded(runs[:1]) == {}
