"""Selections that leave no class behind: a floor for every class first, then the rest by score.

Question: which rows are kept when pruning would starve a class? Input: a table with `id`, a score,
a label and a size. Output: the rows kept. With kept fraction f, N rows and C classes, class c first
keeps its best min(|c|, b f N / C), then the best of all others fill up to f N (Sorscher et al.
2022, appendix; b = 0.5 there). Sizes may be tokens. Fails with label noise: the floor protects a
wrong label as well as a rare one.
"""

import numpy as np
import polars as pl

from stages.curation.selecting.selection import ranked
from stages.foundation.errors import InputError

FLOOR = 0.5  # cited: Sorscher et al. 2022
# 0.7 of 10 is 7.000000000000001 in floating point, which must not mean 8
ROUNDING = 1e-12


def keep_balanced(
    frame: pl.DataFrame,
    fraction: float,
    *,
    label: str = "label",
    floor: float = FLOOR,
    score: str | None = "score",
    take: str = "high",
    size: str = "n_tokens",
    seed: int = 0,
) -> pl.DataFrame:
    """The rows kept, in input order: `fraction` of the total size, overshooting by less than one row.

    >>> images = pl.DataFrame({"id": list("abcdef"), "label": [0, 0, 0, 0, 1, 1],
    ...                        "score": [6, 5, 4, 3, 2, 1], "n_samples": [1] * 6})
    >>> keep_balanced(images, 0.5, size="n_samples")["id"].to_list()
    ['a', 'b', 'e']
    >>> keep_balanced(images, 0.5, floor=0.0, size="n_samples")["id"].to_list()
    ['a', 'b', 'c']
    """
    if not 0 <= fraction <= 1 or not 0 <= floor <= 1:
        raise InputError(
            f"kept fraction {fraction} and floor {floor} must lie in 0 to 1; write 20 %"
            " as 0.2"
        )
    order = (
        ranked(frame, take, score=score, size=size, seed=seed)
        .select("id", _size=size)
        .with_row_index("_rank")
    )
    order = order.join(
        frame.select("id", _label=label), on="id", how="left", maintain_order="left"
    )
    if order["_label"].null_count():
        raise InputError(
            f"{order['_label'].null_count()} of {frame.height} rows have no {label!r};"
            " label all of them before balancing"
        )
    target = fraction * order["_size"].sum() * (1 - ROUNDING)
    quota = floor * target / max(1, order["_label"].n_unique())
    before_in_class = (pl.col("_size").cum_sum() - pl.col("_size")).over("_label")
    order = order.with_columns(_floor=before_in_class < quota).sort(
        pl.col("_floor").not_(), "_rank"
    )
    kept = order.filter(pl.col("_size").cum_sum() - pl.col("_size") < target).select(
        "id"
    )
    return frame.join(kept, on="id", how="semi", maintain_order="left")


def balance(labels: np.ndarray | pl.Series) -> float:
    """Mean over pairs of classes of the smaller count over the larger: 1 is even, near 0 is starved
    (Sorscher et al. 2022).
    """
    _, counts = np.unique(np.asarray(labels), return_counts=True)
    if len(counts) < 2:
        return 1.0
    first, second = np.triu_indices(len(counts), 1)
    return float(
        (
            np.minimum(counts[first], counts[second])
            / np.maximum(counts[first], counts[second])
        ).mean()
    )
