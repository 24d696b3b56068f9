import random

import numpy as np
import polars as pl
import pytest

from stages.curation.reading.documents import documents
from stages.curation.reading.passages import split_passages
from stages.curation.scores.quality import (
    features,
    fit_quality,
    fold_of,
    quality_scores,
)
from stages.curation.scores.settings import Quality
from stages.foundation.errors import InputError

PROSE = (
    "people town mayor winter bridge river vote council minister police school house"
    " week year said told new".split()
)
CODE = (
    "def return self import class value none true assert test field query model index"
    " node tuple list".split()
)
COMMON = "the of and to in for with that is it".split()


def written(words, seed, n, prefix):
    rng = random.Random(seed)
    texts = [
        " ".join(rng.choices(words + COMMON, k=rng.randint(30, 120))) for _ in range(n)
    ]
    return documents(texts, [f"{prefix}{i}" for i in range(n)], prefix)


@pytest.fixture(scope="module")
def data():
    pool = pl.concat([written(PROSE, 1, 150, "good"), written(CODE, 2, 450, "noise")])
    return pool, written(PROSE, 3, 200, "reference")


@pytest.fixture(scope="module")
def result(data):
    return quality_scores(*data)


def test_scores_find_the_documents_like_the_reference(data, result):
    pool, _ = data
    scored = pool.join(result.scores, on="id")
    assert scored["score"].is_between(0, 1).all()
    best = scored.sort("score", descending=True).head(150)
    assert (best["pool"] == "good").mean() > 0.97
    assert result.reference_scores["score"].mean() > 0.7
    assert len(result.fold_auc) == 5 and result.auc == pytest.approx(
        np.mean(result.fold_auc)
    )
    assert (
        result.auc > 0.8
    )  # the good quarter of the pool counts as negative, so 1 is out of reach


def test_one_row_a_document_in_input_order(data, result):
    assert result.scores["id"].equals(data[0]["id"])
    assert result.reference_scores["id"].equals(data[1]["id"])


def test_equal_seeds_give_equal_scores_in_any_order(data, result):
    pool, reference = data
    again = quality_scores(
        pool.sample(fraction=1, shuffle=True, seed=0), reference.reverse()
    )
    assert again.scores.sort("id").equals(result.scores.sort("id"))
    other = quality_scores(pool, reference, Quality(seed=1))
    assert not other.scores.equals(result.scores)


def test_no_document_is_scored_by_a_model_that_saw_its_parent(data):
    """Random labels over random text: in-sample scores would separate them, out-of-fold scores must not."""
    rng = random.Random(5)
    vocabulary = [f"w{i}" for i in range(20_000)]
    texts = [" ".join(rng.choices(vocabulary, k=80)) for _ in range(300)]
    twice = split_passages(
        documents(
            [f"{text}\n\n{text}" for text in texts], [f"d{i}" for i in range(300)], "p"
        ),
        600,
    )
    half = twice.filter(pl.col("parent").str.slice(15).is_in(list("01234567")))
    rest = twice.filter(~pl.col("parent").is_in(half["parent"].implode()))
    assert twice.height > 500 and half.height > 100
    assert quality_scores(rest, half).auc == pytest.approx(0.5, abs=0.08)


def test_passages_of_a_parent_share_a_fold():
    frame = split_passages(
        documents(["word " * 500] * 40, [str(i) for i in range(40)], "p"), 100
    )
    folds = (
        frame.with_columns(fold=fold_of(frame, Quality()))
        .group_by("parent")
        .agg(pl.col("fold").n_unique())
    )
    assert folds["fold"].max() == 1


def test_rows_of_long_and_short_documents_are_of_one_size():
    frame = documents(["a b c d", "a b c d " * 50, "!"], list("xyz"), "p")
    short, long, none = np.asarray(features(frame, Quality()).sum(axis=1)).ravel()
    assert long < 2 * short and none == 0  # 50 times the words


def test_a_model_scores_streams_and_new_documents(data):
    pool, reference = data
    model = fit_quality(pool, reference)
    parts = pl.concat([model.score(pool[:100]), model.score(pool[100:])])
    assert parts.equals(model.score(pool))
    assert model.score(pool.clear()).height == 0


def test_a_large_pool_is_sampled_for_training_and_scored_whole(data):
    pool, reference = data
    result = quality_scores(pool, reference, Quality(train_chars=60_000))
    assert result.scores.height == pool.height
    assert (
        pool.join(result.scores, on="id")
        .sort("score", descending=True)
        .head(100)["pool"]
        == "good"
    ).mean() > 0.9


def test_calibration_bins_hold_everyone(data, result):
    bins = result.calibration
    assert bins.columns == ["low", "high", "predicted", "observed", "documents"]
    assert bins["documents"].sum() == data[0].height + data[1].height
    filled = bins.filter(pl.col("documents") > 0)
    assert filled["predicted"].is_between(filled["low"], filled["high"]).all()
    assert bins.filter(pl.col("documents") == 0)["observed"].is_null().all()


def test_length_alone_moves_no_score(data, result):
    assert abs(result.length_correlation) < 0.3
    pool, _ = data
    short = pool.with_columns(text=pl.col("text").str.slice(0, 150))
    change = result.model.score(short)["score"] - result.scores["score"]
    assert abs(change.filter(pool["pool"] == "good").mean()) < 0.1


def test_too_few_documents_are_refused(data):
    with pytest.raises(
        InputError,
        match="the reference fills only [12] of 5 folds with its 2 documents",
    ):
        quality_scores(data[0], data[1][:2])
