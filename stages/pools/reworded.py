"""Question: of which document of another pool was each reworded one made, and may it be trained on?
Input: the staged pools. Output: what is reworded with the id of its source in `origin`, and a reason
where the source is nothing to train on: held out, reference, or itself dropped for repeating held-out
text. Cost: seconds; memory of the name and id of every document of the pools that are sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from stages.foundation.errors import ParamsError
from stages.foundation.one_line import shortened
from stages.pools.removal import own_id
from stages.pools.staged_pools import StagedPool
from stages.settings.pools import IngestParams, Pool

# by what the source is, why a reworded document is not trained on
REASONS = {"heldout": "source held out", "reference": "source in the reference"}
DROPPED = "source repeats held-out text"


@dataclass
class Sources:
    """The documents of one pool by the names that reworded ones use. table: name, source_id, source_role, parents;
    removed: names on a removal list -> entry; dropped: ids of those that left the pool.
    """

    pool: str
    table: pl.DataFrame
    removed: dict[str, str]
    dropped: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, name: str, staged: StagedPool) -> "Sources":
        """Of a staged pool, also of the documents that `max_chars` leaves out."""
        scanned = pl.scan_parquet(staged.path).select(
            own_id().alias("name"), "parent", pl.col("role").cast(pl.String)
        )
        table = scanned.group_by("name").agg(
            source_id=pl.col("parent").min(),
            source_role=pl.col("role").min(),
            parents=pl.col("parent").n_unique(),
        )
        return cls(name, table.collect(), staged.removed_ids)

    def judged(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Documents made of these, less those whose source was removed, with its id as `origin`, and `own_reason`."""
        found = self._named(frame.lazy()).collect()
        reason = (
            pl.when(pl.col("source_id").is_in(list(self.dropped)))
            .then(pl.lit(DROPPED))
            .otherwise(
                pl.col("source_role").replace_strict(
                    REASONS, default=None, return_dtype=pl.String
                )
            )
        )
        return found.with_columns(origin="source_id", own_reason=reason).select(
            *frame.columns, "own_reason"
        )

    def refuse_unnamed(self, name: str, staged: StagedPool) -> None:
        """Raises ParamsError where a document of the pool `name` names none of these, or a name that two have."""
        columns = pl.scan_parquet(staged.path).select("origin")
        found = self._named(columns)
        place = f"ingest.pools.{name}.source"
        lost = found.filter(pl.col("source_id").is_null()).select("name").collect()
        if lost.height:
            first = lost["name"][0]
            said = repr(shortened(first, 60)) if first else "nothing"
            raise ParamsError(
                f"{place}: {lost.height} documents name no document of the pool"
                f" {self.pool}, the first names {said}; map the column that holds the"
                " source's id, or take these documents out"
            )
        twice = found.filter(pl.col("parents") > 1).select("name", "parents")
        for shared, count in twice.head(1).collect().iter_rows():
            raise ParamsError(
                f"{place}: {shared!r} names {count} documents of the pool {self.pool};"
                " give its documents different ids"
            )

    def _named(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Documents, less those whose source was removed, with `name` and what is known of the source of this name."""
        named = frame.with_columns(name=pl.col("origin").str.strip_chars())
        gone = pl.col("name").is_in([*self.removed]).fill_null(False)
        return named.filter(~gone).join(
            self.table.lazy(), on="name", how="left", maintain_order="left"
        )


def sources_of(
    params: IngestParams, staged: Mapping[str, StagedPool]
) -> dict[str, Sources]:
    """Pool -> its documents by name, of the pools that others were made of.

    Raises ParamsError where a document that was made of others names none of them, or two.
    """
    found: dict[str, Sources] = {}
    for name, pool in params.pools.items():
        if pool.source is None:
            continue
        source = pool.source.pool
        if source not in found:
            found[source] = Sources.of(source, staged[source])
        found[source].refuse_unnamed(name, staged[name])
    return found


def in_order(pools: Mapping[str, Pool]) -> list[str]:
    """The names of pools, those that were made of others behind these."""
    return sorted(pools, key=lambda name: pools[name].source is not None)
