"""Which documents a kept fraction means, by score or at random, and the tiers in between.

Question: what is "the best 20 %"? Input: a table with `id`, a score and a size. Output: ids. Fractions are of tokens
(or of another size column), never of documents, so selections of one fraction cost the same compute. Documents are
taken in order until the fraction is reached; ties go by id, so the result does not depend on the order of the rows.
"""

from collections.abc import Sequence

import polars as pl

from stages.curation.reading.documents import id_names, uniform
from stages.foundation.errors import InputError

TAKES = {
    "high": "highest scores first; keep-hard where the score is a difficulty",
    "low": "lowest scores first; keep-easy where the score is a difficulty",
    "middle": "nearest to the median token first (Marion et al. 2023)",
    "random": "in the order of hash(seed, id): the baseline at equal tokens",
}
# cumulative shares of tokens, best first (assumed; the last must be 1)
TIER_EDGES = (0.05, 0.2, 0.5, 1.0)


def keep_fraction(
    frame: pl.DataFrame,
    fraction: float,
    *,
    score: str | None = "score",
    take: str = "high",
    size: str = "n_tokens",
    seed: int = 0,
    missing: str = "refuse",
) -> pl.DataFrame:
    """The documents kept, in input order: at least `fraction` of the total `size`, by less than one document too much.

    `score` may be None where `take` is "random". `missing` "last" takes documents without a score (too short for one)
    after all others whatever the take; "refuse" takes them for an error.

    >>> pool = pl.DataFrame({"id": ["a", "b", "c"], "n_tokens": [50, 30, 20], "score": [0.1, 0.9, 0.5]})
    >>> keep_fraction(pool, 0.3)["id"].to_list()  # the best-scoring documents that hold 30 % of the tokens
    ['b']
    >>> keep_fraction(pool, 0.4, take="low")["id"].to_list()
    ['a']
    """
    if not 0 <= fraction <= 1:
        raise InputError(
            f"kept fraction {fraction} is outside 0 to 1; write 20 % as 0.2"
        )
    order = ranked(frame, take, score=score, size=size, seed=seed, missing=missing)
    kept = order.filter(_before(size) < fraction * pl.col(size).sum()).select("id")
    return frame.join(kept, on="id", how="semi", maintain_order="left")


def tiers(
    frame: pl.DataFrame,
    edges: Sequence[float] = TIER_EDGES,
    *,
    score: str = "score",
    size: str = "n_tokens",
) -> pl.DataFrame:
    """The frame with columns `tier` (0 is best) and `tier_name` ("5-20" holds the best 5 to 20 % of the tokens).

    Tier 0 to k together are exactly `keep_fraction(frame, edges[k])`.
    """
    edges = list(edges)
    if sorted(set(edges)) != edges or not edges or edges[0] <= 0 or edges[-1] != 1:
        raise InputError(
            f"tier edges {edges} must rise from above 0 to 1, for example 0.05, 0.2,"
            " 0.5, 1"
        )
    order = ranked(frame, "high", score=score, size=size, seed=0)
    above = (
        sum(
            (_before(size) >= edge * pl.col(size).sum()).cast(pl.Int32)
            for edge in edges[:-1]
        )
        if len(edges) > 1
        else pl.lit(0)
    )
    names = [
        f"{low * 100:g}-{high * 100:g}"
        for low, high in zip([0, *edges], edges, strict=False)
    ]
    order = order.select("id", tier=above)
    named = order.with_columns(
        tier_name=pl.col("tier").replace_strict(
            range(len(edges)), names, return_dtype=pl.String
        )
    )
    return frame.join(named, on="id", how="left", maintain_order="left")


def _before(size: str) -> pl.Expr:
    return pl.col(size).cum_sum() - pl.col(size)


def ranked(
    frame: pl.DataFrame,
    take: str,
    score: str | None,
    size: str,
    seed: int,
    missing: str = "refuse",
) -> pl.DataFrame:
    """Columns `id` and the size, first to be kept first."""
    if take not in TAKES:
        raise InputError(
            f"cannot take {take!r} of a score; known are {', '.join(TAKES)}"
        )
    if take == "random":
        order = frame.select("id", pl.col(size).cast(pl.Int64)).with_columns(
            _order=uniform(seed, id_names(frame["id"]), "random selection")
        )
        return order.sort("_order", "id")
    order = frame.select(
        "id", pl.col(size).cast(pl.Int64), _score=pl.col(score).cast(pl.Float64)
    )
    lacking = order["_score"].is_null() | order["_score"].is_nan()
    if missing == "last":
        return pl.concat(
            [
                _ordered(order.filter(~lacking), take, size),
                order.filter(lacking).sort("id"),
            ],
            how="diagonal",
        )
    if bad := int(lacking.sum()):
        raise InputError(
            f"{bad} of {frame.height} documents have no {score!r}; score all of them"
            " before selecting"
        )
    return _ordered(order, take, size)


def _ordered(order: pl.DataFrame, take: str, size: str) -> pl.DataFrame:
    best_first = order.sort("_score", "id", descending=[take != "low", False])
    if take != "middle":
        return best_first
    centre = (_before(size) + pl.col(size) / 2 - pl.col(size).sum() / 2).abs()
    return best_first.with_columns(_centre=centre).sort("_centre", "id")
