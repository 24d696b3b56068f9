"""How many bytes the rows of a batch take once they are Python values, before they are.

Why: a dictionary or a run length of parquet makes one stored value any number of rows, in texts as in lists and
structs; what is too large is refused by its size and never made. Cost: .1 ms a batch (assumed).
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

PIECE_BYTES = 32_000_000
NUMBER_BYTES = 8  # of any value that is no text (assumed)


def row_bytes(batch: pa.RecordBatch) -> np.ndarray:
    """Bytes of each row as it would be without dictionaries, numbers that stand alone left out, (rows,).

    >>> batch = pa.record_batch({"a": ["x", "yyy"], "b": [[1, 2], None], "c": [1, 2]})
    >>> row_bytes(batch).tolist()
    [17, 3]
    """
    sizes = np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        if not _is_fixed(_stored(column).type):
            sizes += _bytes(column)
    return sizes


def _bytes(column: pa.Array) -> np.ndarray:
    """Bytes of each value, whatever it is made of (rows,)."""
    column = _stored(column)
    kind = column.type
    if _is_fixed(kind):
        return np.full(len(column), NUMBER_BYTES, dtype=np.int64)
    if pa.types.is_dictionary(kind):
        return _of_each(_bytes(column.dictionary), column.indices)
    if pa.types.is_struct(kind):
        return sum(map(_bytes, column.flatten()), np.zeros(len(column), dtype=np.int64))
    if pa.types.is_fixed_size_list(kind):
        start = column.offset * kind.list_size
        values = column.values.slice(start, len(column) * kind.list_size)
        return _bytes(values).reshape(len(column), kind.list_size).sum(axis=1)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        ends = np.concatenate([[0], np.cumsum(_bytes(column.values))])
        return np.diff(ends[column.offsets.to_numpy(zero_copy_only=False)])
    from pyarrow.compute import binary_length  # a quarter of a second

    return _of_each(None, binary_length(column.cast(pa.large_binary())))


def _of_each(sizes: np.ndarray | None, found: pa.Array) -> np.ndarray:
    """The sizes at `found`, or `found` itself, 0 for null (rows,)."""
    present = found.is_valid().to_numpy(zero_copy_only=False)
    values = found.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    if sizes is None:
        return values
    return np.where(present, np.append(sizes, 0)[np.where(present, values, -1)], 0)


def _stored(column: pa.Array) -> pa.Array:
    return column.storage if isinstance(column.type, pa.BaseExtensionType) else column


def _is_fixed(kind: pa.DataType) -> bool:
    """Whether every value takes the same few bytes."""
    if pa.types.is_dictionary(kind):
        return _is_fixed(kind.value_type)
    return not (pa.types.is_nested(kind) or _is_bytes(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return any(
        check(kind)
        for check in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
        )
    )


def ranges(sizes: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of rows of at most `PIECE_BYTES`, or of one row."""
    start, held = 0, 0
    if sizes.sum() <= PIECE_BYTES:
        yield 0, len(sizes)
        return
    for at, size in enumerate(sizes.tolist()):
        if held and held + size > PIECE_BYTES:
            yield start, at
            start, held = at, 0
        held += size
    yield start, len(sizes)
