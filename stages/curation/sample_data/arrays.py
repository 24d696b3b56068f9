"""Images and other arrays in parquet: raw bytes beside their shape and dtype, so that any parquet
reader can read them.

Question: how is an image a row? Columns: `id`, `array` (bytes in C order), `shape` (list of int32),
`dtype` (numpy name), and whatever else a row has (`label`, `pool`, `source`, `n_samples`). Rows may
differ in shape; `stacked` wants them alike. Cost: one copy of the bytes each way; shape and dtype
cost nothing after dictionary encoding.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from stages.curation.reading.documents import document_id
from stages.foundation.errors import InputError

SCHEMA = {
    "id": pl.String,
    "array": pl.Binary,
    "shape": pl.List(pl.Int32),
    "dtype": pl.String,
    "label": pl.Int64,
    "pool": pl.String,
    "source": pl.String,
    "n_samples": pl.Int64,
}  # n_samples: what one row counts as, in place of tokens


def array_table(
    arrays: Sequence[np.ndarray] | np.ndarray,
    labels: Sequence[int | None],
    sources: Sequence[str],
    pool: str,
) -> pl.DataFrame:
    """A table of arrays, one row each; the id is `document_id(pool, source)`.

    >>> images = np.zeros((2, 1, 8, 8), np.uint8)
    >>> table = array_table(images, [3, 4], ["0", "1"], "digits")
    >>> table.select("pool", "source", "label", "n_samples").rows()
    [('digits', '0', 3, 1), ('digits', '1', 4, 1)]
    """
    rows = [np.ascontiguousarray(array) for array in arrays]
    columns = {
        "id": [document_id(pool, source) for source in sources],
        "array": [row.tobytes() for row in rows],
        "shape": [list(row.shape) for row in rows],
        "dtype": [row.dtype.name for row in rows],
        "label": list(labels),
        "pool": [pool] * len(rows),
        "source": list(sources),
        "n_samples": [1] * len(rows),
    }
    return pl.DataFrame(columns, schema=SCHEMA)


def stacked(frame: pl.DataFrame) -> np.ndarray:
    """All arrays of a table with one shape and dtype (rows, *shape); the bytes are checked against both."""
    missing = {"array", "shape", "dtype"} - set(frame.columns)
    if missing or frame.is_empty():
        raise InputError(
            f"no arrays to stack: {frame.height} rows, columns missing:"
            f" {', '.join(sorted(missing)) or 'none'}"
        )
    kinds = frame.select("shape", "dtype").unique(maintain_order=True)
    if kinds.height > 1:
        seen = "; ".join(f"{row[0]} {row[1]}" for row in kinds.head(3).iter_rows())
        raise InputError(
            f"arrays differ in shape or dtype ({seen}); bring them to one size first"
        )
    shape, dtype = tuple(kinds["shape"][0]), _dtype(kinds["dtype"][0])
    wanted = int(np.prod(shape)) * dtype.itemsize
    sizes = frame["array"].bin.size()
    bad = (sizes.is_null() | (sizes != wanted)).arg_max()
    if sizes[bad] != wanted:
        raise InputError(
            f"array of row {bad} has {sizes[bad]} bytes, shape {list(shape)} of"
            f" {dtype.name} needs {wanted}; write it again"
        )
    return np.frombuffer(b"".join(frame["array"]), dtype=dtype).reshape(
        frame.height, *shape
    )


def _dtype(name: str) -> np.dtype:
    try:
        found = np.dtype(name)
    except TypeError:
        found = np.dtype(object)
    if found.hasobject:
        raise InputError(
            f"dtype {name!r} is no numpy number type; use for example uint8 or float32"
        )
    return found
