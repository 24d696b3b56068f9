"""Removal lists name documents by id, by the whole of a passage, by address, by source and by the user's own id."""

import json
from pathlib import Path

import polars as pl
import pytest

from stages import ingest
from stages.curation.reading.documents import document_id
from stages.declarations.ingest import input_files
from stages.foundation.errors import InputError, ParamsError
from stages.pools.removal import (
    entries_hash,
    entries_of,
    kept_lines,
    named_by,
    read_entries,
)
from stages.settings.pools import IngestParams, list_files


def frame():
    return pl.DataFrame(
        {
            "id": ["a1", "b0", "b1", "c0"],
            "parent": ["a1", "bb", "bb", "c0"],
            "source": ["x.jsonl#one", "x.jsonl#two/0", "x.jsonl#two/1", "y.jsonl:3"],
            "url": ["http://a/#top", "http://b", "http://b", None],
        }
    )


@pytest.mark.parametrize(
    "entry, rows",
    [
        ("a1", [0]),
        ("b1", [2]),
        ("bb", [1, 2]),  # the whole document
        ("http://b", [1, 2]),
        ("http://a/#top", [0]),
        ("two", [1, 2]),  # the user's id
        ("two/1", []),  # a passage is no document of the user's
        ("x.jsonl#one", [0]),
        ("y.jsonl:3", [3]),
        ("y.jsonl", []),
        ("http://", []),
    ],
)
def test_what_an_entry_names(entry, rows):
    found = named_by(frame(), frozenset([entry, "nothing"]))
    assert [i for i, name in enumerate(found) if name == entry] == rows
    assert found.null_count() == 4 - len(rows)


def test_lists_are_read_and_faults_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_bytes("\ufeffone\r\n\r\n two \n".encode())
    assert read_entries("a.txt") == {"one", "two"}
    Path("empty.txt").write_text("\n \n")
    with pytest.raises(InputError, match="has no entry"):
        read_entries("empty.txt")
    with pytest.raises(InputError, match="cannot read the removal list"):
        read_entries("none.txt")
    Path("data").mkdir()
    assert list_files("a.txt") == ["a.txt"] and list_files(None) == []
    Path("data/removed.jsonl").write_text(json.dumps({"entry": "three"}) + "\n")
    assert list_files(["a.txt"]) == ["a.txt", "data/removed.jsonl"]
    assert entries_of(list_files("a.txt")) == {"one", "two", "three"}
    with open("data/removed.jsonl", "a") as file:
        file.write('{"entry": 3}\n')
    with pytest.raises(InputError, match=r"removed\.jsonl:2: names no entry"):
        kept_lines()
    assert entries_hash(frozenset()) == ""
    assert entries_hash(frozenset("ab")) == entries_hash(frozenset("ba")) != ""


@pytest.fixture
def pools(tmp_path, monkeypatch):
    """60 pages with addresses and licences, the odd ones of `mit`, every fifth without one."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {
            "text": f"Page {i} says a thing or two about the number {i}.",
            "link": f"http://pages.example/{i}",
            "meta": {"rights": None if i % 5 == 0 else "mit" if i % 2 else "cc-by"},
        }
        for i in range(60)
    ]
    Path("raw.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return {
        "web": {
            "path": "raw.jsonl",
            "url": "link",
            "licence": {"column": "meta.rights"},
            "heldout": 0.2,
            "reference": 0.2,
        }
    }


def ingested():
    """All documents that ingest left anywhere."""
    files = [
        *Path("data/ingest/pools").rglob("*.parquet"),
        *Path("data/ingest/heldout").glob("*.parquet"),
        Path("data/ingest/reference.parquet"),
        Path("data/ingest/dropped.parquet"),
    ]
    return pl.concat([pl.read_parquet(file) for file in files], how="diagonal_relaxed")


def test_ingest_leaves_out_what_is_named_and_counts_it(pools, caplog):
    ingest.run(IngestParams(pools=pools))
    before = ingested()
    assert before.height == 60
    gone = [f"http://pages.example/{i}" for i in range(20)]
    place = document_id("web", "raw.jsonl:21")
    Path("gone.txt").write_text("\n".join([*gone, place, "http://elsewhere"]))
    params = IngestParams(pools=pools, removed="gone.txt")
    assert input_files(params) == ["gone.txt", "raw.jsonl"]
    with caplog.at_level("WARNING", logger="assay"):
        ingest.run(params)
    after = ingested()
    assert set(before["id"]) - set(after["id"]) == {
        place,
        *before.filter(pl.col("url").is_in(gone))["id"],
    }
    # all others are where they were: what is removed changes nobody's split
    assert after.height == 39
    manifest = json.loads(Path("data/ingest/manifest.json").read_text())
    assert manifest["pools"]["web"]["removed_documents"] == 21
    assert "1 of 22 entries" in caplog.text and "http://elsewhere" in caplog.text
    Path("gone.txt").write_text(
        "\n".join(f"http://pages.example/{i}" for i in range(60))
    )
    with pytest.raises(ParamsError, match="name all 60 documents"):
        ingest.run(params)


def test_licences_by_document_and_by_pool(pools):
    ingest.run(IngestParams(pools=pools))
    found = ingested().with_columns(i=pl.col("url").str.extract(r"/(\d+)$").cast(int))
    expected = (
        pl.when(pl.col("i") % 5 == 0)
        .then(pl.lit("unknown"))
        .when(pl.col("i") % 2 == 1)
        .then(pl.lit("mit"))
        .otherwise(pl.lit("cc-by"))
    )
    assert found.filter(pl.col("licence") != expected).is_empty()
    entry = json.loads(Path("data/ingest/manifest.json").read_text())["pools"]["web"]
    chosen = pl.read_parquet("data/ingest/pools/**/*.parquet")["licence"]
    assert entry["licence"] == "by document"
    assert entry["licences"] == dict(sorted(chosen.value_counts().iter_rows()))
    pools["web"]["licence"] = "cc-by-4.0"
    ingest.run(IngestParams(pools=pools))
    assert set(ingested()["licence"]) == {"cc-by-4.0"}


@pytest.mark.parametrize(
    "pool, said",
    [
        ({"path": "a", "licence": {"column": "text"}}, "holds something else"),
        ({"path": "a", "url": "u", "licence": {"column": "u"}}, "something else"),
        ({"extract": "wiki", "licence": {"column": "l"}}, "only your own files have"),
        ({"path": "a", "licence": " "}, "licence is empty"),
    ],
)
def test_a_licence_that_cannot_be_is_refused(pool, said):
    with pytest.raises(ValueError, match=said):
        IngestParams(pools={"a": pool | {"heldout": 0.1, "reference": 0.1}})
