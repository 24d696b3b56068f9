"""A cancelled flow ends what it has started, in order, before it ends itself.

Prefect's worker asks the flow's process with SIGTERM. DVC would wait for its stage, which would go
on until the worker kills the flow half a minute later. Finished runs and checkpoints are on disk, so
the next flow goes on.
"""

import signal
import threading
from types import FrameType
from typing import Any

import psutil

from stages.foundation.processes.stopping import end_in_time, end_processes

CHILDREN_SECONDS = 1.5  # assumed: time for stages and workers to leave in order


def end_children_when_cancelled() -> None:
    """From now on SIGTERM ends the children first. Elsewhere than in a main thread, as in `assay run`,
    the command does so itself.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> Any:
        end_in_time(number)
        children = psutil.Process().children(recursive=True)
        end_processes(children, seconds=CHILDREN_SECONDS)
        if callable(before):
            return before(number, frame)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
