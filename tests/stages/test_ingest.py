"""Ingest: the README's worked example, the split by document, and what DVC is told to watch."""

import subprocess
import sys

import polars as pl
import pytest
import zstandard

from stages import ingest
from stages.curation.reading import row_groups
from stages.curation.reading.documents import uniform
from stages.declarations.ingest import input_files
from stages.foundation.errors import InputError
from stages.ingest import run
from stages.settings.pools import IngestParams


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The two pools of the README: compressed JSON lines under another column name, and a folder of plain text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my/manual").mkdir(parents=True)
    for part in range(2):
        lines = "".join(
            f'{{"url": "u{part}-{i}", "content": "Crawled page {part} number {i} about'
            ' things of all kinds."}\n'
            for i in range(40)
        )
        (tmp_path / f"my/crawl-{part}.jsonl.zst").write_bytes(
            zstandard.compress(lines.encode())
        )
    for i in range(60):
        (tmp_path / f"my/manual/{i:02d}.txt").write_text(
            f"Chapter {i}. How to turn the {i}th screw.\n\nTurn it {i} times to the"
            " left, then rest."
        )
    return tmp_path


POOLS = {
    "crawl": {"path": "my/crawl-*.jsonl.zst", "text": "content"},
    "manual": {"path": "my/manual", "heldout": 0.2, "reference": 0.8},
}


def test_the_worked_example_goes_through(folder):
    run(IngestParams(pools=POOLS))
    pool = pl.read_parquet("data/ingest/pools/**/*.parquet")
    held, reference = (
        pl.read_parquet("data/ingest/heldout/manual.parquet"),
        pl.read_parquet("data/ingest/reference.parquet"),
    )
    assert set(pool["pool"]) == {"crawl"} and len(pool) == 80
    assert (
        len(held) + len(reference) + len(pl.read_parquet("data/ingest/dropped.parquet"))
        == 60
    )
    assert not set(held["parent"]) & set(reference["parent"])


def test_two_reads_are_byte_identical(folder):
    run(IngestParams(pools=POOLS))
    first = {
        file: file.read_bytes()
        for file in (folder / "data/ingest").rglob("*")
        if file.is_file()
    }
    run(IngestParams(pools=POOLS))
    assert {
        file: file.read_bytes()
        for file in (folder / "data/ingest").rglob("*")
        if file.is_file()
    } == first


def test_dvc_watches_the_files_and_the_folder_of_a_glob():
    assert input_files(IngestParams(pools=POOLS)) == ["my", "my/manual"]
    with pytest.raises(InputError, match="begins with a wildcard"):
        input_files(IngestParams(pools=POOLS | {"loose": {"path": "*.jsonl"}}))


def test_a_split_that_leaves_nothing_is_refused_and_writes_nothing(folder):
    pools = POOLS | {"crawl": POOLS["crawl"] | {"reference": 1.0}}
    with pytest.raises(InputError, match="leaves no pool document"):
        run(IngestParams(pools=pools))
    assert not (folder / "data/ingest").exists()


@pytest.mark.parametrize("max_chars", [None, 1, 900, 10**6])
def test_batches_and_shards_change_nothing(folder, monkeypatch, max_chars):
    pools = POOLS | {"crawl": POOLS["crawl"] | {"max_chars": max_chars}}
    run(IngestParams(pools=pools))
    whole = pl.read_parquet("data/ingest/pools/crawl/*.parquet")
    manifest = (folder / "data/ingest/manifest.json").read_text()
    monkeypatch.setattr(ingest, "SHARD_DOCUMENTS", 7)
    monkeypatch.setattr(row_groups, "BATCH_BYTES", 600)
    run(IngestParams(pools=pools))
    assert pl.read_parquet("data/ingest/pools/crawl/*.parquet").equals(whole)
    assert (folder / "data/ingest/manifest.json").read_text() == manifest
    sizes = [
        pl.read_parquet(file).height
        for file in sorted((folder / "data/ingest/pools/crawl").iterdir())
    ]
    assert set(sizes[:-1]) <= {7} and sizes[-1] <= 7


def test_max_chars_takes_whole_documents_by_hash(folder):
    run(IngestParams(pools=POOLS | {"crawl": POOLS["crawl"] | {"max_chars": 900}}))
    taken = pl.read_parquet("data/ingest/pools/crawl/*.parquet")
    assert 900 <= taken["n_chars"].sum() < 900 + taken["n_chars"].max()
    run(IngestParams(pools=POOLS))
    every = pl.read_parquet("data/ingest/pools/crawl/*.parquet")
    place = dict(
        zip(every["id"], uniform(1, every["parent"], "max_chars"), strict=True)
    )
    assert sorted(place, key=place.get)[: taken.height] == sorted(
        taken["id"], key=place.get
    )


def test_addresses_come_along_to_every_passage(folder):
    run(
        IngestParams(
            pools=POOLS | {"crawl": POOLS["crawl"] | {"url": "url"}}, passage_chars=100
        )
    )
    pool, reference = (
        pl.read_parquet("data/ingest/pools/crawl/*.parquet"),
        pl.read_parquet("data/ingest/reference.parquet"),
    )
    number = pool["source"].str.extract(r":(\d+)").cast(pl.Int64) - 1
    assert (
        pool["url"]
        == "u"
        + pool["source"].str.extract(r"crawl-(\d)")
        + "-"
        + number.cast(pl.String)
    ).all()
    assert (
        reference["url"].null_count() == reference.height > 0
    )  # a pool that maps none


def test_a_killed_run_leaves_nothing_that_stays(folder):
    process = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    orphan = folder / f"data/.ingest.{process.stdout.strip()}.tmp"
    orphan.mkdir(parents=True)
    run(IngestParams(pools=POOLS))
    assert not orphan.exists() and (folder / "data/ingest/manifest.json").exists()
