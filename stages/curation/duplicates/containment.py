"""Which tables of a folder are contained in which others: R2D2's three steps (Shah et al. 2023,
2312.13427).

Question: whose rows are all in another data set? Input: a folder of parquet data sets, each a file
or a sub-folder of shards. Output: a graph, child -> parent, with the pairs that each step left.
Rows count as sets, columns by name and type.
1. schema: every column of the child is a column of the parent, of the same type (integers of any
   width alike).
2. statistics: in each column of ordered fixed-size type the child's range lies in the parent's, and
   a column with nulls has nulls there; read from the parquet footers, no data. Steps 1 and 2 never
   lose a true pair.
3. content: rows of the child, drawn by seed, are looked up in the parent; one miss removes the
   pair. A child of which a share e is missing survives n draws with probability (1 - e)^n, so
   n = ln(1 / delta) / e rows bound that by delta; a child of at most n rows is looked up whole, and
   the answer is certain.
Cost: footers; then per pair left one pass over the parent's shared columns. Fails on tables that
hold the same facts written differently (units, spelling, rounding): nothing is matched but equal
values. Nested columns are not compared: such tables are named in `skipped`.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stages.foundation.errors import InputError

SUFFIXES = (".parquet", ".pq")


@dataclass(frozen=True, eq=False)
class Table:
    """A data set: its files, types by column, and per column (min, max, nulls), None where the footers do not say."""

    name: str
    files: tuple[Path, ...]
    types: dict[str, str]
    n_rows: int
    n_bytes: int
    ranges: dict[str, tuple[Any, Any] | None]
    nulls: dict[str, int | None]

    def scan(self) -> pl.LazyFrame:
        """Its rows, lazily, files in name order."""
        return pl.scan_parquet(list(self.files), glob=False)


@dataclass(frozen=True, eq=False)
class Containment:
    """`edges`: child, parent, rows_checked, is_certain. `pairs_left` after each step; `skipped`
    tables with the reason.
    """

    tables: dict[str, Table]
    edges: pl.DataFrame
    pairs_left: dict[str, int]
    skipped: dict[str, str]


def containment_graph(
    folder: Path | str,
    *,
    missing_share: float = 0.01,
    error: float = 0.01,
    seed: int = 0,
) -> Containment:
    """Find every contained pair; a child of which `missing_share` of rows is absent passes with
    probability at most `error`.

    >>> all_days = pl.DataFrame({"day": range(100), "visits": range(0, 300, 3)})
    >>> Path("lake").mkdir()
    >>> all_days.write_parquet("lake/all.parquet")
    >>> all_days.head(30).write_parquet("lake/daily.parquet")
    >>> containment_graph("lake").edges.rows()
    [('daily.parquet', 'all.parquet', 30, True)]
    """
    if not 0 < missing_share < 1 or not 0 < error < 1:
        raise InputError(
            f"missing_share {missing_share} and error {error} must lie between 0 and 1,"
            " for example 0.01"
        )
    tables, skipped = read_tables(folder)
    n_rows = math.ceil(math.log(1 / error) / missing_share)
    every = [
        (child, parent)
        for child in tables.values()
        for parent in tables.values()
        if child is not parent
    ]
    schema = [pair for pair in every if same_columns(*pair)]
    ranges = [pair for pair in schema if within_statistics(*pair)]
    draws = {child.name: sampled_rows(child, n_rows, seed) for child, _ in ranges}
    edges = [
        (child.name, parent.name, len(draws[child.name]), child.n_rows <= n_rows)
        for child, parent in ranges
        if not absent(draws[child.name], parent)
    ]
    frame = pl.DataFrame(
        edges,
        schema={
            "child": pl.String,
            "parent": pl.String,
            "rows_checked": pl.Int64,
            "is_certain": pl.Boolean,
        },
        orient="row",
    )
    left = {
        "all": len(every),
        "schema": len(schema),
        "statistics": len(ranges),
        "content": len(edges),
    }
    return Containment(
        tables, edges=frame.sort("child", "parent"), pairs_left=left, skipped=skipped
    )


def read_tables(folder: Path | str) -> tuple[dict[str, Table], dict[str, str]]:
    """Data sets by name, from footers alone, and those that are not compared."""
    folder, tables, skipped = Path(folder), {}, {}
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; give the folder that holds the data sets"
        )
    for path in sorted(
        entry for entry in folder.iterdir() if not entry.name.startswith(".")
    ):
        files = (
            tuple(sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES))
            if path.is_dir()
            else (path,) * (path.suffix in SUFFIXES)
        )
        if not files:
            continue
        table = _table(path.name, files)
        if nested := [
            name for name, kind in table.types.items() if kind.startswith("nested ")
        ]:
            skipped[table.name] = (
                f"column {nested[0]!r} is"
                f" {table.types[nested[0]].removeprefix('nested ')}"
            )
        else:
            tables[table.name] = table
    if not tables and not skipped:
        raise InputError(
            f"{folder}: holds no parquet data set; each is a .parquet file or a folder"
            " of them"
        )
    return tables, skipped


def same_columns(child: Table, parent: Table) -> bool:
    """Step 1: the child's columns, with their types, are among the parent's."""
    return child.types.items() <= parent.types.items()


def within_statistics(child: Table, parent: Table) -> bool:
    """Step 2: nothing in the footers rules it out. An empty child is within any parent."""
    if child.n_rows == 0:
        return True
    if parent.n_rows == 0:
        return False
    for name in child.types:
        mine, theirs = child.ranges[name], parent.ranges[name]
        if mine and theirs and (mine[0] < theirs[0] or mine[1] > theirs[1]):
            return False
        if child.nulls[name] and parent.nulls[name] == 0:
            return False
    return True


def sampled_rows(table: Table, count: int, seed: int) -> pl.DataFrame:
    """At most `count` distinct places of the table, drawn by seed; all rows where there are no more."""
    if table.n_rows <= count:
        return table.scan().collect()
    places = np.sort(
        np.random.default_rng(seed).choice(table.n_rows, count, replace=False)
    )
    wanted = pl.LazyFrame({"_row": places}, schema={"_row": pl.UInt32})
    return (
        table.scan()
        .with_row_index("_row")
        .join(wanted, on="_row", how="semi")
        .drop("_row")
        .collect(engine="streaming")
    )


def absent(rows: pl.DataFrame, parent: Table) -> int:
    """Step 3: how many of these rows the parent does not hold."""
    if rows.is_empty():
        return 0
    columns = rows.columns
    there = plain(parent.scan().select(columns))
    return (
        plain(rows.lazy())
        .join(there, on=columns, how="anti", nulls_equal=True)
        .select(pl.len())
        .collect(engine="streaming")
        .item()
    )


def plain(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Types that compare across tables: integers of one width, categories as text."""
    import polars.selectors as cs

    return frame.with_columns(
        cs.integer().cast(pl.Int128), cs.categorical().cast(pl.String)
    )  # 128 bits hold every signed and unsigned one


