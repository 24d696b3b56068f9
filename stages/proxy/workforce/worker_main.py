"""Entry of a worker process: reads questions and groups of specs from a pipe, writes answers, news
and outcomes to another.

Started by `workers.py` as `python -m stages.proxy.workforce.worker_main READ_FD WRITE_FD PARENT_PID`; not for
people.
"""

import contextlib
import ctypes
import os
import signal
import sys
from multiprocessing.connection import Connection

# linux/prctl.h; counts the thread that started the worker as its parent
PR_SET_PDEATHSIG = 1


def main(read_fd: int, write_fd: int, parent_pid: int) -> None:
    die_with_parent(parent_pid)
    for number in (signal.SIGINT, signal.SIGTERM):
        # at once, in the middle of a step too: the parent sees which one it was
        signal.signal(number, signal.SIG_DFL)
    receiver, sender = (
        Connection(read_fd, writable=False),
        Connection(write_fd, readable=False),
    )
    with contextlib.suppress(
        EOFError, BrokenPipeError
    ):  # the parent has closed its ends: nothing left to do
        data, options, broken = _first_message(receiver)
        while True:
            match receiver.recv():
                case (group, settings):
                    sender.send(
                        broken
                        or _outcome(
                            group, data, options=options | settings, send=sender.send
                        )
                    )
                case (function, arguments, named):
                    sender.send(_answer(function, arguments, named))
    # torch takes a quarter of a second to leave in good order, and there is nothing to keep
    os._exit(0)


def _first_message(receiver: Connection):
    """Data and options, first of all: the parent waits until a large message is read. Data that
    cannot be opened answer every group.
    """
    try:
        return *receiver.recv(), None
    except (
        ValueError,
        OSError,
    ) as error:  # a pack opens its files again here; InputError is a ValueError
        from stages.proxy.workforce.attempt import failure

        return None, {}, failure(error)


def _answer(function, arguments, named):
    try:
        return function(*arguments, **named)
    except Exception as error:
        return error


def _outcome(group, data, options, send):
    from stages.proxy.workforce.attempt import outcome_of

    return outcome_of(group, data, options=options, send=send)


def die_with_parent(parent_pid: int) -> None:
    """Ask Linux to kill this process when its parent ends, and leave at once if it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
