"""How much a document looks like the reference text: a linear classifier on hashed word n-grams.

Question: which raw documents resemble what we want more of? Input: a raw pool (negatives) and reference documents
(positives). Output: a score in [0, 1] for each, always from a model that saw neither the document nor a passage of
the same parent. This is the recipe of DCLM (Li et al. 2024, fastText on word 1-2-grams) with a logistic model.
A score is a chance under equal class weights, not a probability that a document is "good".
Cost: 18 MB of training text and 45 MB of scored text a CPU-second, 3 bytes a character trained on (measured).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from stages.curation.duplicates.minhash import shingles
from stages.curation.reading.documents import uniform
from stages.curation.reading.ordered_pool import Documents, HeldPool
from stages.curation.reading.row_groups import compact
from stages.curation.scores.settings import Quality
from stages.curation.text.characters import blocks, plain_words
from stages.foundation.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import (
        csr_matrix,
    )  # a tenth of a second to import, which a run without this model does not need

# How a row is scaled, so that length moves a score little. Power 1 is fastText's mean over n-grams,
# 1/2 nearly Euclidean.
# Measured on the demo's pool, powers 1/2, 3/4, 1: the first 100 characters of a news passage score
# .33, .58, .67 where the
# whole scores .93; area under the curve, news and wiki against the rest, .9990, .9990, .9979.
LENGTH_POWER, ROW_SCALE = 0.75, 3.0


@dataclass(frozen=True)
class QualityModel:
    """One linear model a fold; `weights[f]` saw no document of fold f."""

    params: Quality
    weights: np.ndarray  # (folds, 2^hash_bits)
    intercepts: np.ndarray  # (folds,)

    def score(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns `id`, `score`, `fold`, in input order; for pool and reference documents alike."""
        fold = fold_of(frame, self.params)
        logits = np.concatenate(
            [
                np.zeros((0, len(self.weights))),
                *(x @ self.weights.T for x in _feature_blocks(frame, self.params)),
            ]
        )
        logit = logits[np.arange(frame.height), fold] + self.intercepts[fold]
        return pl.DataFrame({"id": frame["id"], "score": _sigmoid(logit), "fold": fold})


@dataclass(frozen=True)
class QualityResult:
    """Scores and how far to trust them."""

    scores: pl.DataFrame  # pool: id, score, fold
    reference_scores: pl.DataFrame  # reference: id, score, fold
    # held-out area under the ROC curve, reference against pool, one a fold
    fold_auc: list[float]
    # reliability bins: low, high, predicted, observed, documents
    calibration: pl.DataFrame
    length_correlation: float  # Spearman, score against characters within a pool, mean over pools by documents
    model: QualityModel

    @property
    def auc(self) -> float:
        """Mean over folds."""
        return float(np.mean(self.fold_auc))


def fold_of(frame: pl.DataFrame, params: Quality) -> np.ndarray:
    """Fold of each document, by its parent: passages of one document share it."""
    return (uniform(params.seed, frame["parent"], "fold") * params.folds).astype(
        np.int64
    )


def features(frame: pl.DataFrame, params: Quality) -> "csr_matrix":
    """Rows over hashed n-grams, each counted as 1 + log(count), divided by their sum to the power `LENGTH_POWER`."""
    from scipy.sparse import csr_matrix, vstack

    parts = list(_feature_blocks(frame, params))
    return (
        vstack(parts, format="csr")
        if parts
        else csr_matrix((0, 1 << params.hash_bits), dtype=np.float32)
    )


def _feature_blocks(frame: pl.DataFrame, params: Quality) -> "Iterable[csr_matrix]":
    for _, block in blocks(frame["text"]):
        words, docs = plain_words(block)
        grams = [shingles(words, docs, n) for n in range(1, params.ngram_words + 1)]
        columns = np.concatenate([hashes for hashes, _ in grams]) >> np.uint64(
            64 - params.hash_bits
        )
        owners = np.concatenate(
            [np.repeat(np.arange(block.n_docs), np.diff(bounds)) for _, bounds in grams]
        )
        yield _normalised(columns, owners, n_docs=block.n_docs, params=params)


def _normalised(
    columns: np.ndarray, owners: np.ndarray, n_docs: int, params: Quality
) -> "csr_matrix":
    from scipy.sparse import csr_matrix

    keys, counts = np.unique(
        (owners.astype(np.uint64) << np.uint64(params.hash_bits)) | columns,
        return_counts=True,
    )
    rows = (keys >> np.uint64(params.hash_bits)).astype(np.int64)
    values = 1 + np.log(counts)
    values *= (
        ROW_SCALE
        * np.bincount(rows, weights=values, minlength=n_docs)[rows] ** -LENGTH_POWER
    )
    indptr = np.searchsorted(rows, np.arange(n_docs + 1))
    indices = (keys & np.uint64((1 << params.hash_bits) - 1)).astype(np.int32)
    return csr_matrix(
        (values.astype(np.float32), indices, indptr),
        shape=(n_docs, 1 << params.hash_bits),
    )


def fit_quality(
    pool: pl.DataFrame, reference: pl.DataFrame, params: Quality = Quality()
) -> QualityModel:
    """One model a fold, each trained on the other folds of pool (0) and reference (1) with equal class weights.

    Rows are sorted by id first, so the order of the input does not matter.
    """
    return fit_sampled(
        training_sample(HeldPool(pool), params),
        training_sample(HeldPool(reference), params),
        params,
    )


def training_sample(documents: Documents, params: Quality) -> pl.DataFrame:
    """What is learned from: about `train_chars` characters, whole parents by hash, sorted by id."""
    share = training_share(documents.n_chars, params)
    return pl.concat(
        compact(frame.filter(in_sample(frame, share, params)))
        for frame in documents.batches()
    )


