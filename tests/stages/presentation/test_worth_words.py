"""The worth of an arm in one sentence."""

from types import SimpleNamespace

import pytest

from stages.presentation.worth_words import interval_of, times_text, worth_text

USUAL = {
    "flops": 1e21,
    "best": "a",
    "baseline": "b",
    "times": 1.8,
    "low": 1.5,
    "high": 2.2,
    "tokens_times": 1.8,
    "tokens_low": 1.5,
    "tokens_high": 2.2,
    "never": False,
    "until": None,
}
LABELS = {"a": "keep the best 20 %", "b": "keep everything"}


def said(unit="FLOPs", where="", labels=LABELS, **changes):
    worth = SimpleNamespace(**USUAL | changes)
    return worth_text(worth, labels, unit=unit, where=where)


def test_the_sentence_of_the_issue():
    until = SimpleNamespace(flops=3e21)
    assert said(until=until, where="the target") == (
        "keep the best 20 % is worth 1.8 times the compute [1.5, 2.2] of keep everything"
        " at the target, and nothing above 3.0e21"
    )


def test_budgets_in_tokens_and_arms_without_words():
    assert said(unit="tokens", labels=None) == (
        "a is worth 1.8 times the tokens [1.5, 2.2] of b at 1.0e21 tokens"
    )


def test_what_is_never_reached_says_so():
    open_ended = {"times": None, "high": None}
    assert said(**open_ended, never=True) == (
        "keep the best 20 % is worth more than 1.5 times the compute of keep everything"
        " at 1.0e21 FLOPs (which never gets there by this law)"
    )
    assert said(**open_ended, low=1e4).startswith(
        "keep the best 20 % is worth more than 10,000 times the compute of keep"
    )
    assert said(**open_ended, low=None, never=True) == (
        "what keep the best 20 % is worth in compute of keep everything at 1.0e21 FLOPs,"
        " where it never gets by this law, is open: [below 0.01, above 10,000] times"
    )
    # "worth more than .94 times" would say that it may be worth less, and sound as if it were worth something
    assert said(**open_ended, low=0.94, never=True).endswith(
        "where it never gets by this law, is open: [0.94, above 10,000] times"
    )
    assert said(high=None).endswith(
        "[1.5, above 10,000] of keep everything at 1.0e21 FLOPs"
    )


def test_tokens_are_said_where_they_are_another_number():
    assert said(tokens_times=2.5, tokens_low=2.0, tokens_high=3.0).endswith(
        "; 2.5 times the tokens [2.0, 3.0] at one size"
    )


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.85, "0.85"), (1.0, "1.00"), (1.2, "1.2"), (9.96, "10")]
)
def test_a_ratio_has_the_digits_that_it_carries(ratio, text):
    assert times_text(ratio) == text


def test_cells_of_a_table():
    assert (
        interval_of(None, 12.0, None, never=True) == "never reached [12, above 10,000]"
    )
    assert interval_of(None, None, None) == "above 10,000 [below 0.01, above 10,000]"
