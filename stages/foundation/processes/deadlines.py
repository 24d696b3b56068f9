"""One deadline for what is asked of a service, whatever it does: mute, one byte a second, "come back in an hour".

Timeouts of libraries count the wait for the next byte, or each of many retries; this counts the whole
call. The call goes on in a thread that nobody waits for and that does not keep the process alive.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

Answer = TypeVar("Answer")
SECONDS = 60.0  # assumed: a service that only watches is worth no longer wait
VARIABLE = "ASSAY_SERVICE_SECONDS"
CALL_SECONDS = 1.0  # assumed: a service that takes longer on average is of no use


def service_seconds() -> float:
    """How long one call may take: ASSAY_SERVICE_SECONDS, else 60."""
    try:
        return float(os.environ.get(VARIABLE) or SECONDS)
    except ValueError:
        return SECONDS


def within(
    seconds: float, call: Callable[..., Answer], /, *arguments: Any, **named: Any
) -> Answer:
    """What the call gives or raises; TimeoutError after so many seconds.

    >>> within(5, max, 1, 2)
    2
    """
    answers: list[Answer] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(call(*arguments, **named))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:.3g} s ({VARIABLE} sets this)")
    return answers[0]


class InTime:
    """A service's client, none of whose calls is waited for longer than so many seconds, nor all of them
    together for much longer than CALL_SECONDS each: a service may be slow at every call.

    >>> InTime("runs", 5).upper()
    'RUNS'
    """

    def __init__(self, client: Any, seconds: float) -> None:
        self._client = client
        self._seconds = self._left = seconds

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            start = time.monotonic()
            method = getattr(self._client, name)
            answer = within(self._left, method, *arguments, **named)
            unused = CALL_SECONDS - (time.monotonic() - start)
            self._left = min(self._seconds, self._left + unused)
            return answer

        return call
