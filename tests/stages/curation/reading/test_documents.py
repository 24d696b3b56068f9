import polars as pl
import pytest

from stages.curation.reading.documents import (
    SCHEMA,
    document_id,
    documents,
    empty_documents,
    uniform,
)


def test_id_is_fixed_by_pool_and_source():
    assert document_id("news", "a.jsonl:17") == "da6879dca4c4bb2e"
    assert (
        document_id("news", "a.jsonl:18")
        != document_id("news", "a.jsonl:17")
        != document_id("wiki", "a.jsonl:17")
    )


def test_table_has_the_schema_and_counts_characters():
    frame = documents(["añb", "x"], ["s1", "s2"], "p", langs="en", parents=["s0", "s2"])
    assert dict(frame.schema) == SCHEMA == dict(empty_documents().schema)
    assert frame["n_chars"].to_list() == [3, 1]
    assert frame["parent"].to_list() == [document_id("p", "s0"), document_id("p", "s2")]
    assert frame["lang"].to_list() == ["en", "en"]


def test_language_may_be_unknown_or_given_by_row():
    assert documents(["a"], ["s"], "p")["lang"].to_list() == [None]
    assert documents(["a", "b"], ["s", "t"], "p", langs=["en", None])[
        "lang"
    ].to_list() == ["en", None]


def test_whole_documents_are_their_own_parents():
    frame = documents(["a", "b"], ["s", "t"], "p")
    assert frame["parent"].equals(frame["id"], check_names=False)


def test_uniform_depends_on_seed_salt_and_id_alone():
    ids = [f"{i:016x}" for i in range(2000)]
    first = uniform(1, ids, "fold")
    assert first.min() >= 0 and first.max() < 1
    assert first.mean() == pytest.approx(0.5, abs=0.02)
    assert (uniform(1, ids[::-1], "fold") == first[::-1]).all()
    assert (
        abs(
            pl.DataFrame({"a": first, "b": uniform(1, ids, "draw")})
            .select(pl.corr("a", "b"))
            .item()
        )
        < 0.06
    )
    assert (
        abs(
            pl.DataFrame({"a": first, "b": uniform(2, ids, "fold")})
            .select(pl.corr("a", "b"))
            .item()
        )
        < 0.06
    )