def training_share(n_chars: int, params: Quality) -> float:
    """The share of parents that is learned from."""
    return params.train_chars / max(1, n_chars)


def in_sample(frame: pl.DataFrame, share: float, params: Quality) -> pl.Series:
    """Which documents are learned from."""
    if share >= 1:
        return pl.repeat(True, frame.height, eager=True)
    return pl.Series(
        uniform(params.seed, frame["parent"], "train") < share, dtype=pl.Boolean
    )


def fit_sampled(
    pool: pl.DataFrame, reference: pl.DataFrame, params: Quality
) -> QualityModel:
    """One model a fold from training samples sorted by id."""
    fold = np.concatenate([fold_of(pool, params), fold_of(reference, params)])
    label = np.repeat([0, 1], [pool.height, reference.height])
    _refuse_thin(fold, label, params)
    from scipy.sparse import vstack

    x = vstack(
        [*_feature_blocks(pool, params), *_feature_blocks(reference, params)],
        format="csr",
    )
    weights, intercepts = zip(
        *(
            _fit_fold(x[fold != f], label[fold != f], params)
            for f in range(params.folds)
        ),
        strict=True,
    )
    return QualityModel(params, np.stack(weights), np.array(intercepts))


def _refuse_thin(fold: np.ndarray, label: np.ndarray, params: Quality) -> None:
    for name, value in (("pool", 0), ("reference", 1)):
        seen = len(np.unique(fold[label == value]))
        if seen < params.folds:
            raise InputError(
                f"the {name} fills only {seen} of {params.folds} folds with its"
                f" {int((label == value).sum())} documents; give more of them (whole"
                " documents, not passages of one) or set fewer folds"
            )


def _fit_fold(
    x: "csr_matrix", label: np.ndarray, params: Quality
) -> tuple[np.ndarray, float]:
    from sklearn.linear_model import SGDClassifier  # takes a second to import

    model = SGDClassifier(
        loss="log_loss",
        alpha=params.l2,
        max_iter=params.passes,
        tol=None,
        average=True,
        class_weight="balanced",
        random_state=params.seed,
    )
    model.fit(x, label)
    return model.coef_[0].astype(np.float64), float(model.intercept_[0])


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * logit))


def quality_scores(
    pool: pl.DataFrame, reference: pl.DataFrame, params: Quality = Quality()
) -> QualityResult:
    """Fit, then score the pool and the reference out of fold.

    >>> from stages.curation.reading.documents import documents
    >>> names = [str(i) for i in range(60)]
    >>> good = [f"minister said the council of town {name} met" for name in names]
    >>> code = [f"def f{name} return self import class" for name in names]
    >>> pool = documents(good[:30] + code[:30], names, "web")
    >>> result = quality_scores(pool, documents(good[30:], names[30:], "reference"))
    >>> best = pool.join(result.scores, on="id").sort("score", descending=True).head(30)
    >>> best["text"].str.contains("council").all()
    True
    """
    model = fit_quality(pool, reference, params)
    return quality_result(
        model, model.score(pool), reference_scores=model.score(reference), pool=pool
    )


def quality_result(
    model: QualityModel,
    scores: pl.DataFrame,
    reference_scores: pl.DataFrame,
    pool: pl.DataFrame,
) -> QualityResult:
    """How far to trust scores (columns `score`, `fold`) of a pool, of which `pool` and `n_chars`
    are looked at, and a reference.
    """
    params = model.params
    aucs = [
        _auc(scores.filter(fold=f), reference_scores.filter(fold=f))
        for f in range(params.folds)
    ]
    bins = calibration(
        scores["score"].to_numpy(), reference_scores["score"].to_numpy(), params.bins
    )
    return QualityResult(
        scores,
        reference_scores=reference_scores,
        fold_auc=aucs,
        calibration=bins,
        length_correlation=_length_correlation(pool, scores),
        model=model,
    )


def _length_correlation(pool: pl.DataFrame, scores: pl.DataFrame) -> float:
    table = pool.select("pool", "n_chars").with_columns(scores["score"])
    each = table.group_by("pool").agg(
        pl.corr("score", "n_chars", method="spearman").alias("r"), pl.len().alias("n")
    )
    each = each.filter(pl.col("r").is_not_nan())
    return float((each["r"] * each["n"]).sum() / max(1, each["n"].sum()))


def _auc(pool: pl.DataFrame, reference: pl.DataFrame) -> float:
    from sklearn.metrics import roc_auc_score

    label = np.repeat([0, 1], [pool.height, reference.height])
    return float(
        roc_auc_score(
            label,
            np.concatenate([pool["score"].to_numpy(), reference["score"].to_numpy()]),
        )
    )


def calibration(
    pool_scores: np.ndarray, reference_scores: np.ndarray, bins: int
) -> pl.DataFrame:
    """Reliability bins with both classes weighted to one half: `predicted` mean score, `observed`
    share of reference.
    """
    score = np.concatenate([pool_scores, reference_scores])
    positive = np.repeat([0.0, 1.0], [len(pool_scores), len(reference_scores)])
    weight = np.where(
        positive == 1,
        0.5 / max(1, len(reference_scores)),
        0.5 / max(1, len(pool_scores)),
    )
    place = np.minimum((score * bins).astype(np.int64), bins - 1)
    total = np.bincount(place, weights=weight, minlength=bins)
    with np.errstate(invalid="ignore"):
        predicted = np.bincount(place, weights=weight * score, minlength=bins) / total
        observed = np.bincount(place, weights=weight * positive, minlength=bins) / total
    edges = np.arange(bins + 1) / bins
    counts = np.bincount(place, minlength=bins)
    return pl.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "predicted": predicted,
            "observed": observed,
            "documents": counts,
        }
    )
