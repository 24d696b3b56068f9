"""A verification whose outcome is known: two arms at twice and eight times, one decided budget that was wrong."""

import pytest

from stages.verification.record import (
    VERSION,
    Verdict,
    Verification,
    VerifiedLead,
    VerifiedRun,
)


def run(arm, times, measured, predicted, half=0.1):
    """A run with an interval of this half width."""
    return VerifiedRun(
        run_id=f"{arm}-{times:g}",
        arm=arm,
        flops=times * 1e9,
        times=times,
        n_tokens_seen=int(1000 * times),
        epochs=times,
        pool_draw=0,
        weight_decay=1.0,
        dropout=0.1,
        measured=measured,
        predicted=predicted,
        low=predicted - half,
        high=predicted + half,
        inside=abs(measured - predicted) <= half,
    )


def lead(times, measured, predicted, half=0.1):
    return VerifiedLead(
        arm="a",
        against="b",
        flops=times * 1e9,
        times=times,
        run_ids=[f"a-{times:g}", f"b-{times:g}"],
        measured=measured,
        predicted=predicted,
        low=predicted - half,
        high=predicted + half,
        inside=abs(measured - predicted) <= half,
    )


@pytest.fixture
def verification():
    """verification(**changes): at 2x both runs are inside and `a`, said to lead by .15, trails by .05; at 8x one
    of two runs is inside and the lead of .1 is .2.
    """
    usual = {
        "version": VERSION,
        "question": "filter",
        "decision": "first",
        "metric": "loss_news",
        "level": 0.9,
        "n_params": 1000,
        "fitted_to_flops": 1e9,
        "labels": {"a": "keep a", "b": "keep b"},
        "arms": {"a": "best", "b": "second"},
        "runs": [
            run("a", 2, measured=4.05, predicted=4.05),
            run("b", 2, measured=4.0, predicted=4.08),
            run("a", 8, measured=4.0, predicted=4.08),
            run("b", 8, measured=4.2, predicted=4.0),
        ],
        "leads": [lead(2, measured=0.05, predicted=-0.15), lead(8, -0.2, -0.1)],
        "verdicts": [
            Verdict(
                flops=2e9,
                times=2,
                status="decided",
                best="a",
                measured_best="b",
                right=False,
            )
        ],
        "coverage": 0.75,
        "mean_error": 0.02,
        "lead_coverage": 0.5,
        "decided_right": 0,
        "decided_wrong": 1,
        "sentence": "as it is",
        "table": [],
        "lead_table": [],
    }
    return lambda **changes: Verification(**usual | changes)