def _table(name: str, files: tuple[Path, ...]) -> Table:
    footers = [_footer(file) for file in files]
    schema = footers[0].schema.to_arrow_schema()
    types = {field.name: _kind(field.type) for field in schema}
    for file, footer in zip(files, footers, strict=True):
        other = {
            field.name: _kind(field.type) for field in footer.schema.to_arrow_schema()
        }
        if other != types:
            raise InputError(
                f"{file}: its columns differ from those of {files[0].name}; one data"
                " set needs one schema"
            )
    ranges, nulls = {}, {}
    for place, column in enumerate(types):
        if not types[column].startswith("nested "):
            ranges[column], nulls[column] = _statistics(footers, place, types[column])
    return Table(
        name,
        files=files,
        types=types,
        n_rows=sum(f.num_rows for f in footers),
        n_bytes=sum(file.stat().st_size for file in files),
        ranges=ranges,
        nulls=nulls,
    )


def _footer(file: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{file}: not a readable parquet file ({str(error).splitlines()[0]}); write"
            " or fetch it again"
        ) from None


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind):
        return "integer"
    if (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
    ):
        return "text"
    return f"nested {kind}" if pa.types.is_nested(kind) else str(kind)


def _statistics(
    footers: list[pq.FileMetaData], place: int, kind: str
) -> tuple[tuple[Any, Any] | None, int | None]:
    """(min, max) over all row groups where each has them, and the nulls. Ranges of text may be cut
    off, so they are not used.
    """
    groups = [
        footer.row_group(g) for footer in footers for g in range(footer.num_row_groups)
    ]
    found = [group.column(place).statistics for group in groups if group.num_rows]
    if not found or any(one is None for one in found):
        return None, None
    nulls = (
        sum(one.null_count for one in found)
        if all(one.has_null_count for one in found)
        else None
    )
    ordered = kind not in ("text", "binary", "large_binary")
    full = (
        [one for one in found if one.null_count != one.num_values + one.null_count]
        if nulls is not None
        else found
    )
    if not ordered or not full or not all(one.has_min_max for one in full):
        return None, nulls
    return (min(one.min for one in full), max(one.max for one in full)), nulls
