"""A file written as its rows come: the same bytes whatever the batches, and read back in small tables."""

import polars as pl
import pyarrow.parquet as pq
import pytest

from stages.curation.reading import row_groups
from stages.curation.reading.documents import documents
from stages.curation.reading.row_groups import RowGroups, batches, compact


@pytest.fixture
def frame():
    return documents(
        [f"Text {i} " * (1 + i % 7) for i in range(500)],
        [str(i) for i in range(500)],
        "p",
    )


def write(path, frame, step):
    groups = RowGroups(path, group_chars=2_000)
    groups.add(frame.clear())
    for part in frame.iter_slices(step):
        groups.add(part)
    groups.close()
    assert groups.documents == frame.height
    return path


def test_bytes_do_not_depend_on_the_batches(frame, tmp_path):
    first, second = (
        write(tmp_path / f"{step}.parquet", frame, step) for step in (1, 333)
    )
    assert first.read_bytes() == second.read_bytes()
    assert pq.ParquetFile(first).num_row_groups > 5


def test_tables_read_are_those_written(frame, tmp_path, monkeypatch):
    path = write(tmp_path / "a.parquet", frame, 100)
    monkeypatch.setattr(row_groups, "BATCH_BYTES", 3_000)
    parts = list(batches(path))
    assert len(parts) > 5 and pl.concat(parts).equals(frame)
    assert pl.concat(batches(path, ["id"])).columns == ["id"]


def test_a_file_without_rows_has_its_columns(frame, tmp_path):
    path = write(tmp_path / "a.parquet", frame.clear(), 1)
    assert pl.read_parquet(path).schema == frame.schema and list(batches(path)) == []


def test_a_compact_copy_lets_go_of_the_rest():
    part = pl.DataFrame({"text": ["x" * 100_000] * 100})[:1]
    assert compact(part).equals(part) and compact(part).to_arrow().nbytes < 300_000
