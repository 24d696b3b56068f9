"""The retention ledger: what went into each curation step, what stayed, and why the rest was dropped.

Question: where did the documents go? Input: counts, step by step. Output: a table whose every step adds up:
in = kept + dropped by reason, and in = what the step before it kept. A step that does not add up is refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

COLUMNS = {
    "pool": pl.String,  # what the counts are about; "" for everything together
    "step": pl.String,
    "position": pl.Int64,  # of the step, from 0
    "status": pl.String,  # in, kept or dropped
    "reason": pl.String,  # of a drop, else ""
    "documents": pl.Int64,
    "characters": pl.Int64,
    "tokens": pl.Int64,  # null where not yet counted
}


@dataclass(frozen=True)
class Count:
    """Documents and their size. Adding a count without tokens to one with tokens gives one without."""

    documents: int = 0
    characters: int = 0
    tokens: int | None = None

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "Count":
        """Of a document table; tokens if it has a column `n_tokens`."""
        tokens = int(frame["n_tokens"].sum()) if "n_tokens" in frame.columns else None
        return cls(frame.height, int(frame["n_chars"].sum()), tokens)

    def __add__(self, other: "Count") -> "Count":
        tokens = (
            None
            if self.tokens is None or other.tokens is None
            else self.tokens + other.tokens
        )
        return Count(
            self.documents + other.documents, self.characters + other.characters, tokens
        )


class Unbalanced(ValueError):
    """A step of the ledger does not add up: documents were lost or invented."""


class Ledger:
    """Steps in order, for one or several pools.

    >>> ledger = Ledger()
    >>> ledger.add("dedup", Count(10, 100), kept=Count(8, 90), dropped={"exact": Count(2, 10)}, pool="news")
    >>> ledger.frame().filter(status="dropped")["documents"].to_list()
    [2]
    """

    def __init__(self) -> None:
        self.rows: list[dict] = []
        self._last: dict[str, tuple[int, Count]] = {}  # pool -> (position, kept)

    def add(
        self,
        step: str,
        before: Count,
        *,
        kept: Count,
        dropped: Mapping[str, Count] | None = None,
        pool: str = "",
    ) -> None:
        """Record one step of one pool, after checking it against itself and against the step before."""
        dropped = {
            reason: count
            for reason, count in sorted((dropped or {}).items())
            if count.documents or count.characters
        }
        out = sum(dropped.values(), start=kept)
        where = f"{f'pool {pool}' if pool else 'all pools'}, step {step!r}: in"
        _check(where, before, right_name="kept + dropped", right=out)
        position, previous = self._last.get(pool, (-1, before))
        _check(where, before, right_name="kept by the step before", right=previous)
        self._last[pool] = (position + 1, kept)
        entries = [
            ("in", "", before),
            ("kept", "", kept),
            *(("dropped", reason, count) for reason, count in dropped.items()),
        ]
        self.rows += [_row(pool, step, position + 1, *entry) for entry in entries]

    def add_frames(
        self, step: str, before: pl.DataFrame, reasons: pl.DataFrame
    ) -> pl.DataFrame:
        """Record, pool by pool, a step that drops the documents in `reasons` (columns `id`, `reason`; null is kept).

        Returns the documents kept, in their order.
        """
        marked = before.join(
            reasons.select("id", "reason"), on="id", how="left", maintain_order="left"
        )
        for (pool,), part in marked.partition_by(
            "pool", as_dict=True, maintain_order=True
        ).items():
            drops = part.filter(pl.col("reason").is_not_null()).partition_by(
                "reason", as_dict=True
            )
            dropped = {reason: Count.of(rows) for (reason,), rows in drops.items()}
            self.add(
                step,
                Count.of(part),
                kept=Count.of(part.filter(pl.col("reason").is_null())),
                dropped=dropped,
                pool=pool,
            )
        return marked.filter(pl.col("reason").is_null()).select(before.columns)

    def frame(self) -> pl.DataFrame:
        """The ledger as a table with the columns of `COLUMNS`, pools together, steps in order."""
        return pl.DataFrame(self.rows, schema=COLUMNS).sort(
            "pool", "position", maintain_order=True
        )

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "Ledger":
        """Read a table written from `frame`, checking it again."""
        ledger = cls()
        for (pool, _position), rows in (
            frame.sort("pool", "position", maintain_order=True)
            .partition_by("pool", "position", as_dict=True, maintain_order=True)
            .items()
        ):
            by = {
                (row["status"], row["reason"]): Count(
                    row["documents"], row["characters"], row["tokens"]
                )
                for row in rows.iter_rows(named=True)
            }
            dropped = {
                reason: count
                for (status, reason), count in by.items()
                if status == "dropped"
            }
            ledger.add(
                rows["step"][0],
                by["in", ""],
                kept=by["kept", ""],
                dropped=dropped,
                pool=pool,
            )
        return ledger


def _row(
    pool: str, step: str, position: int, status: str, reason: str, count: Count
) -> dict:
    values = (
        pool,
        step,
        position,
        status,
        reason,
        count.documents,
        count.characters,
        count.tokens,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _check(left_name: str, left: Count, right_name: str, right: Count) -> None:
    for unit in ("documents", "characters", "tokens"):
        a, b = getattr(left, unit), getattr(right, unit)
        if a is not None and b is not None and a != b:
            raise Unbalanced(
                f"{left_name} {a} {unit}, but {right_name} {b}; a document was lost or"
                " counted twice"
            )


def merge(ledgers: Iterable[Ledger]) -> Ledger:
    """One ledger for shards that went through the same steps: counts of equal pool, step and reason add up."""
    frames = [ledger.frame() for ledger in ledgers]
    if not frames:
        return Ledger()
    tokens = (
        pl.when(pl.col("tokens").is_null().any())
        .then(None)
        .otherwise(pl.col("tokens").sum())
        .alias("tokens")
    )
    keys = ["pool", "step", "position", "status", "reason"]
    total = (
        pl.concat(frames)
        .group_by(keys, maintain_order=True)
        .agg(pl.col("documents", "characters").sum(), tokens)
    )
    return Ledger.of(total.select(COLUMNS.keys()))
