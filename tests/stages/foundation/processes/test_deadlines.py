"""A call is over at its deadline, whatever it does."""

import time

import pytest

from stages.foundation.processes.deadlines import within


def test_what_does_not_answer_is_given_up_and_what_does_is_handed_on():
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0.2 s"):
        within(0.2, time.sleep, 20)
    assert time.monotonic() - start < 2
    assert within(5, lambda *, seconds: seconds, seconds=3) == 3
    with pytest.raises(ValueError, match="invalid literal"):
        within(5, int, "x")
