"""Train groups of runs in worker processes, each result handed to the parent as it finishes.

A worker is a fresh interpreter (`worker_main.py`) with one compute thread; it stays for many groups, since loading
torch takes 3 s. Groups go out one at a time, the longest first. A group whose worker dies or fails becomes a Failure
with one line; the worker is replaced and the other groups go on. Workers die with the parent.
"""

import contextlib
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING

from stages.proxy.spec import RunResult, RunSpec
from stages.proxy.stack import training_cost

if TYPE_CHECKING:
    from stages.proxy.data import ProxyData

ROOT = Path(__file__).absolute().parents[2]  # the folder that holds the package `stages`
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # before torch loads; more threads slow small models down
STOP_SECONDS = 5.0  # assumed: time for a worker to end by itself


@dataclass(frozen=True)
class Failure:
    """A group that gave no result, with one line for a person; `detail` is the traceback, if there was one."""

    specs: tuple[RunSpec, ...]
    message: str
    detail: str = ""


def run_groups(
    groups: Sequence[Sequence[RunSpec]],
    data: "ProxyData",
    *,
    n_workers: int,
    on_result: Callable[[RunResult], None],
    checkpoint: Callable[[Sequence[RunSpec]], Path | None] | None = None,
    **options,
) -> list[Failure]:
    """Train every group on `n_workers` processes; returns the groups that failed.

    `on_result` is called in this process once a finished run; `checkpoint` names the checkpoint file of a group;
    options go to `train_group` (device, checkpoint_every_s, curve_every). Ctrl-C ends the workers and is raised again.
    Example: `failures = run_groups(stacks(specs, 2), data, n_workers=2, on_result=save)`.
    """
    waiting = deque(sorted((list(group) for group in groups), key=training_cost, reverse=True))
    failures: list[Failure] = []
    workers: list[_Worker] = []
    try:
        workers += [_Worker(data, options) for _ in range(min(n_workers, len(waiting)))]
        for worker in workers:
            worker.give(waiting, checkpoint)
        while busy := [worker for worker in workers if worker.group]:
            for connection in wait([worker.receiver for worker in busy]):
                worker = next(worker for worker in busy if worker.receiver is connection)
                if failure := worker.collect(on_result):
                    failures.append(failure)
                if worker.dead and waiting:
                    workers[workers.index(worker)] = worker = _Worker(data, options)
                if not worker.dead:
                    worker.give(waiting, checkpoint)
        return failures
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """One process and the two pipes to it."""

    def __init__(self, data: "ProxyData", options: dict):
        child_reads, parent_writes = os.pipe()
        parent_reads, child_writes = os.pipe()
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stages.proxy.worker_main", str(child_reads), str(child_writes), str(os.getpid())],
            env=os.environ | ONE_THREAD | {"PYTHONPATH": path}, pass_fds=(child_reads, child_writes),
            start_new_session=True)  # Ctrl-C reaches the parent alone, which ends its workers
        os.close(child_reads)
        os.close(child_writes)
        self.sender, self.receiver = Connection(parent_writes, readable=False), Connection(parent_reads, writable=False)
        self.group: list[RunSpec] | None = None
        self.dead = False
        self._send((data, options))

    def give(self, waiting: deque, checkpoint: Callable | None) -> None:
        """Send the next group, if there is one."""
        self.group = waiting.popleft() if waiting else None
        if self.group:
            self._send((self.group, checkpoint(self.group) if checkpoint else None))

    def collect(self, on_result: Callable[[RunResult], None]) -> Failure | None:
        """Receive the outcome of the current group; a closed pipe means that the process is gone."""
        group, self.group = tuple(self.group), None
        try:
            results, message, detail = self.receiver.recv()
        except (EOFError, OSError):
            self.dead = True
            return Failure(group, f"{_named(group)} gave no result: its worker {self._ending()}; run again to retrain it")
        if message:
            return Failure(group, f"{_named(group)} failed: {message}", detail)
        for result in results:
            on_result(result)
        return None

    def _send(self, message: object) -> None:
        with contextlib.suppress(BrokenPipeError):  # a dead worker shows as a closed pipe in `collect`
            self.sender.send(message)

    def _ending(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.process.wait(STOP_SECONDS)
            return f"was killed by signal {-code}" + (" (out of memory?)" if code == -9 else "") if code < 0 else f"ended with code {code}"
        return "closed its pipe"

    def stop(self) -> None:
        """End the process: an idle one ends when its pipe closes, a busy one is killed."""
        if self.group:
            self.process.kill()
        self.sender.close()
        self.receiver.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _named(group: Sequence[RunSpec]) -> str:
    runs = ", ".join(f"{spec.arm!r} seed {spec.seed}" for spec in group[:3])
    more = f" and {len(group) - 3} more" if len(group) > 3 else ""
    return f"run of arm {runs}{more} (d_model {group[0].shape.d_model})"
