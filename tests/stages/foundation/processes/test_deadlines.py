"""A call is over at its deadline, whatever it does."""

import time

import pytest

from stages.foundation.processes import deadlines
from stages.foundation.processes.deadlines import InTime, within


def test_what_does_not_answer_is_given_up_and_what_does_is_handed_on():
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0.2 s"):
        within(0.2, time.sleep, 20)
    assert time.monotonic() - start < 2
    assert within(5, lambda *, seconds: seconds, seconds=3) == 3
    with pytest.raises(ValueError, match="invalid literal"):
        within(5, int, "x")


class Slow:
    """A service that takes its time at every call."""

    def __init__(self, seconds):
        self.seconds, self.n_calls = seconds, 0

    def ask(self, question, *, again=False):
        time.sleep(self.seconds)
        self.n_calls += 1
        return question, again


def test_a_service_that_is_slow_at_every_call_is_given_up_too(monkeypatch):
    monkeypatch.setattr(deadlines, "CALL_SECONDS", 0.1)
    slow = Slow(0.3)
    client = InTime(slow, 0.6)  # 0.6, 0.4, and 0.2 is too short for the third
    with pytest.raises(TimeoutError):
        for _ in range(10):
            assert client.ask("q", again=True) == ("q", True)
    assert slow.n_calls == 2


def test_a_service_that_is_quick_may_be_asked_for_ever(monkeypatch):
    monkeypatch.setattr(deadlines, "CALL_SECONDS", 0.05)
    quick = Slow(0.002)
    client = InTime(quick, 0.3)
    for _ in range(200):  # 0.4 s in all
        client.ask("q")
    assert quick.n_calls == 200
