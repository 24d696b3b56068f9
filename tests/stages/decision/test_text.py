"""The record in words: labels, intervals, the sentence, the markdown."""

import pytest

from stages.decision.at_budgets import Flip
from stages.decision.record import read_decision
from stages.decision.text import (
    arm_label,
    check_text,
    decision_markdown,
    headline,
    sentence,
    worth_shown,
)
from stages.foundation.stage import ROOT
from stages.presentation.numbers import flops_text, interval_text
from stages.searched.words import printed_decisions

ARM = {
    "keep": 0.2,
    "by": "quality",
    "take": "high",
    "upweight": None,
    "dedup": "near",
    "rules": False,
    "mixture": None,
}


@pytest.mark.parametrize(
    ("change", "label"),
    [
        ({}, "keep the best 20 %"),
        ({"keep": 1}, "keep everything"),
        ({"take": "low"}, "keep the worst 20 %"),
        ({"take": "middle"}, "keep the middle 20 %"),
        ({"take": "random"}, "keep a random 20 %"),
        ({"by": "difficulty"}, "keep the hardest 20 %"),
        ({"by": "difficulty", "take": "low"}, "keep the easiest 20 %"),
        ({"by": "perplexity"}, "keep the 20 % highest in perplexity"),
        ({"by": "perplexity", "take": "low"}, "keep the 20 % lowest in perplexity"),
        ({"by": "perplexity", "take": "middle"}, "keep the middle 20 % by perplexity"),
        ({"upweight": 0.5}, "upweight the best 20 % to 50 % of training"),
        ({"dedup": "none"}, "keep the best 20 %, duplicates included"),
        ({"dedup": "exact"}, "keep the best 20 %, exact duplicates removed"),
        ({"dedup": "bands"}, "keep the best 20 %, joined by one shared band"),
        ({"rules": True}, "keep the best 20 %, after the rules"),
        ({"rules": "gopher"}, "keep the best 20 %, after gopher"),
        ({"rules": ["a", "b"]}, "keep the best 20 %, after a, b"),
        (
            {"keep": 1, "mixture": {"web": 0.75, "code": 0.25}},
            "train on 75 % web, 25 % code",
        ),
        (
            {"mixture": {"web": 1}},
            "train on 100 % web, and of these keep the best 20 %",
        ),
    ],
)
def test_a_label_says_what_an_arm_does(change, label):
    assert arm_label("name", ARM | change) == label


def test_budgets_are_short():
    assert flops_text(4.14e15) == "4.1e15" and flops_text(2e-3) == "2.0e-3"


def test_an_interval_says_where_it_is_open(flip):
    assert interval_text(flip()) == "1.0e9 FLOPs [5.0e8, 3.0e9]"
    assert interval_text(flip(low=None)) == "1.0e9 FLOPs [below the range, 3.0e9]"
    assert interval_text(flip(high=None)) == "1.0e9 FLOPs [5.0e8, beyond the range]"


LABELS = {"a": "keep a", "b": "keep b", "c": "keep c"}


def test_the_sentence_names_the_arms_in_turn(flip):
    assert sentence(["b"], [], LABELS, "decided") == "Keep b at every budget searched."
    one = [flip()]
    assert sentence(["a", "b"], one, LABELS, "decided") == (
        "Keep a up to 1.0e9 FLOPs [5.0e8, 3.0e9], above that keep b."
    )
    two = [flip(), flip(flops=7e9, low=6e9, high=None)]
    assert sentence(["a", "b", "c"], two, LABELS, "decided") == (
        "Keep a up to 1.0e9 FLOPs [5.0e8, 3.0e9], then keep b up to 7.0e9 FLOPs"
        " [6.0e9, beyond the range], above that keep c."
    )


@pytest.mark.parametrize(
    ("status", "start"),
    [
        ("tie", "A tie: no arm is worth more than the noise. Nearest: keep b at"),
        ("insufficient_evidence", "Not settled by these runs. Nearest: keep b at"),
        ("extrapolating", "Beyond what was measured. Nearest: keep b at"),
    ],
)
def test_a_doubtful_answer_says_so_first(status, start):
    assert sentence(["b"], [], LABELS, status).startswith(start)


@pytest.fixture(scope="module")
def record():
    """The committed record of the demo."""
    return read_decision(ROOT / "data/decisions/filter.json")


