"""Resamples of a pool, so that the luck of which documents were drawn is part of every interval.

Question: which documents would another crawl of this size hold? Input: a table with `id`, `pool` and a size. Output:
about the wanted number of tokens, the pools in their proportions, without replacement, fixed by (seed, id) alone.
Two draws of one pool share documents (`draw`) unless they are made together (`disjoint_draws`); sharing narrows the
spread between draws by about the square root of the share that is not drawn, so prefer disjoint ones where they fit.
"""

import itertools

import polars as pl

from stages.curation.reading.documents import uniform
from stages.foundation.errors import InputError


def draw(
    frame: pl.DataFrame,
    tokens: int,
    seed: int,
    *,
    size: str = "n_tokens",
    unit: str = "id",
) -> pl.DataFrame:
    """Documents of one draw, in input order; each pool gives its share of `tokens`, to within half a document.

    `unit` "parent" draws whole parents, with all their passages, as a crawl would.
    """
    return _cut(frame, [0, tokens], seed=seed, size=size, unit=unit)[0]


def disjoint_draws(
    frame: pl.DataFrame,
    tokens: int,
    count: int,
    seed: int,
    *,
    size: str = "n_tokens",
    unit: str = "id",
) -> list[pl.DataFrame]:
    """`count` draws that share no document.

    >>> pool = pl.DataFrame({"id": [f"{i:04}" for i in range(1000)], "pool": "web", "n_tokens": 10})
    >>> first, second = disjoint_draws(pool, 2000, 2, seed=0)
    >>> first["n_tokens"].sum(), first.join(second, on="id").height
    (2000, 0)
    """
    return _cut(
        frame,
        [tokens * index for index in range(count + 1)],
        seed=seed,
        size=size,
        unit=unit,
    )


def _cut(
    frame: pl.DataFrame, edges: list[int], seed: int, size: str, unit: str
) -> list[pl.DataFrame]:
    total = int(frame[size].sum())
    if edges[-1] > total:
        raise InputError(
            f"draws of {edges[1]} {size.removeprefix('n_')} need {edges[-1]}, the pool"
            f" holds {total}; draw fewer or smaller, or add documents"
        )
    order = frame.select(
        "id", "pool", _unit=pl.col(unit), _size=pl.col(size).cast(pl.Int64)
    )
    order = order.with_columns(_order=uniform(seed, frame[unit], "draw")).sort(
        "pool", "_order", "_unit", "id"
    )
    middle = (pl.col("_size").cum_sum() - pl.col("_size") / 2).over("pool")
    whole = pl.col("_size").sum().over("pool")
    order = order.with_columns(_share=middle / whole)
    if unit != "id":  # a parent goes where its first passage goes
        order = order.with_columns(_share=pl.col("_share").min().over("pool", "_unit"))
        # and what lies in several pools to one place, between those that it has in each
        order = order.with_columns(_share=pl.col("_share").mean().over("_unit"))
    shares = [edge / max(total, 1) for edge in edges]
    parts = itertools.pairwise(shares)
    kept = [
        order.filter((pl.col("_share") >= low) & (pl.col("_share") < high)).select("id")
        for low, high in parts
    ]
    return [frame.join(ids, on="id", how="semi", maintain_order="left") for ids in kept]
