"""Semantic copies on disk: those of the search in memory, whatever the clusters, their size and the cut of the work."""

import contextlib
import functools
import logging
import random

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from stages.curate.searches import searches, semantic_search
from stages.curation.duplicates.semantic import semdedup
from stages.curation.vectors import place
from stages.foundation.errors import InputError
from stages.pools import products_device
from stages.settings.curate import CurateSettings

OFF = {"rules": [], "dedup": {"policy": "none"}}


@pytest.fixture
def groups() -> list[dict]:
    """50 directions, three documents near each (cosine about 0.999 to one another) with other words, shuffled."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(50, 16))
    rows = [
        {
            "text": f"Document {at} of direction {at % 50}.",
            "key": f"k{at:03d}",
            "at": (centres[at % 50] + 0.03 * rng.normal(size=16)).tolist(),
            "worth": at,
        }
        for at in range(150)
    ]
    return [rows[at] for at in rng.permutation(150)]


def semantic(**changes):
    return OFF | {
        "id": "key",
        "extra": ["at", "worth", "key"],
        "semantic": {"embed": "column", "column": "at", "eps": 0.05} | changes,
    }


def direction(name: str) -> int:
    return int(name[1:]) % 50


def vectors_of(frame: pl.DataFrame) -> np.ndarray:
    return np.array(frame["at"].str.json_decode(pl.List(pl.Float64)).to_list())


@pytest.mark.parametrize("keep", ["hard", "easy"])
def test_one_cluster_keeps_what_the_search_in_memory_keeps(
    write, run, read, groups, keep
):
    run(write(3, content=groups), shard_mb=0.002, **semantic(clusters=1, keep=keep))
    both = pl.concat([read("kept"), read("dropped")])
    wanted = semdedup(
        vectors_of(both), both["id"], eps=0.05, n_clusters=1, keep_first=keep
    )
    assert (
        both["reason"].is_null().to_list() == wanted.keep.tolist()
        and wanted.keep.sum() == 50
    )
    twins = [both["id"][int(row)] if row >= 0 else None for row in wanted.twin]
    assert both["duplicate_of"].to_list() == twins


def test_one_of_each_direction_stays_in_any_number_of_clusters(
    write, run, read, groups
):
    run(write(content=groups), **semantic(eps=0.05))
    kept, dropped = read(), read("dropped")
    assert sorted(map(direction, kept["key"])) == list(range(50))
    assert set(dropped["reason"]) == {"duplicate_semantic"}
    names = dict(kept.select("id", "key").rows())
    assert all(
        direction(names[twin]) == direction(key)
        for twin, key in dropped.select("duplicate_of", "key").rows()
    )


def test_the_best_by_a_score_stays(write, run, read, groups, tmp_path):
    scores = {"scores": {"value": {"kind": "column", "column": "worth"}}}
    run(write(content=groups), **semantic(eps=0.05, keep="value"), **scores)
    assert sorted(read()["worth"].cast(pl.Int64)) == list(range(100, 150))
    run(
        tmp_path / "raw",
        "low",
        **semantic(eps=0.05, keep="value"),
        scores={"value": scores["scores"]["value"] | {"take": "low"}},
    )
    assert sorted(read("kept", "low")["worth"].cast(pl.Int64)) == list(range(50))


@pytest.mark.parametrize("limit", [10, 40])
def test_a_cluster_that_is_too_large_is_clustered_again(
    write, run, read, groups, monkeypatch, limit
):
    monkeypatch.setattr(semantic_search, "LARGEST", limit)
    run(write(content=groups), **semantic(eps=0.05, clusters=1))
    assert (
        set(map(direction, read()["key"])) == set(range(50)) and read().height <= 53
    )  # a few lie across a border


def test_rows_that_no_clustering_separates_are_cut_into_slices(
    write, run, read, monkeypatch
):
    """90 equal vectors in slices of 20: one of each slice stays, and no more are held together."""
    monkeypatch.setattr(semantic_search, "LARGEST", 20)
    seen, copies = [], semantic_search.copies
    monkeypatch.setattr(
        semantic_search,
        "copies",
        lambda rows, settings: (seen.append(len(rows)), copies(rows, settings))[1],
    )
    run(
        write(
            content=[
                {"text": f"Text {at}.", "key": str(at), "at": [1.0, 2.0], "worth": 0}
                for at in range(90)
            ]
        ),
        **semantic(clusters=1),
    )
    assert max(seen) == 20 and read().height == len(seen) == 5


def test_what_stays_does_not_depend_on_the_device_which_the_log_names(
    write, run, groups, monkeypatch, caplog
):
    """A card has a stand-in: the path of a torch device, on the processor."""
    caplog.set_level(logging.INFO, "assay")
    used = []

    @contextlib.contextmanager
    def card(place):
        used.append(place)
        yield "cpu:0"

    monkeypatch.setattr(products_device, "_card", card)
    folder = write(content=groups)
    kept = {
        device: run(folder, device, **semantic(device=device, keep_diverse=0.5))["kept"]
        for device in ("cpu", "cuda", "auto")
    }
    assert used == ["cuda"]
    assert kept["cuda"]["hash"] == kept["cpu"]["hash"] == kept["auto"]["hash"]
    said = [line for line in caplog.messages if "semantic copies are sought" in line]
    assert said[:2] == [
        f"semantic copies are sought on {d}: asked for" for d in ("cpu", "cuda")
    ]
    assert (
        "sought on the processor: " in said[2] and "until a card has begun" in said[2]
    )


def test_on_other_machines_no_card_of_this_one_is_chosen(monkeypatch):
    def choose_here(*asked):
        raise AssertionError("chose a card of this machine")

    monkeypatch.setattr(searches, "products_device", choose_here)
    for asked, device in (("auto", "cpu"), ("cuda", "cuda")):
        settings = CurateSettings.model_validate({"semantic": {"device": asked}})
        corpus = searches.Corpus(
            None, work=None, settings=settings, each=None, elsewhere=True
        )
        with searches._device(corpus, place.Cost(1e15, 1e4, 0), "x") as found:
            assert found == device


def test_d4_drops_what_is_typical(write, run, read):
    """Two thick bundles and a few rows far from both: what lies nearest to a centre goes."""
    rng = np.random.default_rng(1)
    bundle = [
        ([5.0, 0, 0] if at % 2 else [0, 5.0, 0])
        + (0.05 + 0.6 * (at % 5 == 0)) * rng.normal(size=3)
        for at in range(200)
    ]
    rows = [
        {
            "text": f"Text {at}.",
            "key": str(at),
            "at": list(vector),
            "worth": int(at % 5 == 0),
        }
        for at, vector in enumerate(bundle)
    ]
    manifest = run(write(content=rows), **semantic(eps=0, clusters=2, keep_diverse=0.3))
    typical = read("dropped").filter(reason="typical")
    assert (
        50 <= read().height <= 60
        and read()["worth"].cast(pl.Int64).mean()
        > 0.6
        > 0.05
        > typical["worth"].cast(pl.Int64).mean()
    )
    assert typical["duplicate_of"].null_count() == typical.height
    assert {row["step"] for row in manifest["ledger"]} == {
        "read",
        "rules",
        "copies",
        "semantic",
    }


def test_words_in_another_order_are_semantic_copies_by_default(write, run, read, rows):
    """MinHash takes them for different; their words are the same."""
    texts = [row["text"] for row in rows if row["text"] and len(row["text"]) > 100]
    rng = random.Random(4)
    turned = [
        " ".join(rng.sample(text.split(), len(text.split()))) for text in texts[:30]
    ]
    run(
        write(content=[{"text": text} for text in [*texts, *turned]]),
        rules=[],
        semantic={"eps": 0.001, "keep": "longest"},
    )
    kept = set(read()["text"])
    assert (
        all(
            (text in kept) + (copy in kept) <= 1
            for text, copy in zip(texts, turned, strict=False)
        )
        and len(kept) < 95
    )


@pytest.mark.parametrize(
    ("texts", "left"),
    [
        ([], 0),
        (["Only one."], 1),
        (["One.", "Two."], 2),
        (["..."] * 3, 3),
        (["Two two.", "two TWO", "two"], 1),
    ],
)
def test_almost_no_documents(write, run, read, texts, left):
    """What holds no word is like nothing."""
    run(
        write(content=[{"text": text} for text in [*texts, "Dropped.\0"]]),
        **OFF,
        semantic={},
    )
    assert read().height == left


def twos(scale: float, device: str = "cpu"):
    return lambda texts: np.array([[scale, len(text)] for text in texts])


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("[1, 2, 3]", "holds .*; write one list of equal length a row"),
        ("no", "holds (what is no list|'no')"),
        (None, "write one list of equal length a row"),
    ],
)
def test_vectors_that_do_not_fit_are_one_line(write, run, at, message):
    rows = [
        {"text": "One.", "key": "a", "at": [1, 2]},
        {"text": "Two.", "key": "b", "at": at},
        {"text": "Three.", "key": "c", "at": [2, 2]},
    ]
    with pytest.raises(InputError, match=message) as caught:
        run(write(content=rows), **semantic())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"semantic": {"embed": "column"}}, "embed: column needs the key column"),
        ({"semantic": {"folder": "x"}}, "embed: words has no use for the key folder"),
        (
            {"semantic": {"embed": "column", "column": "at"}},
            "semantic needs the column at; add it to extra",
        ),
        (
            {"semantic": {"keep": "first"}},
            (
                "semantic.keep: first is neither a way to choose nor a score of this"
                " run; known are longest, hard, easy, random"
            ),
        ),
        (
            {"semantic": {"keep": "quality"}},
            "semantic.keep: quality needs the section quality",
        ),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    with pytest.raises(ValidationError, match=message):
        CurateSettings.model_validate(settings)


def test_the_maker_of_a_proxy_is_called_in_the_worker(write, run, read, tmp_path):
    (tmp_path / "card.json").write_text("{}")
    rows = [{"text": "word " * (at % 3 * 40 + 5)} for at in range(9)]
    asked = {
        "embed": "proxy",
        "folder": str(tmp_path),
        "tokenizer": str(tmp_path / "card.json"),
        "eps": 1e-6,
    }
    folder = write(content=rows)
    with pytest.raises(InputError, match="semantic.embed: proxy needs a maker"):
        run(folder, **OFF, semantic=asked)
    run(
        folder,
        "proxy",
        request={"embed": functools.partial(twos, 50.0)},
        **OFF,
        semantic=asked,
    )
    assert read("kept", "proxy").height == 3
