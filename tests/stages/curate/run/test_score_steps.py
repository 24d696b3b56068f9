"""Score columns of a run: fitted, saved, a user's own; cut at a value or a share, and choosing among copies."""

import json
import random
import sys

import pytest
from pydantic import ValidationError

from stages.curation.reading.documents import documents
from stages.curation.scores.ngram_model import Ngram, train_ngram
from stages.curation.scores.perplexity import score_documents
from stages.foundation.errors import InputError
from stages.settings.curate import CurateSettings

OFF = {"rules": [], "dedup": {"policy": "none"}}
MATHS, TOWN = (
    "prime lemma proof ring field group kernel ideal".split(),
    "street market square bridge tower church".split(),
)


@pytest.fixture
def topics() -> list[dict]:
    """30 documents of mathematics, 30 of a town, 3 of two words; `stars` is a number, missing in one row."""
    rng = random.Random(0)
    rows = [
        {"text": " ".join(rng.choices(words, k=60)), "topic": topic, "stars": at}
        for topic, words in (("m", MATHS), ("t", TOWN))
        for at in range(30)
    ]
    rows += [{"text": f"Two {at}.", "topic": "s", "stars": None} for at in range(3)]
    rng.shuffle(rows)
    return rows


@pytest.fixture
def reference(tmp_path):
    rng = random.Random(1)
    file = tmp_path / "reference.jsonl"
    file.write_text(
        "".join(
            json.dumps({"body": " ".join(rng.choices(MATHS, k=60))}) + "\n"
            for _ in range(40)
        )
    )
    return file


def ngram(reference, **changes):
    return {
        "nats": (
            {"kind": "ngram", "reference": [str(reference)], "text": "body"} | changes
        )
    }


def test_a_document_like_the_reference_has_few_nats(
    write, run, read, topics, reference
):
    run(write(content=topics), **OFF, extra=["topic"], scores=ngram(reference))
    kept = read()
    nats = {topic: kept.filter(topic=topic)["nats"] for topic in "mts"}
    assert (
        nats["m"].max() < 3 < nats["t"].min() and nats["s"].null_count() == 3
    )  # too short for a score
    model = train_ngram(
        documents(
            [json.loads(line)["body"] for line in reference.read_text().splitlines()],
            [str(at) for at in range(40)],
            "r",
        )["text"],
        Ngram(),
    )
    again = score_documents(model, kept, 8)["nats"]
    assert kept["nats"].to_list() == pytest.approx(again.to_list(), nan_ok=True)


def test_cuts_at_a_value_and_at_a_share(write, run, read, topics, reference, tmp_path):
    folder = write(content=topics)
    run(folder, "value", **OFF, extra=["topic"], scores=ngram(reference, keep_below=3))
    assert set(read("dropped", "value").select("topic", "reason").rows()) == {
        ("t", "high_nats")
    }
    manifest = run(
        folder, "share", **OFF, extra=["topic"], scores=ngram(reference, keep=0.3)
    )
    kept, dropped = read("kept", "share"), read("dropped", "share")
    assert (
        set(kept["topic"]) == {"m"}
        and kept["nats"].max() < dropped.filter(topic="m")["nats"].min()
    )
    assert 0.3 <= kept["n_chars"].sum() / manifest["counts"]["characters"] < 0.33
    assert dropped.filter(topic="s")["reason"].to_list() == ["not_best_nats"] * 3
    assert (
        f"nats at most {kept['nats'].max():.6g}: 0.3 of the characters, the best"
        in (tmp_path / "share/report.md").read_text()
    )


def test_the_middle_of_a_column(write, run, read, topics):
    run(
        write(content=topics),
        **OFF,
        extra=["stars"],
        scores={
            "worth": {
                "kind": "column",
                "column": "stars",
                "keep_above": 0,
                "skip": 0.2,
                "keep": 0.5,
            }
        },
    )
    assert (
        5 <= read()["worth"].min()
        and read()["worth"].max() <= 24
        and read()["stars"].to_list() == [f"{value:.0f}" for value in read()["worth"]]
    )


def test_halves_of_the_input_are_scored_by_the_model_that_has_not_read_them(
    write, run, read, topics
):
    """So a document that stands once is hard even though the sample holds it."""
    odd = {
        "text": " ".join(f"rare{at}" for at in range(60)),
        "topic": "odd",
        "stars": 0,
    }
    folder, scores = (
        write(content=[*topics, odd]),
        {"nats": {"kind": "ngram", "take": "high", "keep": 0.015}},
    )
    hashes = [
        run(folder, f"out{mb}", **OFF, extra=["topic"], scores=scores, shard_mb=mb)[
            "kept"
        ]["hash"]
        for mb in (64, 0.002)
    ]
    assert hashes[0] == hashes[1] and read("kept", "out64")["topic"].to_list() == [
        "odd"
    ]


