"""Rows are sized as they will be, whatever the file makes of them, before they are made."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.curation.reading.named_files import InputFile
from stages.curation.reading.parquet_rows import parquet_rows
from stages.curation.reading.row_sizes import ranges, row_bytes
from stages.curation.reading.rows import Columns

TEXTS = pa.array(["ab", None, "cdef"])
SIZED = [
    (TEXTS, [2, 0, 4]),
    (TEXTS.dictionary_encode(), [2, 0, 4]),
    (pa.DictionaryArray.from_arrays(pa.array([1, 0]), [None, "abc"]), [3, 0]),
    (TEXTS.cast(pa.string_view()), [2, 0, 4]),
    (pa.array([b"\xff", b""]), [1, 0]),
    (pa.array([1, 2]), [0, 0]),
    (pa.nulls(2), [0, 0]),
    (pa.array([[1, 2], [], None]), [16, 0, 0]),
    (pa.array([["a", "bcd"], [None]]), [4, 0]),
    (pa.array([[[1], [2, 3]], [[]]]), [24, 0]),
    (pa.array([[1, 2], [3, 4]], pa.list_(pa.int8(), 2)), [16, 16]),
    (pa.array([{"a": "xyz", "b": 1}, None]), [11, 8]),
    (pa.array([[("k", "long")], []], pa.map_(pa.string(), pa.string())), [5, 0]),
]


@pytest.mark.parametrize(
    ("column", "sizes"), SIZED, ids=[str(c.type) for c, _ in SIZED]
)
def test_a_row_counts_as_it_is_without_dictionaries(column, sizes):
    batch = pa.record_batch({"a": column})
    assert row_bytes(batch).tolist() == sizes
    assert row_bytes(batch.slice(1)).tolist() == sizes[1:]


def test_pieces_hold_what_fits_or_one_row():
    million = 1_000_000
    sizes = pa.array([20 * million, 12 * million, 90 * million, 1]).to_numpy()
    assert list(ranges(sizes)) == [(0, 2), (2, 3), (3, 4)]


def bomb(folder, column):
    path = folder / "a.parquet"
    table = pa.table({"text": ["some text"] * len(column), "x": column})
    pq.write_table(table, path, compression="zstd")
    return InputFile(path, "a.parquet", "parquet", "")


BOMBS = {
    "list": lambda: pa.array([[0] * 500_000] * 80),
    "struct": lambda: pa.array([{"a": "z" * 500_000}] * 600),
    "small values": lambda: pa.array([{"a": "z" * 5_000}] * 60_000),
    "binary": lambda: pa.array([b"z" * 500_000] * 600),
}


@pytest.mark.parametrize("column", BOMBS.values(), ids=BOMBS)
def test_a_bomb_in_a_further_column_is_cut_off_in_pieces(tmp_path, column):
    """Each holds 300 MB or more in some kB."""
    file, bad, held = bomb(tmp_path, column()), [], 0
    assert file.path.stat().st_size < 400_000
    for rows in parquet_rows(file, Columns(extra=("x",)), on_bad=bad.append):
        size = sum(len(text) for text in rows.extra["x"])
        assert size < 50_000_000
        held += size
    assert held < 250_000_000
    assert [each.line for each in bad] == [None]
    assert "over 250 times their size" in str(bad[0].error)


def test_a_long_row_of_a_further_column_is_set_aside_alone(tmp_path):
    file, bad = bomb(tmp_path, pa.array([[1], [2] * 1_000, [3]])), []
    columns = Columns(extra=("x",))
    batches = parquet_rows(file, columns, on_bad=bad.append, max_row_bytes=5_000)
    assert [row for rows in batches for row in rows.extra["x"]] == ["[1]", "[3]"]
    assert [each.line for each in bad] == [2]
