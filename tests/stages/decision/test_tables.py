"""Rows of a decision for a person."""

import pytest

from stages.decision.at_budgets import Crossing, Stretch
from stages.decision.record import ControlEffect, HeldoutRow, read_decision
from stages.decision.tables import (
    control_row,
    counted,
    flip_row,
    heldout_row,
    judge_row,
    judged_row,
    law_row,
    shown_parameters,
    size_rows,
    tables,
    target_row,
)
from stages.foundation.stage import ROOT
from stages.laws.interface.cost import Cost
from stages.laws.interface.fitted import FittedParameter, RankedLaw
from stages.presentation.metric_words import metric_words
from stages.runs.judge_record import Judge, JudgedLoss


@pytest.mark.parametrize(
    ("given", "shown"), [(5.0, "5"), (5, "5"), (4.34, "4.3"), (7.96, "8")]
)
def test_counts_have_no_idle_decimals(given, shown):
    assert str(counted(given)) == shown


LABELS = {"a": "keep a", "b": "keep b", "c": "keep c"}
WORDS = metric_words("nats/token")


def test_a_budget_shows_the_best_arm_and_what_the_next_one_loses(target):
    assert target_row(target(), LABELS, WORDS) == {
        "FLOPs": "2.0e9",
        "train on": "keep a",
        "P(best)": 0.96,
        "loss": "3.000 [2.900, 3.200]",
        # best less next is -.1 [-.15, -.02]
        "lead over the next": "0.100 [0.020, 0.150]",
        "next": "keep b",
        "regret": 0.001,
        "other law says": "keep a",
        "status": "decided",
        "_best": True,
    }


def test_a_judge_and_what_the_best_arm_loses_by_it(target):
    judge = Judge(
        name="wiki",
        metric="bpb_wiki",
        weight=0.25,
        signal=0.1234,
        noise=0.0456,
        used=True,
        reason="tells",
    )
    assert judge_row(judge) == {
        "judge": "wiki",
        "weight": 0.25,
        "arms differ by": "0.123",
        "noise of a run": "0.046",
        "what of it": "tells",
    }
    loss = JudgedLoss(
        judge="wiki",
        arm="a",
        against="b",
        excess=(0.02, -0.01, 0.05),
        may_lose=0.01,
        p_over=0.7,
    )
    assert judged_row(loss, target(), LABELS) == {
        "FLOPs": "2.0e9",
        "judge": "wiki",
        "arm": "keep a",
        "less": "keep b",
        "bits a byte": "+0.020 [-0.010, +0.050]",
        "may lose": "0.01",
        "P(loses more)": "0.70",
    }
    told = loss.model_copy(update={"may_lose": None, "p_over": None})
    row = judged_row(told, target(), LABELS)
    assert (row["may lose"], row["P(loses more)"]) == ("", "")


def test_a_budget_without_a_next_arm_or_law_leaves_them_empty(target):
    row = target_row(
        target(second=None, runner_up_best=None, status="insufficient_evidence"),
        LABELS,
        metric_words("share wrong"),
    )
    assert (row["next"], row["other law says"]) == ("", "")
    assert row["status"] == "insufficient evidence" and row["_best"] is False
    assert row["error"] == "3.000 [2.900, 3.200]"


def test_a_flip_says_from_what_to_what_and_whether_it_was_measured(flip):
    assert flip_row(flip(share=0.8765), LABELS) == {
        "from": "keep a",
        "to": "keep b",
        "at": "1.0e9 FLOPs [5.0e8, 3.0e9]",
        "draws with a flip": 0.876,
        "beyond what was measured": "no",
    }
    assert (
        flip_row(flip(extrapolated=True), LABELS)["beyond what was measured"] == "yes"
    )


def test_stretches_of_a_size_count_tokens_at_the_flip(flip):
    crossing = Crossing(**flip().model_dump(exclude={"extrapolated"}))
    path = [Stretch(arm="a", up_to=crossing), Stretch(arm="b", up_to=None)]
    assert size_rows(12_000, path, LABELS, WORDS) == [
        {
            "parameters": "12,000",
            "best": "keep a",
            "up to": "1.0e9 FLOPs [5.0e8, 3.0e9]",
            "tokens there": "13,889",  # 1e9 / 6 / 12,000
        },
        {
            "parameters": "12,000",
            "best": "keep b",
            "up to": "the end of the range",
            "tokens there": "",
        },
    ]


def test_tokens_at_a_flip_are_those_that_the_budget_buys_in_the_table(flip):
    crossing = Crossing(**flip().model_dump(exclude={"extrapolated"}))
    path = [Stretch(arm="a", up_to=crossing)]
    [row] = size_rows(12_000, path, LABELS, WORDS, cost=Cost(factors=(60.0,)))
    assert row["tokens there"] == "1,389"  # 1e9 / 60 / 12,000


def test_a_cell_of_the_check_shows_the_error_of_the_prediction():
    row = HeldoutRow(
        arm="b",
        n_params=12_000.0,
        n_tokens_seen=50_000.0,
        flops=3.6e9,
        measured=4.0,
        predicted=3.9,
        low=3.8,
        high=4.1,
    )
    assert heldout_row(row, LABELS, WORDS) == {
        "arm": "keep b",
        "parameters": "12,000",
        "tokens": "50,000",
        "measured": 4.0,
        "predicted": 3.9,
        "interval": "[3.800, 4.100]",
        "error %": -2.5,
    }


def test_a_control_shows_its_difference_with_both_ends():
    row = ControlEffect(
        control="x",
        kind="drop_half",
        like="a",
        difference_nats=0.01,
        half_width_nats=0.03,
        smallest_detectable_effect_nats=0.04567,
        n_draws=4,
    )
    assert control_row(row, WORDS) == {
        "control": "a random half of the documents dropped",
        "against": "a",
        "difference (nats)": "+0.0100 [-0.0200, +0.0400]",
        "could detect": 0.0457,
        "resamples": 4,
    }


def test_a_law_is_shown_in_per_cent():
    row = RankedLaw(
        law="chinchilla",
        n_unknowns=5.0,
        mape=0.01234,
        rmse=9.0,
        bias=-0.00456,
        share=0.876,
        typical=0.5,
        reason="why",
    )
    assert law_row(row) == {
        "law": "chinchilla",
        "unknowns": 5,
        "held-out error %": 1.23,
        "bias %": -0.46,
        "weight %": 87.6,
        "why here": "why",
    }


def test_parameters_say_what_is_no_number_to_quote():
    def parameter(at_bound, identified):
        return FittedParameter(
            value=1.0,
            low=0.5,
            high=2.0,
            unit="1",
            at_bound=at_bound,
            identified=identified,
        )

    rows = shown_parameters(
        {
            "E": {"a": parameter(True, False), "b": parameter(False, False)},
            "beta": parameter(True, True),
            "alpha": parameter(False, True),
        }
    )
    assert rows[0] == {
        "parameter": "E [a]",
        "value": 1.0,
        "low": 0.5,
        "high": 2.0,
        "unit": "1",
        "notes": "at a bound, not identified",
    }
    assert [row["parameter"] for row in rows] == ["E [a]", "E [b]", "beta", "alpha"]
    assert [row["notes"] for row in rows[1:]] == ["not identified", "at a bound", ""]


def test_the_tables_of_the_demo_are_made_of_its_record():
    record = read_decision(ROOT / "data/decisions/filter.json")
    assert tables(record) == record.tables