def test_a_score_chooses_among_copies(write, run, read, rows):
    twice = [
        {"text": row["text"], "stars": at}
        for at, row in enumerate(rows)
        if row["key"][0] in "ke"
    ]
    for take, best in (("high", max), ("low", min)):
        run(
            write(name=take, content=twice),
            f"out-{take}",
            rules=[],
            extra=["stars"],
            dedup={"policy": "exact", "keep": "worth"},
            scores={"worth": {"kind": "column", "column": "stars", "take": take}},
        )
        assert dict(read("kept", f"out-{take}").select("text", "worth").rows()) == {
            row["text"]: best(r["stars"] for r in twice if r["text"] == row["text"])
            for row in twice
        }


def test_a_function_and_a_saved_model(write, run, read, topics, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "def rate(texts):\n    return [len(text) for text in texts]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    train_ngram(
        documents([" ".join(random.Random(2).choices(TOWN, k=3000))], ["a"], "p")[
            "text"
        ]
    ).save(tmp_path / "model", {})
    scores = {
        "size": {"kind": "function", "function": "mine:rate", "keep_above": 20},
        "nats": {"kind": "saved", "folder": "model", "take": "low", "keep": 0.5},
    }
    run(write(content=topics), **OFF, extra=["topic"], scores=scores)
    kept = read()
    assert (
        set(kept["topic"]) == {"t"}
        and kept.height > 25
        and kept["size"].to_list() == kept["n_chars"].to_list()
    )
    assert sorted(set(read("dropped")["reason"])) == ["low_size", "not_best_nats"]
    (tmp_path / "mine.py").write_text(
        "def rate(texts):\n    return [-len(text) for text in texts]\n"
    )
    with pytest.raises(InputError, match="holds the result of other input or settings"):
        run(tmp_path / "raw", **OFF, extra=["topic"], scores=scores)


def test_a_value_that_is_no_number_is_one_line(write, run):
    rows = [{"text": "One.", "stars": 1}, {"text": "Two.", "stars": "many"}]
    with pytest.raises(
        InputError,
        match=(
            r"scores\.worth: part-0\.jsonl:2: column 'stars' holds 'many', not a"
            r" number; mend the row"
        ),
    ):
        run(
            write(content=rows),
            **OFF,
            extra=["stars"],
            scores={"worth": {"kind": "column", "column": "stars"}},
        )


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_model_that_is_not_there_is_named(write, run, folder):
    with pytest.raises(InputError, match="card.json"):
        run(write(), scores={"nats": {"kind": "saved", "folder": folder}})


def test_an_input_too_small_to_learn_from(write, run):
    with pytest.raises(
        InputError,
        match=(
            r"scores\.nats: the input of 1 documents is too small to learn from; give a"
            r" reference"
        ),
    ):
        run(
            write(content=[{"text": "One document."}]),
            **OFF,
            scores={"nats": {"kind": "ngram"}},
        )


def test_a_name_of_a_measure_is_refused(write, run):
    with pytest.raises(
        InputError,
        match=(
            "scores.named_words has the name of a measure of the rules; give it another"
            " name"
        ),
    ):
        run(
            write(),
            extra=["stars"],
            scores={"named_words": {"kind": "column", "column": "stars"}},
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"scores": {"x": {"kind": "column", "column": "c"}}},
            "scores.x needs the column c; add it to extra",
        ),
        (
            {"scores": {"text": {"kind": "ngram"}}},
            "scores.text would replace a column of the output; give it another name",
        ),
        ({"scores": {"Not a name": {"kind": "ngram"}}}, "should match pattern"),
        (
            {"scores": {"x": {"kind": "guess"}}},
            "does not match any of the expected tags",
        ),
        (
            {"scores": {"x": {"kind": "ngram", "keep_above": 3, "keep_below": 2}}},
            "keep_above 3 is above keep_below 2",
        ),
        (
            {"scores": {"x": {"kind": "ngram", "skip": 0.6, "keep": 0.5}}},
            "skip 0.6 needs a keep of at most 0.4",
        ),
        (
            {"scores": {"x": {"kind": "function", "function": "no colon"}}},
            "should match pattern",
        ),
        (
            {"dedup": {"keep": "best"}},
            (
                "dedup.keep: best is neither a way to choose nor a score of this run;"
                " known are longest, first"
            ),
        ),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    with pytest.raises(ValidationError, match=message):
        CurateSettings.model_validate(settings)
