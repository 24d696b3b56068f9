import polars as pl
import pytest

from stages.curation.reading.documents import document_id, documents
from stages.curation.reading.passages import cut_points, split_passages

TEXT = (
    "First paragraph, a short one.\n\nSecond paragraph. It has two sentences.\n\n"
    + "word " * 60
)


@pytest.mark.parametrize("size", [1, 7, 30, 40, 80, 1000])
def test_passages_joined_are_the_document(size):
    pieces = [TEXT[start:end] for start, end in cut_points(TEXT, size)]
    assert "".join(pieces) == TEXT
    assert all(0 < len(piece) <= size for piece in pieces)


def test_cuts_prefer_paragraphs_then_sentences_then_spaces():
    pieces = [TEXT[start:end] for start, end in cut_points(TEXT, 40)]
    assert pieces[0] == "First paragraph, a short one.\n\n"
    assert pieces[1] == "Second paragraph. It has two sentences.\n"
    assert pieces[3].endswith("word ")


def test_text_without_a_boundary_is_cut_at_the_limit():
    assert list(cut_points("x" * 25, 10)) == [(0, 10), (10, 20), (20, 25)]


def test_split_keeps_order_names_parents_and_short_documents():
    frame = documents(
        ["short", TEXT, "also short"], ["a", "b", "c"], "p", langs=["en", "de", None]
    )
    split = split_passages(frame, 100)
    assert split["source"].to_list() == ["a", "b/0", "b/1", "b/2", "b/3", "c"]
    assert split["lang"].to_list() == ["en", "de", "de", "de", "de", None]
    assert set(split.filter(split["source"].str.starts_with("b/"))["parent"]) == {
        document_id("p", "b")
    }
    assert split.filter(source="a")["parent"].item() == document_id("p", "a")
    assert split["n_chars"].sum() == frame["n_chars"].sum()
    assert split["id"].to_list()[1] == document_id("p", "b/0")


def test_pools_may_be_mixed():
    frame = pl.concat(
        [documents(["a b c d e"], ["s"], "p"), documents(["a b c d e"], ["s"], "q")]
    )
    split = split_passages(frame, 4)
    assert split["pool"].to_list() == ["p"] * 3 + ["q"] * 3
    assert split["id"].n_unique() == 6 and split["parent"].n_unique() == 2


def test_size_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        split_passages(documents(["a"], ["s"], "p"), 0)
