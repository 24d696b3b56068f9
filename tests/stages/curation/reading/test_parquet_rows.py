"""Rows of a parquet file keep their number; what is no text or no parquet is a bad row."""

import pyarrow as pa
import pyarrow.parquet as pq

from stages.curation.reading.inputs import Span
from stages.curation.reading.named_files import InputFile
from stages.curation.reading.parquet_rows import parquet_rows
from stages.curation.reading.rows import Columns


def rows_of(file, span=None, **columns):
    bad = []
    source = InputFile(file, "a.parquet", "parquet", "")
    found = list(parquet_rows(source, Columns(**columns), span=span, on_bad=bad.append))
    texts = [text for batch in found for text in batch.texts]
    names = [name for batch in found for name in batch.names]
    return texts, names, bad


def write(tmp_path, table, **options):
    file = tmp_path / "a.parquet"
    pq.write_table(table, file, **options)
    return file


def test_rows_are_numbered_from_one_or_named_by_their_id(tmp_path):
    file = write(tmp_path, pa.table({"text": ["a", "b", None], "key": [7, 8, 9]}))
    assert rows_of(file) == (["a", "b", None], [1, 2, 3], [])
    assert rows_of(file, id="key")[1] == ["7", "8", "9"]


def test_a_span_reads_its_row_groups_and_counts_the_rows_before(tmp_path):
    table = pa.table({"text": [str(i) for i in range(6)]})
    file = write(tmp_path, table, row_group_size=2)
    span = Span(start=1, end=3, rows_before=2)
    assert rows_of(file, span) == (["2", "3", "4", "5"], [3, 4, 5, 6], [])


def test_a_row_without_an_id_is_bad_and_the_others_are_read(tmp_path):
    file = write(tmp_path, pa.table({"text": ["a", "b"], "key": ["x", None]}))
    texts, names, (bad,) = rows_of(file, id="key")
    assert (texts, names) == (["a"], ["x"])
    assert "row 2 has no value in the id column 'key'" in str(bad.error)
    assert bad.raw == b"b"


def test_text_that_is_not_utf8_is_a_bad_row(tmp_path):
    column = pa.array([b"good", b"\xff\xfe", b"fine"], pa.binary()).view(pa.string())
    texts, names, (bad,) = rows_of(write(tmp_path, pa.table({"text": column})))
    assert (texts, names) == (["good", "fine"], [1, 3])
    assert bad.raw == b"\xff\xfe"


def test_a_file_that_is_no_parquet_or_lacks_the_column_is_bad_as_a_whole(tmp_path):
    broken = tmp_path / "b.parquet"
    broken.write_bytes(b"not parquet")
    assert "not a readable parquet file" in str(rows_of(broken)[2][0].error)
    file = write(tmp_path, pa.table({"content": ["a"]}))
    (bad,) = rows_of(file)[2]
    assert "no column 'text'" in str(bad.error) and bad.line is None
