"""What the dedup stage says of pools that lose much to copies, or share a text.

Question: is there something to look at before an arm drops copies? Input: the pools' shards, the keys of
every document, the table of clusters. Output: one line a finding, pool by pool. Cost: a read of the
ids and pools, and of the texts of at most 40 documents a pool.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import polars as pl

from stages.curation.duplicates.losses import (
    LEAST_DOCUMENTS,
    MOST_NAMED,
    WITNESSES,
    Group,
    copy_warnings,
)
from stages.curation.duplicates.minhash import SHARED
from stages.curation.duplicates.settings import Limits
from stages.curation.reading.row_groups import batches


class WarnLimits(Protocol):
    @property
    def warn_lost(self) -> float: ...

    @property
    def warn_cluster(self) -> float: ...

    @property
    def warn_shared(self) -> float: ...


def pool_warnings(
    shards: Sequence[Path],
    keys: pl.DataFrame,
    clusters: pl.DataFrame,
    params: WarnLimits,
) -> list[str]:
    """`keys` has `id` and the columns SHARED, `clusters` is what `near_clusters` gives."""
    pools = pl.concat(
        [
            pl.DataFrame(schema={"id": pl.String, "pool": pl.String}),
            *(pl.read_parquet(shard, columns=["id", "pool"]) for shard in shards),
        ]
    )
    table = clusters.join(pools, on="id").join(keys, on="id")
    found = [
        (pool, part, _largest(part), _shared(part))
        for (pool,), part in table.sort("pool", "id").group_by(
            "pool", maintain_order=True
        )
    ]
    wanted = [ids for *_, both in _listed(found) for _, ids in both]
    texts = _texts(shards, {id_ for ids in wanted for id_ in ids})
    limits = Limits(
        lost=params.warn_lost, cluster=params.warn_cluster, shared=params.warn_shared
    )
    return [
        warning.message
        for pool, part, largest, shared in found
        for warning in copy_warnings(
            str(pool),
            part.height,
            int((~part["is_first"]).sum()),
            clusters=_groups(largest, texts),
            shared=_groups(shared, texts),
            limits=limits,
        )
    ]


Counted = list[tuple[int, list[str]]]


def _listed(found: Iterable[tuple]) -> Iterable[tuple]:
    return ((pool, largest + shared) for pool, _, largest, shared in found)


def _largest(part: pl.DataFrame) -> Counted:
    """(documents that go, [the one that stays]) of the largest clusters."""
    counts = (
        part.filter(pl.col("duplicate_of").is_not_null())
        .group_by("duplicate_of")
        .len("n")
        .filter(pl.col("n") >= LEAST_DOCUMENTS)
        .sort(["n", "duplicate_of"], descending=[True, False])
    )
    return [(n, [id_]) for id_, n in counts.head(MOST_NAMED).iter_rows()]


def _shared(part: pl.DataFrame) -> Counted:
    """(documents, some of them) of what shares a minimum and stays."""
    kept = part.filter("is_first")
    groups: Counted = []
    for name in SHARED:
        counts = (
            kept.group_by(name)
            .agg(n=pl.len(), ids=pl.col("id").sort().head(WITNESSES))
            .filter(pl.col("n") >= LEAST_DOCUMENTS)
            .sort(["n", name], descending=[True, False])
        )
        groups += counts.head(2 * MOST_NAMED).select("n", "ids").rows()
    return sorted(groups, key=lambda group: -group[0])


def _texts(shards: Sequence[Path], ids: set[str]) -> dict[str, str]:
    if not ids:
        return {}
    wanted = pl.Series(sorted(ids)).implode()
    return {
        id_: text
        for shard in shards
        for frame in batches(shard, ["id", "text"])
        for id_, text in frame.filter(pl.col("id").is_in(wanted)).iter_rows()
    }


def _groups(counted: Counted, texts: dict[str, str]) -> list[Group]:
    return [
        Group(n, [texts[id_] for id_ in ids if id_ in texts], kept_id=ids[0])
        for n, ids in counted
    ]
