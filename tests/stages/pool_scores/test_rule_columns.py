"""What the rules say of documents, and the count of drops over all batches."""

import json

import polars as pl
import pytest

from stages.curation.reading.documents import documents
from stages.foundation.errors import InputError
from stages.pool_scores.rule_columns import RuleColumns, address_column
from stages.settings.rules import RuleSettings

PROSE = 2 * (
    "The committee met on Tuesday to talk about the new bridge over the river, and most of"
    " the people who came that evening said that they would have to think about what it is"
    " going to cost the town before they vote on it in the spring of the next year. "
)
EVALUATION = " ".join(f"word{i}" for i in range(90))


@pytest.fixture
def settings(tmp_path):
    file = tmp_path / "eval.jsonl"
    file.write_text(json.dumps({"text": EVALUATION}) + "\n")
    return RuleSettings(
        rules=["gopher_min_words"], decontaminate={"files": [str(file)]}
    )


def frame_of(*texts: str) -> pl.DataFrame:
    return documents(list(texts), [str(i) for i in range(len(texts))], "web")


def test_a_document_is_judged_by_the_rules_first_and_then_against_the_evaluation(
    settings,
):
    long = f"{PROSE} {EVALUATION}"
    table = RuleColumns(settings).of(frame_of(PROSE, "too short", long))
    assert table["first_failed"].to_list() == [
        None,
        "gopher_min_words",
        "decontamination",
    ]
    assert table["rules_pass"].to_list() == [True, False, False]
    assert table["pass_decontamination"].to_list() == [True, True, False]


def test_batches_add_up_and_those_that_are_not_counted_do_not(settings):
    whole, parts = RuleColumns(settings), RuleColumns(settings)
    texts = [PROSE, "too short", "also short", f"{PROSE} {EVALUATION}"]
    whole.of(frame_of(*texts))
    parts.of(frame_of(*texts[:2]))
    parts.of(frame_of(*texts[2:]))
    parts.of(frame_of("short"), count=False)
    assert parts.report().equals(whole.report())
    counts = dict(whole.report().select("rule", "documents_in_order").iter_rows())
    assert (counts["gopher_min_words"], counts["decontamination"]) == (2, 1)
    assert RuleColumns(settings).report().is_empty()


def test_lists_of_addresses_need_addresses(tmp_path):
    (tmp_path / "domains").write_text("bad.example\n")
    asked = RuleSettings(url_lists={"domains": str(tmp_path / "domains")})
    frame = frame_of(PROSE)
    with pytest.raises(InputError, match="data/ingest has no column url"):
        address_column(frame, asked)
    address_column(frame.with_columns(url=pl.lit("https://a.example")), asked)
    address_column(frame, RuleSettings())


def test_documents_without_a_table_are_counted_for_the_console():
    columns = RuleColumns(RuleSettings(rules="gopher"))
    columns.of(frame_of(PROSE, "ქალაქის საბჭო შეიკრიბა"))
    assert columns.note().startswith("pools: 1 of 2 documents are in no language")
    assert RuleColumns(RuleSettings(rules=[])).note() is None
