"""Perplexity of documents under a small model of text: a score for pruning, and the bands that the
literature keeps.

Question: how hard is a document for somebody who has read the reference (or the rest of the pool)?
Input: documents. Output: mean nats a token, high = hard (unlike what was read). `train_on`
reference is CCNet's way (Wenzek et al. 2020: a model of good text; low = head); pool is the way of
Marion et al. 2023 and Ankner et al. 2024, where the model has read a random part of the same pool:
two models here, each scoring the half (by parent) that it has not read. The mean is over tokens, so
length itself does not enter; but few tokens make a noisy mean, so documents below `min_tokens` have
no score and come last in every selection. `length_correlation` says what is left. Fails both ways
(tests): text that repeats what was read (boilerplate, copies) is the easiest of all, and noise the
hardest, so keep-easy keeps copies and keep-hard keeps noise: deduplicate first and prefer the
middle where nothing is known.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from stages.curation.reading.documents import uniform
from stages.curation.reading.ordered_pool import Documents, HeldPool
from stages.curation.scores.ngram_model import Ngram, NgramModel, train_ngram
from stages.curation.selecting.selection import keep_fraction, tiers
from stages.foundation.errors import InputError

# names of Ankner et al. -> ends of a score
BANDS = {"high": "high", "medium": "middle", "low": "low"}
CCNET = ("head", "middle", "tail")  # thirds of the tokens, most fluent first


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """Settings of the score."""

    unit: str = "word"
    order: int = 3
    train_on: str = "reference"
    train_chars: int = 50_000_000  # more is subsampled by hash
    min_tokens: int = 8  # assumed: shorter documents get no score
    seed: int = 0


@dataclass(frozen=True, eq=False)
class FittedPerplexity:
    """One model that has read the reference, or two that have each read half of the pool and score the other half."""

    params: Perplexity
    models: list[NgramModel]

    def score(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns `id`, `nats` (mean a token, null below `min_tokens`), `tokens`, in input order."""
        if len(self.models) == 1:
            return score_documents(self.models[0], frame, self.params.min_tokens)
        half = first_half(frame, self.params)
        parts = [
            score_documents(model, frame.filter(side), self.params.min_tokens)
            for model, side in zip(self.models, (half, ~half), strict=True)
        ]
        return frame.select("id").join(
            pl.concat(parts), on="id", how="left", maintain_order="left", validate="1:1"
        )


def perplexity_scores(
    pool: pl.DataFrame,
    reference: pl.DataFrame | None,
    params: Perplexity = Perplexity(),
) -> pl.DataFrame:
    """Columns `id`, `nats`, `tokens` of `FittedPerplexity.score`.

    >>> from stages.curation.reading.documents import documents
    >>> reference = documents(["the cat sat on the mat"] * 3, ["1", "2", "3"], "good")
    >>> pool = documents(["the cat sat on the mat", "mat mat cat the sat"], ["a", "b"], "web")
    >>> scored = pool.join(perplexity_scores(pool, reference), on="id").sort("nats")
    >>> scored.select("source", "tokens").rows()
    [('a', 6), ('b', 5)]
    """
    return fit_perplexity(
        HeldPool(pool), None if reference is None else HeldPool(reference), params
    ).score(pool)


def fit_perplexity(
    pool: Documents, reference: Documents | None, params: Perplexity
) -> FittedPerplexity:
    """Train what scores the pool; texts go batch by batch, what is counted is held."""
    ngram = Ngram(unit=params.unit, order=params.order)
    if params.train_on == "reference":
        if reference is None or not reference.n_chars:
            raise InputError(
                "perplexity trained on the reference needs reference documents; give"
                " some or train on the pool"
            )
        return FittedPerplexity(
            params, [train_ngram(sampled_texts(reference, params), ngram)]
        )
    if params.train_on != "pool":
        raise InputError(
            f"perplexity cannot be trained on {params.train_on!r}; choose reference or"
            " pool"
        )
    sides = pl.concat(first_half(frame, params) for frame in pool.batches(["parent"]))
    if sides.all() or not sides.any():
        raise InputError(
            f"the pool of {len(sides)} documents has too few parents to train on one"
            " half and score the other"
        )
    return FittedPerplexity(
        params,
        [
            train_ngram(sampled_texts(pool, params, reads), ngram)
            for reads in (False, True)
        ],
    )


