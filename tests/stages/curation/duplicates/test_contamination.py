import random
import re
import unicodedata

import polars as pl

from stages.curation.duplicates.contamination import near_duplicates_of
from stages.curation.reading.documents import documents

rng = random.Random(0)


def words(n, prefix="w"):
    return rng.choices([f"{prefix}{i}" for i in range(2000)], k=n)


HELD_OUT = words(300)
FRESH = words(300)
TRAIN = {
    "copy": " ".join(HELD_OUT),
    "loud": " ".join(HELD_OUT).upper(),
    "near": " ".join([*HELD_OUT[:290], "x"]),
    "part": " ".join([*FRESH[:100], *HELD_OUT[100:150]]),
    "little": " ".join([*FRESH, *HELD_OUT[100:130]]),
    "clean": " ".join(FRESH),
    "short": "w1 w2",
}


def found(**options):
    train = documents(list(TRAIN.values()), list(TRAIN), "train")
    reference = documents(
        [" ".join(HELD_OUT), "Another held-out text."], ["h", "i"], "heldout"
    )
    table = near_duplicates_of(train, reference, **options)
    return (
        dict(
            table.join(train.select("id", "source"), on="id")
            .select("source", "reason")
            .iter_rows()
        ),
        table,
    )


def test_each_kind_of_leak_is_named():
    assert found()[0] == {
        "copy": "exact",
        "loud": "words",
        "near": "near",
        "part": "overlap",
    }


def test_overlap_is_the_share_of_13_grams():
    table = found(overlap_share=0.0001)[1]
    assert table["overlap"].to_list()[3:5] == [
        (50 - 12) / (150 - 12),
        (30 - 12) / (330 - 12),
    ]


def test_overlap_can_be_switched_off():
    assert set(found(overlap_share=None)[0]) == {"copy", "loud", "near"}


def test_streams_give_the_same_answer():
    train = documents(list(TRAIN.values()), list(TRAIN), "train")
    reference = documents([" ".join(HELD_OUT)], ["h"], "heldout")
    assert near_duplicates_of(iter([train[:3], train[3:]]), reference).equals(
        near_duplicates_of(train, reference)
    )


def test_an_empty_reference_finds_nothing():
    train = documents(["some text"], ["a"], "train")
    assert near_duplicates_of(train, train.clear()).height == 0


def plain_overlap(text, reference, n=13):
    """Share of the n-grams of lower-case words that the reference holds, as one would write it down."""
    grams = lambda words: [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]  # noqa: E731
    split = lambda text: re.findall(r"\w+", text.lower())  # noqa: E731
    known = {gram for other in reference for gram in grams(split(other))}
    own = grams(split(text))
    return sum(gram in known for gram in own) / max(len(own), 1)


def test_overlaps_are_those_of_a_plain_implementation():
    draw = random.Random(5)
    pieces = [
        " ".join(
            draw.choices(
                ["a", "b", "Ünï", "c-d", "e.", "(f)", "g_h", "3,4"],
                k=draw.randint(5, 30),
            )
        )
        for _ in range(12)
    ]
    reference = [*pieces[:5], "too short for a gram"]
    texts = [
        " ".join(draw.choices(pieces, k=draw.randint(1, 4))) for _ in range(60)
    ] + ["", "too short for a gram!"]
    train = documents(texts, [str(i) for i in range(len(texts))], "train")
    table = near_duplicates_of(
        train,
        documents(reference, [str(i) for i in range(len(reference))], "eval"),
        overlap_share=0,
    )
    expected = {
        id: plain_overlap(text, reference)
        for id, text in train.select("id", "text").rows()
    }
    assert (
        dict(table.filter(reason="overlap").select("id", "overlap").rows()).items()
        <= expected.items()
    )
    copies = set(table.filter(pl.col("reason") != "overlap")["id"])
    assert {id for id, share in expected.items() if share} <= set(table["id"])
    assert (
        set(table["id"]) - copies
        == {id for id, share in expected.items() if share} - copies
    )
    assert len(copies) >= 1 and table.height > 20


def test_what_shares_a_template_with_held_out_text_stays():
    """140 words of 200 are the template's (.53): by one band alone a third of these would go."""
    head = words(140, "t")
    texts = [" ".join(head + words(60)) for _ in range(300)]
    train = documents(texts[:280], [str(at) for at in range(280)], "train")
    reference = documents(texts[280:], [str(at) for at in range(20)], "heldout")
    assert near_duplicates_of(train, reference, overlap_share=None).height == 0
    near = [text.rsplit(" ", 8)[0] for text in texts[280:]]  # .96
    copies = documents(near, [f"copy {at}" for at in range(20)], "train")
    table = near_duplicates_of(
        pl.concat([train, copies]), reference, overlap_share=None
    )
    assert table["id"].to_list() == copies["id"].to_list()
    assert table["reason"].unique().to_list() == ["near"]


def test_decomposed_held_out_text_is_found():
    text = unicodedata.normalize("NFC", "\u00e9t\u00e9 \u00e0 No\u00ebl " * 5 + "fin")
    train = documents([unicodedata.normalize("NFD", text)], ["a"], "train")
    reference = documents([text], ["b"], "heldout")
    assert near_duplicates_of(train, reference)["reason"].to_list() == ["words"]
