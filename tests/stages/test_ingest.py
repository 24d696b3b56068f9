"""Ingest: the README's worked example, the split by document, and what DVC is told to watch."""

import polars as pl
import pytest
import zstandard

from stages.errors import InputError
from stages.ingest import IngestParams, input_files, run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The two pools of the README: compressed JSON lines under another column name, and a folder of plain text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my/manual").mkdir(parents=True)
    for part in range(2):
        lines = "".join(f'{{"url": "u{part}-{i}", "content": "Crawled page {part} number {i} about things of all kinds."}}\n' for i in range(40))
        (tmp_path / f"my/crawl-{part}.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))
    for i in range(60):
        (tmp_path / f"my/manual/{i:02d}.txt").write_text(f"Chapter {i}. How to turn the {i}th screw.\n\nTurn it {i} times to the left, then rest.")
    return tmp_path


POOLS = {
    "crawl": {"path": "my/crawl-*.jsonl.zst", "text": "content"},
    "manual": {"path": "my/manual", "heldout": 0.2, "reference": 0.8},
}


def test_the_worked_example_goes_through(folder):
    run(IngestParams(pools=POOLS))
    pool = pl.read_parquet("data/ingest/pools/**/*.parquet")
    held, reference = pl.read_parquet("data/ingest/heldout/manual.parquet"), pl.read_parquet("data/ingest/reference.parquet")
    assert set(pool["pool"]) == {"crawl"} and len(pool) == 80
    assert len(held) + len(reference) + len(pl.read_parquet("data/ingest/dropped.parquet")) == 60
    assert not set(held["parent"]) & set(reference["parent"])


def test_two_reads_are_byte_identical(folder):
    run(IngestParams(pools=POOLS))
    first = {file: file.read_bytes() for file in (folder / "data/ingest").rglob("*") if file.is_file()}
    run(IngestParams(pools=POOLS))
    assert {file: file.read_bytes() for file in (folder / "data/ingest").rglob("*") if file.is_file()} == first


def test_dvc_watches_the_files_and_the_folder_of_a_glob():
    assert input_files(IngestParams(pools=POOLS)) == ["my", "my/manual"]
    with pytest.raises(InputError, match="begins with a wildcard"):
        input_files(IngestParams(pools=POOLS | {"loose": {"path": "*.jsonl"}}))


def test_a_split_that_leaves_nothing_is_refused_and_writes_nothing(folder):
    pools = POOLS | {"crawl": POOLS["crawl"] | {"reference": 1.0}}
    with pytest.raises(InputError, match="leaves no pool document"):
        run(IngestParams(pools=pools))
    assert not (folder / "data/ingest").exists()
