import re

import polars as pl
import pytest

from stages.curation.duplicates.line_copies import (
    repeated_units,
    unit_keys,
    without_copies,
)
from stages.curation.reading.documents import documents
from stages.foundation.errors import InputError

TEXTS = [
    (
        "A heading\n\nThis sentence is in several documents.\nAnd this one goes with"
        " it.\n\nOnly here, in the first of them."
    ),
    (
        "This sentence is in several documents.\n\nA heading\n\nSomething of its own,"
        " thought out."
    ),
    (
        "This sentence is in several documents.\nAnd this one goes with"
        " it.\n\nnew\n\nThis sentence is in several documents."
    ),
    (
        "Ünïque text, with a café and a naïve reader.\n  This sentence is in several"
        " documents."
    ),
    "This sentence is in several documents.",
    "\n\n",
]


def frame_of(texts=TEXTS):
    return documents(texts, [str(i) for i in range(len(texts))], "p")


def cleaned(frame, unit, min_chars=20, shards=1):
    parts = [frame[i::shards] for i in range(shards)]
    repeated = repeated_units([unit_keys(part, unit, min_chars) for part in parts])
    return pl.concat(
        [without_copies(part, repeated, unit, min_chars) for part in parts]
    )


def slow(frame, unit, min_chars):
    """Document by document in the order of ids, with a set of what was seen."""
    seen, out = set(), {}
    for id, text in frame.sort("id").select("id", "text").rows():
        if unit == "line":
            parts = text.split("\n")
            keep = [
                part
                for part in parts
                if not part.strip()
                or len(part) < min_chars
                or (part not in seen and not seen.add(part))
            ]
            out[id] = "\n".join(keep).strip("\n")
        else:
            parts = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
            out[id] = [
                part.strip("\n")
                for part in parts
                if len(part) < min_chars or (part not in seen and not seen.add(part))
            ]
    return out


@pytest.mark.parametrize("min_chars", [1, 20])
def test_lines_are_those_of_a_walk_in_the_order_of_ids(min_chars):
    frame = frame_of()
    table = cleaned(frame, "line", min_chars)
    expected = slow(frame, "line", min_chars)
    for id, text, before, units in (
        table.join(frame.select("id", before="text"), on="id")
        .select("id", "text", "before", "units_dropped")
        .rows()
    ):
        assert text == (expected[id] if units else before)
    assert table["units_dropped"].sum() > 3


def test_paragraphs_are_those_of_a_walk_in_the_order_of_ids():
    frame = frame_of()
    expected = slow(frame, "paragraph", 1)
    for id, text in cleaned(frame, "paragraph", 1).select("id", "text").rows():
        assert [
            part for part in re.split(r"\n\s*\n", text) if part.strip()
        ] == expected[id]


@pytest.mark.parametrize("unit", ["line", "paragraph"])
def test_neither_order_nor_sharding_changes_a_byte(unit):
    frame = frame_of()
    once = cleaned(frame, unit).sort("id")
    assert cleaned(frame.reverse(), unit).sort("id").equals(once)
    assert cleaned(frame, unit, shards=4).sort("id").equals(once)
    assert (once["n_chars"] == once["text"].str.len_chars()).all()


def test_nothing_repeated_nothing_changed():
    frame = frame_of(["One line that stands alone.", "Another line, all alone too."])
    assert cleaned(frame, "line").select(frame.columns).equals(frame)
    assert cleaned(frame.clear(), "line").height == 0


def test_an_unknown_unit_is_refused():
    with pytest.raises(InputError, match="no unit 'word'.*line, paragraph"):
        unit_keys(frame_of(), "word")
