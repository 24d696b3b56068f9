"""The outcome in words: what was inside, and what was decided rightly."""

from stages.decision.record import TrunkRecord, read_decision
from stages.foundation.stage import ROOT
from stages.verification.words import lead_row, outcome, run_row, trunk_words


def test_the_sentence_counts_runs_leads_and_decided_budgets(verification):
    known = verification()
    assert outcome(known.runs, known.leads, known.verdicts, level=0.9) == (
        "Trained afterwards at 2 to 8 times the fitted compute: 3 of 4 runs and 1 of 2"
        " leads lie in their 90 % interval, the mean error is 2.19 %; of 1 budgets"
        " called decided 0 were right."
    )
    assert outcome(known.runs[:1], [], [], level=0.9) == (
        "Trained afterwards at 2 times the fitted compute: 1 of 1 runs and 0 of 0"
        " leads lie in their 90 % interval, the mean error is 0.00 %."
    )
    assert outcome([], [], [], level=0.9) == (
        "Nothing has been trained after this decision."
    )


def test_branches_say_from_which_trunk(verification):
    known = verification()
    record = read_decision(ROOT / "data/decisions/filter.json")
    assert trunk_words(record) == ""
    for n_tokens, length in ((131_072, "131,072 tokens"), (None, "unknown length")):
        trunk = TrunkRecord.model_construct(n_tokens=n_tokens)
        of = trunk_words(record.model_copy(update={"trunk": trunk}))
        said = outcome(known.runs[:1], [], [], level=0.9, of=of)
        assert said.startswith(
            "Trained afterwards at 2 times the fitted compute, branches from a trunk of"
            f" {length}: 1 of 1 runs"
        )


def test_a_run_is_a_row(verification):
    known = verification()
    assert run_row(known.runs[3], known.labels) == {
        "arm": "keep b",
        "FLOPs": "8.0e9",
        "times fitted": "8",
        "epochs": "8.0",
        "measured": 4.2,
        "predicted": 4.0,
        "interval": "[3.900, 4.100]",
        "error %": -4.76,
        "inside": "no",
    }


def test_a_lead_is_shown_as_what_the_other_loses(verification):
    known = verification()
    at_two, at_eight = (
        lead_row(lead, known.verdicts, known.labels) for lead in known.leads
    )
    assert at_two == {
        "arm": "keep a",
        "against": "keep b",
        "FLOPs": "2.0e9",
        "times fitted": "2",
        "measured lead": "-0.050",
        "predicted": "+0.150 [+0.050, +0.250]",
        "inside": "no",
        "said": "decided",
    }
    assert (at_eight["measured lead"], at_eight["said"]) == ("+0.200", "-")
