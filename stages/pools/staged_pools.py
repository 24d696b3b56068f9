"""Question: what does a pool hold, and which of its documents does `max_chars` take? Input: the
user's files, or text in a wheel, read batch by batch. Output: one file a pool, its documents in
reading order with the role of each (held out, reference, pool), to be read again once all held-out
text is known. Cost: 65 MB a CPU-second, read again at 1,000; disk of two thirds of the text (lz4;
measured). Memory of one batch and, where `max_chars` is set, two numbers a document.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.reading.documents import SCHEMA, uniform
from stages.curation.reading.readers import Columns, ReadReport, read_documents
from stages.curation.reading.row_groups import RowGroups, batches
from stages.curation.sample_data.wheels import read_pool
from stages.foundation.errors import ParamsError
from stages.pools.prompt_texts import COLUMN, with_prompt
from stages.pools.removal import named_by, own_id
from stages.settings.pools import UNKNOWN, IngestParams, LicenceColumn, Pool

log = logging.getLogger("assay")


@dataclass(frozen=True)
class StagedPool:
    """The documents of a pool on disk. `last` is the place (hash, row) of the last one that
    `max_chars` takes; None takes all.
    """

    path: Path
    report: ReadReport
    last: tuple[float, int] | None
    # entry of a removal list -> documents that it names, which are not here
    removed: dict[str, int] = field(default_factory=dict)
    # the user's id of each of them -> the entry
    removed_ids: dict[str, str] = field(default_factory=dict)

    def batches(self) -> Iterator[pl.DataFrame]:
        """Document tables with `role`, in reading order."""
        row = 0
        for frame in batches(self.path):
            if self.last is not None:
                frame = frame.with_columns(_row=pl.int_range(row, row + frame.height))
                row += frame.height
                at, last_row = self.last
                frame = frame.filter(
                    (pl.col("_u") < at)
                    | ((pl.col("_u") == at) & (pl.col("_row") <= last_row))
                ).drop("_row", "_u")
            if frame.height:
                yield frame


@dataclass
class _Places:
    """Where each document stands in hash order, and its size: what `max_chars` needs to know of all of them."""

    places: list[np.ndarray] = field(default_factory=list)
    sizes: list[np.ndarray] = field(default_factory=list)

    def add(self, frame: pl.DataFrame) -> None:
        self.places.append(frame["_u"].to_numpy())
        self.sizes.append(frame["n_chars"].to_numpy())

    def last(self, max_chars: int) -> tuple[float, int]:
        """Whole documents in hash order until `max_chars` is reached; passages of one share a hash and go by row."""
        place, size = np.concatenate(self.places), np.concatenate(self.sizes)
        order = np.lexsort((np.arange(len(place)), place))
        taken = int(((np.cumsum(size[order]) - size[order]) < max_chars).sum())
        at = order[taken - 1]
        return float(place[at]), int(at)


@dataclass
class _Removals:
    """What removal lists take from a pool: documents by entry, and the user's id of each with its entry."""

    entries: frozenset[str]
    documents: dict[str, int] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.documents.values())

    def left(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The documents that no entry names; the others are counted."""
        if not self.entries:
            return frame
        entries = named_by(frame, self.entries)
        named = frame.select(own_id().alias("own"), entry=entries).drop_nulls("entry")
        self.ids.update(named.iter_rows())
        for entry, documents in entries.drop_nulls().value_counts().iter_rows():
            self.documents[entry] = self.documents.get(entry, 0) + documents
        return frame.filter(entries.is_null())


def stage_pool(
    name: str,
    pool: Pool,
    params: IngestParams,
    path: Path,
    *,
    url: bool = False,
    prompts: bool = False,
    origins: bool = False,
    removed: frozenset[str] = frozenset(),
) -> StagedPool:
    """Read a pool once; `url` gives every document a column of this name, null where the pool maps none, `prompts`
    one that says how much of the text is a prompt, and `origins` one that names its source. `removed`: entries of
    removal lists, whose documents are left out before anything else sees them.
    """
    report, known, removals = ReadReport(), _Places(), _Removals(removed)
    addresses = with_prompts = documents = characters = 0
    kept_small = ("pool", "lang", "role", "licence")
    groups = RowGroups(path, compression="lz4", dictionaries=kept_small)
    for frame in _read(name, pool, params=params, report=report):
        addresses += frame["url"].count() if "url" in frame.columns else 0
        frame = removals.left(frame)
        if frame.is_empty():
            continue
        frame = frame.select(
            *SCHEMA,
            _licence(frame, pool),
            *([_url(frame)] if url else []),
            *([_prompt_chars(frame)] if prompts else []),
            *([_origin(frame)] if origins else []),
        )
        with_prompts += int((frame[COLUMN] > 0).sum()) if prompts else 0
        frame = frame.with_columns(role=_role(frame, pool, params.seed))
        if pool.max_chars is not None:
            frame = frame.with_columns(
                _u=pl.Series(uniform(params.seed, frame["parent"], "max_chars"))
            )
            known.add(frame)
        groups.add(frame)
        documents += frame.height
        characters += int(frame["n_chars"].sum())
    _refuse_none(name, documents, removals.total)
    groups.close()
    _refuse_unmapped(
        name, pool, no_address=url and not addresses, no_prompt=not with_prompts
    )
    _log_read(name, report, documents=documents, characters=characters)
    if removals.total:
        log.info(
            "ingest: %s: %d documents left out that removal lists name",
            name,
            removals.total,
        )
    last = known.last(pool.max_chars) if pool.max_chars is not None else None
    return StagedPool(path, report, last, removals.documents, removals.ids)


def _refuse_none(name: str, documents: int, n_removed: int) -> None:
    """ParamsError where a pool has no document."""
    if documents:
        return
    if n_removed:
        raise ParamsError(
            f"ingest.pools.{name}: removal lists name all {n_removed}"
            " documents; leave the pool out"
        )
    raise ParamsError(
        f"ingest.pools.{name}: no document with text in it; give other"
        " files or leave the pool out"
    )


def _refuse_unmapped(
    name: str, pool: Pool, *, no_address: bool, no_prompt: bool
) -> None:
    """ParamsError where a column that the pool maps is in no document."""
    if pool.url is not None and no_address:
        raise ParamsError(
            f"ingest.pools.{name}.url: no document has the column {pool.url!r}; map the"
            " column that holds the address, or leave url out"
        )
    if pool.prompt is not None and no_prompt:
        raise ParamsError(
            f"ingest.pools.{name}.prompt: no document has anything in the column"
            f" {pool.prompt!r}; map the one that holds what is asked, or leave prompt out"
        )


def _log_read(
    name: str, report: ReadReport, *, documents: int, characters: int
) -> None:
    if report.empty:
        log.info(
            "ingest: %s: %d empty documents left out, the first is %s",
            name,
            report.empty,
            report.empty_sources[0],
        )
    log.info(
        "ingest: %s: %d documents, %.2f M characters read",
        name,
        documents,
        characters / 1e6,
    )


def _role(frame: pl.DataFrame, pool: Pool, seed: int) -> pl.Expr:
    """Held out, reference or pool, by where the hash of a document falls."""
    place = pl.Series(uniform(seed, frame["parent"], "split"))
    return (
        pl.when(place < pool.heldout)
        .then(pl.lit("heldout"))
        .when(place < pool.heldout + pool.reference)
        .then(pl.lit("reference"))
        .otherwise(pl.lit("pool"))
    )


def _licence(frame: pl.DataFrame, pool: Pool) -> pl.Expr:
    if (licence := pool.one_licence) is not None:
        return pl.lit(licence).alias("licence")
    return pl.col("licence").str.strip_chars().replace("", None).fill_null(UNKNOWN)


def _read(
    name: str, pool: Pool, params: IngestParams, report: ReadReport
) -> Iterator[pl.DataFrame]:
    if pool.extract is not None:
        yield read_pool(
            pool.extract,
            params.wheel_cache,
            pool=name,
            passage_chars=params.passage_chars,
        )
        return
    assert pool.path is not None  # Pool: it has a path where it has nothing else
    carried = {}
    if pool.prompt is not None:
        carried[f"extra_{pool.prompt}"] = "prompt"
    if pool.source is not None:
        carried[f"extra_{pool.source.column}"] = "origin"
    if pool.url is not None:
        carried[f"extra_{pool.url}"] = "url"
    if isinstance(pool.licence, LicenceColumn):
        carried[f"extra_{pool.licence.column}"] = "licence"
    columns = Columns(
        text=pool.text,
        id=pool.id,
        lang=pool.lang,
        extra=tuple(name.removeprefix("extra_") for name in carried),
        prompt=pool.prompt,
        strict=True,
        naming=(pool.source.column,) if pool.source is not None else (),
    )
    for frame in read_documents(
        pool.path,
        name,
        columns=columns,
        # a passage would lose what was asked
        passage_chars=None if pool.prompt is not None else params.passage_chars,
        report=report,
    ):
        named = frame.rename(carried)
        yield named if pool.prompt is None else with_prompt(named)


def _url(frame: pl.DataFrame) -> pl.Expr:
    return (
        pl.col("url")
        if "url" in frame.columns
        else pl.lit(None, dtype=pl.String).alias("url")
    )


def _origin(frame: pl.DataFrame) -> pl.Expr:
    return (
        pl.col("origin")
        if "origin" in frame.columns
        else pl.lit(None, dtype=pl.String).alias("origin")
    )


def _prompt_chars(frame: pl.DataFrame) -> pl.Expr:
    return (
        pl.col(COLUMN) if COLUMN in frame.columns else pl.lit(0, pl.Int64).alias(COLUMN)
    )
