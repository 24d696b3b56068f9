"""Entry of a worker process: reads groups of specs from a pipe, trains them, writes the outcome to another.

Started by `workers.py` as `python -m stages.proxy.worker_main READ_FD WRITE_FD PARENT_PID`; not for people.
"""

import contextlib
import ctypes
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection

PR_SET_PDEATHSIG = 1  # linux/prctl.h; counts the thread that started the worker as its parent


def main(read_fd: int, write_fd: int, parent_pid: int) -> None:
    die_with_parent(parent_pid)
    receiver, sender = Connection(read_fd, writable=False), Connection(write_fd, readable=False)
    with contextlib.suppress(EOFError, BrokenPipeError):  # the parent has closed its ends: nothing left to do
        data, options = receiver.recv()  # first of all: the parent waits until a large message is read
        while True:
            group, checkpoint = receiver.recv()
            sender.send(_outcome(group, data, checkpoint, options))


def _outcome(group, data, checkpoint, options) -> tuple[list, str, str]:
    """Results, or one line and the traceback. The parent reports them, so nothing is swallowed here."""
    from stages.proxy.train import train_group

    try:
        return train_group(group, data, checkpoint=checkpoint, **options), "", ""
    except Exception as error:
        line = (str(error).splitlines() or [""])[0]
        return [], f"{type(error).__name__}: {line}", traceback.format_exc()


def die_with_parent(parent_pid: int) -> None:
    """Ask Linux to kill this process when its parent ends, and leave at once if it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
