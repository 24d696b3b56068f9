"""Repeated lines and paragraphs on disk: the texts are those of the search in memory, for any cut of the work."""

import random

import polars as pl
import pytest

from stages.curate.copies import edges
from stages.curation.duplicates.line_copies import (
    repeated_units,
    unit_keys,
    without_copies,
)
from stages.curation.reading.documents import documents
from stages.foundation.files import read_json

OFF = {"rules": [], "dedup": {"policy": "none"}}
SHARE = "Share this article with all of your friends now."


def prose(rng: random.Random, n: int = 6) -> list[str]:
    return [
        " ".join(f"word{rng.randrange(5000)}" for _ in range(7)) + "." for _ in range(n)
    ]


@pytest.fixture
def pages() -> list[dict]:
    """60 pages of 6 lines of their own, some with a shared footer, a copied paragraph, a bracket or a line twice."""
    rng, pages = random.Random(0), []
    paragraph = "\n".join(prose(rng, 3))
    for at in range(60):
        lines = prose(rng)
        lines += [SHARE] if at % 4 == 0 else []
        lines += ["", paragraph, "", "}"] if at % 7 == 0 else []
        lines += [lines[0]] if at % 9 == 0 else []
        pages.append({"text": "\n".join(lines), "key": f"k{at}"})
    pages.append({"text": f"{SHARE}\n\n{paragraph}\n", "key": "all"})
    rng.shuffle(pages)
    return pages


@pytest.mark.parametrize("unit", ["line", "paragraph"])
def test_the_texts_are_those_of_the_search_in_memory(
    write, run, read, pages, unit, monkeypatch
):
    """Where an id column is mapped the smallest id keeps what repeats, in both."""
    monkeypatch.setattr(edges, "PARTITION_RECORDS", 100)
    run(write(2, content=pages), id="key", shard_mb=0.002, **OFF, **{f"{unit}s": {}})
    found = read().select("id", "text", f"repeated_{unit}s", "n_chars")
    pool = documents(
        [page["text"] for page in pages], [page["key"] for page in pages], "curated"
    )
    wanted = without_copies(pool, repeated_units(unit_keys(pool, unit)), unit).filter(
        pl.col("text").str.strip_chars() != ""
    )
    wanted = wanted.select(
        "id",
        "text",
        pl.col("units_dropped").alias(f"repeated_{unit}s"),
        pl.col("text").str.len_chars().cast(pl.Int64).alias("n_chars"),
    )
    assert wanted[f"repeated_{unit}s"].sum() > 5 and found.sort("id").equals(
        wanted.sort("id")
    )


def test_the_first_in_the_input_keeps_what_repeats(write, run, read, pages):
    run(write(content=pages), **OFF, lines={}, paragraphs={})
    kept = read()
    with_footer = [at for at, text in enumerate(kept["text"]) if SHARE in text]
    first = next(at for at, page in enumerate(pages) if SHARE in page["text"])
    assert [kept["text"][at].split("\n")[0] for at in with_footer] == [
        pages[first]["text"].split("\n")[0]
    ]
    lines = [
        line for text in kept["text"] for line in text.split("\n") if len(line) >= 20
    ]
    assert len(lines) == len(set(lines)) and set(lines) == {
        line for page in pages for line in page["text"].split("\n") if len(line) >= 20
    }


def test_the_counts_add_up(write, run, read, pages, tmp_path):
    manifest = run(write(content=pages), **OFF, lines={}, paragraphs={})
    before, kept = sum(len(page["text"]) for page in pages), read()
    repeats = manifest["repeats"]
    assert (
        repeats["removed_chars"]
        == before - kept["n_chars"].sum() - read("dropped")["n_chars"].sum()
        > 0
    )
    assert kept["n_chars"].to_list() == [len(text) for text in kept["text"]]
    assert (
        repeats["repeated_lines"] == kept["repeated_lines"].sum()
        and repeats["shortened"] == (kept["repeated_chars"] > 0).sum()
    )
    assert manifest["ledger"][-1] | {"position": 0} == {
        "step": "lines",
        "position": 0,
        "status": "dropped",
        "reason": "repeated_lines",
        "documents": 1,
        "characters": read("dropped")["n_chars"].sum(),
    }
    most = repeats["most"]["lines"]
    assert {
        "text": SHARE,
        "occurrences": 16,
        "characters": 15 * (len(SHARE) + 1),
    } in most
    assert f"lines, 16 times: {SHARE}" in (tmp_path / "out/report.md").read_text()


def test_a_document_of_repeats_alone_is_dropped_whole(write, run, read, pages):
    run(
        write(content=sorted(pages, key=lambda page: page["key"] == "all")),
        **OFF,
        lines={},
    )
    dropped = (
        read("dropped")
        .select("text", "reason", "duplicate_of", "repeated_lines")
        .rows()
    )
    assert dropped == [
        (
            pages[[page["key"] for page in pages].index("all")]["text"],
            "repeated_lines",
            None,
            4,
        )
    ]


def test_what_is_cut_from_a_kept_document_stands_in_a_kept_one(write, run, read):
    """b is dropped for its share, so c keeps the line that b held first."""
    rng = random.Random(2)
    own, lines = prose(rng, 8), prose(rng, 1)
    rows = [
        {"text": "\n".join(own)},
        {"text": "\n".join([*own[:6], *lines])},
        {"text": "\n".join([*lines, *prose(rng, 4)])},
    ]
    run(write(content=rows), **OFF, lines={"drop_above": 0.5})
    assert read()["text"].to_list() == [rows[0]["text"], rows[2]["text"]]
    assert read("dropped").select("reason", "repeated_lines").rows() == [
        ("repeated_lines", 0)
    ]  # of the lines that are left


def test_counting_changes_no_text(write, run, read, pages):
    manifest = run(write(content=pages), **OFF, lines={"cut": False})
    assert read()["text"].to_list() == [page["text"] for page in pages]
    assert (
        manifest["repeats"]["repeated_lines"] > 15
        and manifest["repeats"]["removed_chars"] == 0
    )


def test_boilerplate_goes_wherever_it_stands(write, run, read, pages):
    run(write(content=pages), **OFF, lines={"keep": "none", "min_copies": 16})
    lines = [line for text in read()["text"] for line in text.split("\n") if line]
    assert sorted([*lines, *[SHARE] * 16]) == sorted(
        line for page in pages for line in page["text"].split("\n") if line
    )


def test_copies_of_documents_are_no_repeats(write, run, read, rows):
    """The lines of a copy go with it, and those of the copy that stays are left alone."""
    run(write(), rules=[], lines={})
    assert read()["repeated_lines"].sum() == 0 and (
        read("dropped")["repeated_lines"].null_count() == read("dropped").height
    )


def test_an_option_out_of_range_is_one_line(write, run):
    from pydantic import ValidationError

    with pytest.raises(
        ValidationError, match="lines.drop_above\n.*less than or equal to 1"
    ):
        run("raw", lines={"drop_above": 2})


def test_the_manifest_holds_no_repeats_where_none_were_looked_for(write, run, tmp_path):
    run(write())
    assert "repeats" not in read_json(tmp_path / "out/manifest.json")
