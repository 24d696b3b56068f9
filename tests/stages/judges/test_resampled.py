"""Judges under other held-out documents: bits a byte by bytes, items by their standard error."""

import numpy as np
import polars as pl
import pytest

from stages.judges import resampled as module
from stages.judges.resampled import resampled, resampled_suite
from stages.runs.judge_record import Judge

NATS = np.log(2) * 8  # of one bit a byte in 8 bytes


@pytest.fixture
def two_documents(tmp_path, monkeypatch):
    """Of news and wiki two documents of 8 and 16 bytes; r0 takes 1 and 1 bits a byte, r1 2 and 3 (wiki: 2 and 2)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/sweep").mkdir(parents=True)
    rows = [
        ("r0", "loss_news", [NATS, 2 * NATS]),
        ("r1", "loss_news", [2 * NATS, 6 * NATS]),
        ("r0", "loss_wiki", [NATS, 2 * NATS]),
        ("r1", "loss_wiki", [2 * NATS, 4 * NATS]),
    ]
    pl.DataFrame(
        rows, schema=["run_id", "metric", "loss_nats"], orient="row"
    ).write_parquet("data/sweep/heldout_losses.parquet")

    class Packed:
        n_scored_bytes = np.array([8, 16])

        @classmethod
        def open(cls, path):
            assert path in ("data/pack/heldout/news", "data/pack/heldout/wiki")
            return cls

    monkeypatch.setattr(module, "Packed", Packed)


def rows(**values):
    return pl.DataFrame(
        {
            "run_id": list(values),
            "metric": "bpb_news",
            "value": list(values.values()),
            "value_se": 0.1,
        }
    )


def test_documents_are_weighed_by_their_bytes(two_documents):
    drawn = resampled("bpb_news", rows(r1=2.5, r0=1.0), draws=2000, seed=0)
    assert drawn.shape == (2000, 2)
    assert drawn[:, 1] == pytest.approx(1.0)
    # between its two documents, and on average near (2 * 8 + 3 * 16) / 24
    assert drawn[:, 0].min() > 2.0 and drawn[:, 0].max() < 3.0
    assert drawn[:, 0].mean() == pytest.approx(8 / 3, abs=0.06)


def test_items_move_by_their_standard_error_all_runs_alike():
    drawn = resampled("correct_bpb_copy", rows(r0=2.0, r1=3.0), draws=4000, seed=1)
    assert drawn[:, 1] - drawn[:, 0] == pytest.approx(1.0)
    assert drawn[:, 0].mean() == pytest.approx(2.0, abs=0.01)
    assert drawn[:, 0].std() == pytest.approx(0.1, rel=0.1)
    assert resampled("brier_copy", rows(r0=0.01), draws=500, seed=1).min() > 0


def test_the_suite_is_the_weighted_mean_of_its_judges_resampled(two_documents):
    judge = {"signal": 1.0, "noise": 0.1, "reason": ""}
    judges = [
        Judge(name="news", metric="bpb_news", weight=0.25, used=True, **judge),
        Judge(name="wiki", metric="bpb_wiki", weight=0.75, used=True, **judge),
        Judge(name="off", metric="bpb_off", weight=0.0, used=False, **judge),
    ]
    best = rows(r0=1.0, r1=1.0)
    every = pl.concat([best, best.with_columns(metric=pl.lit("bpb_wiki"))])
    drawn = resampled_suite(judges, best, every, draws=300, seed=5)
    assert drawn[:, 0] == pytest.approx(1.0)
    # news between 2 and 3, wiki 2
    assert drawn[:, 1].min() > 2.0 and drawn[:, 1].max() < 2.25
    news = resampled("bpb_news", best, draws=300, seed=5)
    assert drawn[:, 1] == pytest.approx(0.25 * news[:, 1] + 0.75 * 2.0)
