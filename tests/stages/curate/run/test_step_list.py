"""The steps that a user switches on: lists, language, cleaning, masks, own scores."""

import json
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from stages.curation.reading.documents import documents
from stages.curation.scores.quality import quality_scores
from stages.curation.scores.quality_card import load_quality, save_quality
from stages.curation.scores.settings import Quality
from stages.foundation.errors import InputError
from stages.settings.curate import CurateSettings

PROSE = (
    "It is known that the mill by the river turned with the water, and that the people"
    " of the town came to have their grain ground there. "
)
GERMAN = (
    "Es ist bekannt, dass die Mühle am Fluss mit dem Wasser lief und dass die Leute aus"
    " der Stadt ihr Korn dort mahlen ließen. "
)
ROWS = [
    {"text": PROSE * 3 + "Plain.", "url": "http://good.org/a"},
    {"text": PROSE * 3 + "Blocked.", "url": "http://sub.bad.org/b"},
    {"text": PROSE * 3 + "It holds a nasty word.", "url": "http://good.org/c"},
    {"text": GERMAN * 4, "url": "http://good.org/d"},
    {"text": PROSE * 3 + "Write to me@mail.org now.", "url": "http://good.org/e"},
    {
        "text": PROSE * 2 + "\nPlease enable javascript to read this page.\nNo mark",
        "url": "http://good.org/f",
    },
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in ROWS)
    )
    (tmp_path / "domains.txt").write_text("bad.org\n")
    (tmp_path / "words.txt").write_text("nasty word # a phrase\n")
    return tmp_path


def test_lists_language_and_masks(folder, run, read):
    lists = {
        "url_lists": {"domains": str(folder / "domains.txt")},
        "bad_words": str(folder / "words.txt"),
        "languages": ["en"],
    }
    run(
        folder / "raw",
        rules=[],
        extra=["url"],
        mask_pii=True,
        dedup={"policy": "none"},
        **lists,
    )
    dropped = {row["url"][-1]: row["reason"] for row in read("dropped").to_dicts()}
    assert dropped == {"b": "url_domains", "c": "c4_bad_words", "d": "language"}
    kept = {row["url"][-1]: row for row in read().to_dicts()}
    assert (
        "me@mail.org" not in kept["e"]["text"]
        and "email@example.com" in kept["e"]["text"]
        and kept["e"]["masked_emails"] == 1
    )
    assert kept["a"]["found_lang"] == "en" and kept["a"]["n_chars"] == len(
        ROWS[0]["text"]
    )


def test_cleaning_cuts_lines_before_the_rules_look(folder, run, read):
    run(
        folder / "raw",
        rules=["gopher_min_words"],
        clean="c4",
        extra=["url"],
        dedup={"policy": "none"},
        thresholds={"min_doc_words": 5},
    )
    sides = {
        row["url"][-1]: row
        for side in ("kept", "dropped")
        for row in read(side).to_dicts()
    }
    assert (
        sides["f"]["reason"] == "cleaned_too_few_sentences"
        and sides["f"]["named_words"] is None
    )
    assert (
        sides["a"]["lines_dropped"] == 0
        and sides["a"]["reason"] == "cleaned_too_few_sentences"
    )


def test_own_scores_choose_among_copies_and_drop(folder, run, read, monkeypatch):
    (folder / "length_scores.py").write_text(
        "def rate(texts):\n    return [-len(text) for text in texts]\n"
    )
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    run(
        folder / "raw",
        rules=[],
        scorer={"function": "length_scores:rate"},
        dedup={"keep": "own_score"},
    )
    kept = read()
    assert kept["own_score"].to_list() == [-len(text) for text in kept["text"]]
    # like "Plain." are .93 and .81, all others less; without the score the longest stays
    copies = [row["text"] for row in ROWS[:3]]
    assert copies[0] in kept["text"]
    assert read("dropped")["text"].to_list() == copies[1:]


def test_a_list_that_is_not_there_is_named(folder, run):
    with pytest.raises(InputError, match="none.txt: no such file"):
        run(folder / "raw", bad_words=str(folder / "none.txt"))


def test_a_saved_classifier_scores_as_it_did(folder, run, read):
    pool = documents(
        [f"{PROSE} {at}" for at in range(40)], [f"p{at}" for at in range(40)], "p"
    )
    reference = documents(
        [f"{GERMAN} {at}" for at in range(40)], [f"r{at}" for at in range(40)], "r"
    )
    result = quality_scores(pool, reference, Quality(folds=2))
    save_quality(folder / "model", result, pool, reference)
    run(
        folder / "raw",
        rules=[],
        extra=["url"],
        quality={"model": str(folder / "model"), "keep_above": 0.5},
        dedup={"policy": "none"},
    )
    assert [row["url"][-1] for row in read().to_dicts()] == ["d"] and set(
        read("dropped")["reason"]
    ) == {"low_quality"}
    kept = read().with_columns(parent="id")
    assert kept["quality"].to_list() == pytest.approx(
        load_quality(folder / "model").score(kept)["score"].to_list()
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"rules": "url"},
            "rule url_domains is switched on by the key url_lists; leave it out here",
        ),
        (
            {"url_lists": {"domains": "d.txt"}},
            "url_lists needs the column url; add it to extra",
        ),
        (
            {"dedup": {"keep": "own_score"}},
            "dedup.keep: own_score needs the section scorer",
        ),
        ({"quality": {}}, "needs exactly one of reference"),
        (
            {"dedup": {"keep": "quality"}},
            "dedup.keep: quality needs the section quality",
        ),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    with pytest.raises(ValidationError, match=message):
        CurateSettings.model_validate(settings)


def test_each_language_is_judged_by_its_own_rules_and_those_without_a_table_are_counted(
    tmp_path, run, read, caplog
):
    file = Path(__file__).parents[2] / "curation/rules/paragraphs.json"
    texts = json.loads(file.read_text("utf-8"))
    rows = [json.dumps({"text": text}) + "\n" for text in texts.values()]
    (tmp_path / "a.jsonl").write_text("".join(rows), "utf-8")
    manifest = run(tmp_path / "a.jsonl")
    assert manifest["counts"]["kept"] == len(texts)
    assert read()["rules_lang"].to_list() == list(texts)
    assert manifest["languages"] == dict.fromkeys(sorted(texts), 1)
    said = [row["message"] for row in manifest["warnings"]]
    assert len(said) == 1 and f"2 of {len(texts)} documents are in no" in said[0]
    assert said[0] in caplog.text
    page = (tmp_path / "out/report.md").read_text("utf-8")
    assert "Languages of the rules (documents): ar 1, " in page


def test_codes_of_languages_are_normalised_and_unknown_ones_refused():
    asked = CurateSettings(languages=["EN", "eng", "en-US", "deu"])
    assert asked.languages == ["en", "de"]
    with pytest.raises(ValidationError, match="no language 'klingon'"):
        CurateSettings(languages=["klingon"])