def test_the_markdown_shows_what_the_record_holds(record):
    shown = decision_markdown(record).splitlines()
    assert shown[0] == f"## {record.question.title}"
    assert shown[1] == f"**{record.sentence}**"
    assert shown[2] == f"Status: {record.status}. {record.reason}"
    assert shown[4].startswith("| FLOPs | train on | P(best) | loss | lead over")
    assert "_best" not in shown[4] and shown[5] == "|" + "---|" * 9
    first = record.tables.targets[0]
    assert shown[6].startswith(
        f"| {first['FLOPs']} | {first['train on']} | {first['P(best)']:.4g} |"
    )
    assert len(shown) == 6 + len(record.tables.targets) + 2
    assert shown[-2] == "" and shown[-1] == (
        f"Law: {record.law.title} (`{record.law.name}`). {record.heldout_check.text}"
    )


def test_every_decision_is_printed_with_its_status(record, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record.write("data/decisions/b.json")
    other = record.model_copy(update={"sentence": "First.", "status": "tie"})
    other.write("data/decisions/a.json")
    first, second = printed_decisions().split("\n\n")
    assert first == (
        f"\n{record.question.title}\n  First.\n  status: tie. {record.reason}"
    )
    assert second == (
        f"{record.question.title}\n  {record.sentence}\n  status: {record.status}."
        f" {record.reason}"
    )


def test_the_check_says_the_level_of_its_intervals(record):
    holdout = record.heldout_check.model_copy(
        update={
            "n": 7,
            "from_flops": 2e9,
            "mape": 0.0123,
            "bias": -0.004,
            "coverage": 0.86,
        }
    )

    class Fitted:
        metric = "loss_news"
        law = record.law.model_copy(update={"level": 0.6})

    Fitted.holdout = holdout
    assert check_text(Fitted) == (
        "Fitted below 2e+09 FLOPs, the law predicts the 7 runs at and above it with a"
        " mean error of 1.23 % (bias -0.004 nats); 86 % of them lie in their 60 %"
        " interval."
    )
    Fitted.metric = "error_digits"
    assert "(bias -0.004);" in check_text(Fitted)


def answered(**changes):
    """The record of the demo with other findings."""
    return read_decision(ROOT / "data/decisions/filter.json").model_copy(update=changes)


def flip(first, second):
    return Flip(
        first=first,
        second=second,
        flops=1e10,
        low=None,
        high=None,
        share=1.0,
        level=0.9,
        extrapolated=False,
    )


LABELS = {"a": "keep a", "b": "keep b", "c": "keep c"}


@pytest.mark.parametrize(
    ("flips", "status", "said"),
    [
        ([], "decided", "Keep a, at every budget searched."),
        (
            [flip("b", "c")],
            "decided",
            "Keep b, then keep c, as the budget grows.",
        ),
        (
            [flip("a", "b"), flip("b", "c")],
            "insufficient_evidence",
            "Not settled, nearest: keep a, then keep b, then keep c, as the budget grows.",
        ),
        ([], "tie", "A tie, nearest: keep a, at every budget searched."),
    ],
)
def test_without_a_target_the_headline_names_the_arms_in_turn(
    flips, status, said, target
):
    record = answered(
        target=None,
        crossovers=flips,
        labels=LABELS,
        status=status,
        targets=[target(best="a")],
    )
    assert headline(record) == said


def test_with_a_target_the_headline_is_its_arm_and_its_own_status():
    known = answered()
    for status, lead in (
        ("decided", "Keep a, "),
        ("extrapolating", "Beyond what was measured, nearest: keep a, "),
    ):
        at = known.target.model_copy(update={"best": "a", "status": status})
        record = answered(target=at, labels=LABELS, status="tie")
        assert headline(record) == f"{lead}for the target."


def test_the_worth_that_is_shown_is_the_targets_or_of_the_largest_decided_budget(
    target,
):
    known = answered()
    [shown] = [worth_shown(known)]
    assert shown is not None and shown.flops == known.target.flops
    worths = [shown.model_copy(update={"flops": flops}) for flops in (1e9, 2e9, 3e9)]
    targets = [
        target(flops=1e9),
        target(flops=2e9),
        target(flops=3e9, status="insufficient_evidence"),
    ]
    record = answered(target=None, worth=worths, targets=targets)
    assert worth_shown(record).flops == 2e9
    assert worth_shown(answered(target=None, worth=worths, targets=targets[2:])) is None
