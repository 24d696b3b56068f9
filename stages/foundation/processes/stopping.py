"""A signal ends a command within seconds, whatever it is doing, with one line and the exit code that shells expect.

Ctrl-C, `kill` and a terminal that closes raise `Stopped` in the main thread, so that blocks are left
in order. What has not ended after GRACE_SECONDS is ended: the processes that were started first,
then this one. A second signal does so at once.
"""

import atexit
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import psutil

GRACE_SECONDS = 3.0  # assumed: time to leave in order; all is over within 5 s
KILLED_SECONDS = 1.0  # assumed: how long the kernel may take to remove a killed process
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED_CODES = (128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGHUP)


class Stopped(BaseException):
    """A signal asked this command to end. Not an Exception, so that no library goes on after it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class _Ending:
    """What is said at the end, and whether it has begun."""

    line = ""
    begun = False


def obey_signals(line: str) -> None:
    """From now on a signal raises Stopped and ends this process in time. Call from the main thread.

    line: what a person is told, "" for nothing.
    """
    _Ending.line = line
    for number in SIGNALS:
        # nohup has asked for the third to be passed over
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def say_when_stopped(line: str) -> None:
    """Change what a person is told."""
    _Ending.line = line


def is_stopping() -> bool:
    """Whether a signal has been seen: what fails from now on fails for that."""
    return _Ending.begun


def leave(number: int, line: str | None = None) -> NoReturn:
    """End the processes that were started here, then this one with exit code 128 + number."""
    import psutil

    end_processes(psutil.Process().children(recursive=True), seconds=0)
    if text := _Ending.line if line is None else line:
        print(text, file=sys.stderr, flush=True)
    os._exit(128 + number)


def quick_exit() -> Callable[[int], NoReturn]:
    """What ends this process with a code as `sys.exit` does, but leaves its memory to the system: Python would take
    thousands of modules apart, for up to a second. Call first of all, since what is registered first ends last.
    """
    codes: list[int] = []

    def end() -> None:
        if codes:
            logging.shutdown()
            with suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(codes[0])

    def leave_with(code: int) -> NoReturn:
        sys.stdout.flush()  # a reader that has gone is an error of the caller
        codes.append(code)
        sys.exit(code)

    atexit.register(end)
    return leave_with


def end_processes(processes: "list[psutil.Process]", seconds: float) -> None:
    """Ask them to end, and make those that are left after so many seconds; 0 for at once."""
    import psutil

    if seconds:
        for process in processes:
            _send(process, signal.SIGTERM)
        _, processes = psutil.wait_procs(processes, timeout=seconds)
    for process in processes:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=KILLED_SECONDS)


def end_in_time(number: int) -> None:
    """End this process after the time that it has to leave in order."""

    def wait() -> None:
        time.sleep(GRACE_SECONDS)
        leave(number)

    threading.Thread(target=wait, daemon=True).start()


def _stop(number: int, _frame: FrameType | None) -> None:
    if _Ending.begun:
        leave(number)
    _Ending.begun = True
    end_in_time(number)
    raise Stopped(number)


def _send(process: "psutil.Process", number: int) -> None:
    import psutil

    try:
        process.send_signal(number)
    except psutil.Error:  # it has ended by itself, or is another user's
        return
