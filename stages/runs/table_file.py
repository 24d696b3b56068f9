"""Question: which table stands in this file? Input: CSV or parquet, ours or anybody's. Output: a
frame that is bounded in size and whose columns have names of their own; whatever keeps a file from
being one is an InputError in one line.
"""

import gzip
import io
import re
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from stages.foundation.errors import InputError

MOST_BYTES = 1_000_000_000  # of a CSV file, of a parquet file once decompressed
MOST_VALUES = 50_000_000  # a million runs of fifty columns, .4 GB as numbers
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}
RENAMED = re.compile(r"(.*)_duplicated_\d+$")


def read_file(path: Path) -> pl.DataFrame:
    """The table. Raises InputError where the file is none, or is too large."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give one CSV or parquet table of runs")
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a CSV or parquet table of runs")
    parquet = path.suffix.lower() in (".parquet", ".pq")
    try:
        table = _parquet(path) if parquet else _csv(path)
    except InputError:
        raise
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        pa.ArrowException,
        zstandard.ZstdError,
        OSError,
        EOFError,
        ValueError,
        MemoryError,
    ) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{path}: not readable as {'parquet' if parquet else 'CSV'}: {first}; give"
            " a table of runs"
        ) from None
    _refuse_large(path, table.height, table.width)
    return table


def _parquet(path: Path) -> pl.DataFrame:
    with pq.ParquetFile(path) as file:
        names, n_rows = file.schema_arrow.names, file.metadata.num_rows
        groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
        n_bytes = sum(group.total_byte_size for group in groups)
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{path}: {_two_columns(twice[0])}")
    _refuse_large(path, n_rows, len(names))
    _refuse_bytes(path, n_bytes)
    return pl.read_parquet(path, glob=False, hive_partitioning=False)


def _csv(path: Path) -> pl.DataFrame:
    with open(path, "rb") as file:
        packed = PACKED.get(file.read(2))
        file.seek(0)
        stream: Any = file
        if packed == "gzip":
            stream = gzip.GzipFile(fileobj=file)
        elif packed == "zstd":
            opened = zstandard.ZstdDecompressor().stream_reader(
                file, read_across_frames=True
            )
            stream = io.BufferedReader(opened)
        raw = stream.read(MOST_BYTES + 1)
    _refuse_bytes(path, len(raw))
    table = pl.read_csv(raw, infer_schema_length=None, glob=False)
    for name in table.columns:
        first = RENAMED.match(name)
        if first and first[1] in table.columns:
            raise InputError(f"{path}: {_two_columns(first[1])}")
    return table


def _two_columns(name: str) -> str:
    return f"two columns have the name {name!r}; rename or drop one"


def _refuse_bytes(path: Path, n_bytes: int) -> None:
    if n_bytes > MOST_BYTES:
        raise InputError(
            f"{path}: more than {MOST_BYTES / 1e9:g} GB, too large for a table of runs;"
            " keep the columns and the last rows of runs that are needed"
        )


def _refuse_large(path: Path, n_rows: int, n_columns: int) -> None:
    if n_rows * n_columns > MOST_VALUES:
        raise InputError(
            f"{path}: {n_rows} rows of {n_columns} columns are more than"
            f" {MOST_VALUES // 10**6} million values; keep the columns and the last rows"
            " of runs that are needed"
        )