def first_half(frame: pl.DataFrame, params: Perplexity) -> pl.Series:
    """Which documents are in the first half, by parent."""
    return pl.Series(
        uniform(params.seed, frame["parent"], "perplexity half") < 0.5, dtype=pl.Boolean
    )


def sampled_texts(
    documents: Documents, params: Perplexity, side: bool | None = None
) -> Iterator[pl.Series]:
    """Texts of at most about `train_chars` characters, whole parents by hash, in id order, of one
    half or (None) of all.
    """

    def mine(frame: pl.DataFrame) -> pl.DataFrame:
        return (
            frame if side is None else frame.filter(first_half(frame, params) == side)
        )

    share = params.train_chars / max(
        1,
        sum(
            int(mine(frame)["n_chars"].sum())
            for frame in documents.batches(["parent", "n_chars"])
        ),
    )
    for frame in documents.batches():
        frame = mine(frame)
        yield (
            frame
            if share >= 1
            else frame.filter(
                pl.Series(
                    uniform(params.seed, frame["parent"], "perplexity train") < share,
                    dtype=pl.Boolean,
                )
            )
        )["text"]


def score_documents(
    model: NgramModel, frame: pl.DataFrame, min_tokens: int
) -> pl.DataFrame:
    """The same columns under a given model, for new data too."""
    nats, tokens = model.document_nats(frame["text"])
    mean = pl.Series(nats / np.maximum(tokens, 1))
    scored = pl.DataFrame({"id": frame["id"], "nats": mean, "tokens": tokens})
    return scored.with_columns(
        nats=pl.when(pl.col("tokens") >= max(1, min_tokens)).then("nats")
    )


def length_correlation(scored: pl.DataFrame) -> float:
    """Spearman correlation of nats and tokens over documents that have a score: the length bias that is left."""
    return float(
        scored.filter(pl.col("nats").is_not_null())
        .select(pl.corr("nats", "tokens", method="spearman"))
        .item()
    )


def keep_band(
    frame: pl.DataFrame,
    fraction: float,
    band: str,
    *,
    score: str = "nats",
    within: str | None = "pool",
) -> pl.DataFrame:
    """The documents of one band, `fraction` of the tokens of each group of `within` (Ankner et al.
    prune by domain), in input order.

    frame: `id`, `n_tokens`, the score. Tokens are equal for every band, to one document a group.
    """
    if band not in BANDS:
        raise InputError(f"no perplexity band {band!r}; choose {', '.join(BANDS)}")
    groups = (
        [frame] if within is None else frame.partition_by(within, maintain_order=True)
    )
    kept = pl.concat(
        keep_fraction(group, fraction, score=score, take=BANDS[band], missing="last")
        for group in groups
    )
    return frame.join(kept.select("id"), on="id", how="semi", maintain_order="left")


def ccnet_parts(
    frame: pl.DataFrame, *, score: str = "nats", within: str = "lang"
) -> pl.Series:
    """head, middle or tail of each document: thirds of the tokens of each language, most fluent
    first; null without a score.
    """
    known = frame.filter(pl.col(score).is_not_null()).with_columns(
        _fluent=-pl.col(score)
    )
    parts = [
        tiers(group, [1 / 3, 2 / 3, 1.0], score="_fluent")
        for group in known.partition_by(within, maintain_order=True)
    ]
    named = (
        pl.concat(parts).select(
            "id",
            part=pl.col("tier").replace_strict(range(3), CCNET, return_dtype=pl.String),
        )
        if parts
        else None
    )
    if named is None:
        return pl.Series("part", [None] * frame.height, dtype=pl.String)
    return frame.select("id").join(
        named, on="id", how="left", maintain_order="left", validate="1:1"
    )["part"]
