"""A searched record on the page, as markdown and in the list of decisions: the same numbers everywhere."""

import html
import re
from pathlib import Path

import pytest

from stages.foundation import artefacts
from stages.reporting.page import render
from stages.reporting.rows import CountedRuns
from stages.reporting.shown import draw_searched, show_figures
from stages.runs.mlflow_store.descriptions import decision_of, description
from stages.searched.record import law_name, read_decisions
from stages.searched.words import (
    any_markdown,
    curve_text,
    picture_of,
    printed_decisions,
)
from stages.verification.record import Verification
from stages.verification.words import lead_row
from tests.stages.conftest import verified_lead

LEAD = verified_lead(8, measured=-0.05, predicted=-0.04)
AFTER = Verification(
    version=1,
    question="mix",
    decision="d",
    metric="loss_weighted",
    level=0.9,
    n_params=2_000,
    fitted_to_flops=1e9,
    labels={"a": "the proposal: train on 60 % web", "b": "the prior"},
    arms={"a": "what was proposed", "b": "the prior"},
    runs=[],
    leads=[LEAD],
    verdicts=[],
    coverage=None,
    mean_error=None,
    lead_coverage=1.0,
    decided_right=0,
    decided_wrong=0,
    sentence="Trained afterwards at 8 times the fitted compute.",
    table=[],
    lead_table=[lead_row(LEAD, [], {"a": "the proposal", "b": "the prior"})],
)


@pytest.fixture(scope="module")
def shown(decided, tmp_path_factory):
    """The record of a mixture, its page and the folder that holds both."""
    record, curves = decided({"runs": 16, "veto": {"books": 0.5}})
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for path in (artefacts.DECISIONS, artefacts.CURVES, artefacts.REPORT):
            Path(path).mkdir(parents=True)
        curves.write_parquet(artefacts.curves("mix"))
        record.write(artefacts.decision("mix"))
        drawn = draw_searched(record)
        answer = show_figures(
            record,
            drawn,
            Path(artefacts.REPORT),
            50,
            anchor="search1",
            verification=AFTER,
        )
        page = render(
            title=record.question.title,
            decisions=[],
            searched=[answer],
            ledger=[],
            ledger_figure="",
            pools=[],
            runs=CountedRuns(16, 16, 1, 1, 4, "cpu"),
            n_unrecorded=0,
            control_level=0.95,
        )
    return record, html.unescape(page), folder


def test_the_page_has_the_answer_its_tables_and_its_figures(shown):
    record, page, _ = shown
    assert f"<title>Assay: {record.question.title}</title>" in page
    assert record.sentence in page and record.reason in page
    assert page.count("<svg") == 3
    for row in (*record.tables.proposal, *record.tables.predicted):
        for cell in row.values():
            shown_cell = f"{cell:.4g}" if isinstance(cell, float) else str(cell)
            assert shown_cell in page
    assert AFTER.sentence in page
    for cell in AFTER.lead_table[0].values():
        assert str(cell) in page
    assert "data/decisions/mix.json" in page
    assert not re.search(r"\{\{|\{%|>None<", page)


def test_markdown_and_the_list_say_the_same(shown, monkeypatch):
    record, _, folder = shown
    monkeypatch.chdir(folder)
    text = any_markdown(record)
    assert f"**{record.sentence}**" in text and "| web |" in text
    assert record.sentence in printed_decisions()
    assert read_decisions(artefacts.DECISIONS) == [record]


def test_tiers_that_are_used_alike_are_said_as_one():
    names = ("q000_010", "q010_030", "q030_060", "q060_100")

    def said(*uses):
        return curve_text(dict(zip(names, uses, strict=True)))

    assert said(6.4, 6.41, 2.0, 0.0) == (
        "use the best 30 % 6.4 times and 30 to 60 % 2 times, and drop the rest"
    )
    assert said(6.0, 2.0, 1e-6, 0.0) == (
        "use the best 10 % 6 times and 10 to 30 % 2 times, and drop the rest"
    )
    assert said(2.0, 2.0, 2.0, 2.0) == "use everything 2 times"


def test_mlflow_describes_it_with_its_picture(shown, monkeypatch):
    record, _, folder = shown
    monkeypatch.chdir(folder)
    assert picture_of("mix") == Path(artefacts.REPORT) / "mix-shares.png"
    told = description("mix", record.question.title, decision_of("mix"), parent="7")
    assert record.sentence in told and "mix-shares.png" in told
    assert law_name(record) == "mixture laws, averaged"
