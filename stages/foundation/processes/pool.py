"""Worker processes that end with this one, and a second process for what can be worked out meanwhile.

Cost: a worker takes 1 to 2 s to start.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from typing import Protocol, TypeVar

from stages.foundation.errors import InputError

Result = TypeVar("Result")


class Start(Protocol):
    """Takes a task and its arguments, and gives a call that gives the result."""

    def __call__(
        self, task: Callable[..., Result], /, *arguments: object
    ) -> Callable[[], Result]: ...


@contextmanager
def process_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Spawned workers of one thread each; a signal ends them at once, since tasks can be run again."""
    for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS"):
        # of the workers: this process has read them already
        os.environ.setdefault(name, "1")
    pool = ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=_die_with_parent,
        initargs=(os.getpid(),),
    )
    try:
        yield pool
    except Exception:
        raise
    except BaseException:  # a signal: a task may take minutes
        for process in list(pool._processes.values()):
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def second_process(is_worth_it: bool) -> Iterator[Start]:
    """What is started here is worked out by another process; by this one, once called for, where that is not worth it.

    Task and arguments are pickled. An error is raised where the result is called for: InputError where the process
    was killed.
    """
    if not is_worth_it:
        yield partial
        return
    with process_pool(1) as pool:

        def start(
            task: Callable[..., Result], /, *arguments: object
        ) -> Callable[[], Result]:
            return pool.submit(task, *arguments).result

        try:
            yield start
        except BrokenProcessPool:
            why = (
                "the second process was killed, most likely for memory; give the"
                " machine more or run less beside it, and run the same command again"
            )
            raise InputError(why) from None


def _die_with_parent(parent: int) -> None:
    """A killed run leaves no worker behind (Linux); Ctrl-C is for the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)
