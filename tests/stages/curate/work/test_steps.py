"""Where a rule plugs in: gates, steps for survivors, rewritten text."""

import polars as pl

from stages.curate.run.step_list import build_limits
from stages.curate.work.steps import Step, Verdicts, apply_steps
from stages.settings.curate import CurateSettings

FRAME = pl.DataFrame(
    {
        "id": list("abcd"),
        "text": ["one", "two", "three", "four"],
        "n_chars": [3, 3, 5, 4],
    }
)


def step(name, drops, **options):
    """A step that drops these texts and says which it has seen."""

    def judge(frame):
        return Verdicts(
            pl.DataFrame({f"seen_{name}": frame["n_chars"]}),
            pl.DataFrame({name: frame["text"].is_in(drops)}),
        )

    return Step(name, (name,), {f"seen_{name}": pl.Float64}, judge, **options)


def test_a_gate_hides_its_drops_and_a_step_for_survivors_looks_at_no_dropped_document():
    steps = [
        step("gate", ["one"], gate=True),
        step("rule", ["two"]),
        step("costly", ["two", "three"], survivors_only=True),
        step("last", ["two"]),
    ]
    frame, fails = apply_steps(FRAME, steps)
    assert frame["seen_rule"].to_list() == [None, 3, 5, 4]
    assert frame["seen_costly"].to_list() == [None, None, 5, 4]
    assert frame["seen_last"].to_list() == [None, 3, 5, 4]
    assert fails["costly"].to_list() == [
        False,
        False,
        True,
        False,
    ] and fails.columns == ["gate", "rule", "costly", "last"]


def test_a_step_that_no_document_reaches_leaves_nulls():
    frame, fails = apply_steps(
        FRAME, [step("gate", FRAME["text"].to_list(), gate=True), step("rule", ["two"])]
    )
    assert frame["seen_rule"].null_count() == 4 and not fails["rule"].any()


def test_later_steps_see_rewritten_text():
    def mask(frame):
        return Verdicts(
            pl.DataFrame(),
            pl.DataFrame({"mask": [False] * len(frame)}),
            texts=frame["text"] + "!",
        )

    frame, fails = apply_steps(
        FRAME,
        [
            step("gate", ["one"], gate=True),
            Step("mask", ("mask",), {}, mask),
            step("rule", ["two!"]),
        ],
    )
    assert frame["text"].to_list() == ["one", "two!", "three!", "four!"] and frame[
        "n_chars"
    ].to_list() == [3, 4, 6, 5]
    assert fails["rule"].to_list() == [False, True, False, False]


def test_every_reason_of_a_run_says_what_it_asks_for():
    limits = build_limits(
        CurateSettings(
            quality={"reference": ["r"], "keep_above": 0.5},
            decontaminate={"files": ["e"]},
        )
    )
    assert (
        limits["gopher_min_words"] == "named_words at least 50"
        and limits["low_quality"] == "quality at least 0.5"
    )
    assert limits["evaluation_overlap"] == "overlap with evaluation texts below 0.2"
