"""Worker processes that measure and train, each result handed to the parent as it finishes.

A worker is a fresh interpreter (`worker_main.py`) with one compute thread; it stays for many
groups, since loading torch takes 1.5 s. It measures how fast it trains while the others do the
same, which is how it will train. Groups go out one at a time, the longest first. What becomes of a
group that fails is in `backlog.py`; a worker that dies is replaced and the other groups go on.
Workers die with the parent.

Workers on cards get an environment each, which shows them one card alone (`gpus.py`); one that replaces a
dead one gets the same.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.foundation.errors import RefusedError
from stages.foundation.processes.stopping import Stopped
from stages.proxy.specs.outcome import Failure, News
from stages.proxy.specs.spec import RunResult, RunSpec
from stages.proxy.specs.stack import training_cost
from stages.proxy.workforce.backlog import Backlog, CheckpointOf, Job, Settings, Tell

if TYPE_CHECKING:
    from stages.proxy.training.data import ProxyData

# the folder that holds the package `stages`
ROOT = Path(__file__).absolute().parents[3]
# before torch loads; more threads slow small models down
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# SIGBUS, SIGKILL
SIGNALS = {7: " (was a memory-mapped file cut short?)", 9: " (out of memory?)"}
STOP_SECONDS = 5.0  # assumed: time for a worker to end by itself


class Workers:
    """`n_workers` processes that read `data`; options hold for all groups (device, curve_every).
    Ctrl-C ends them and is raised again. environments: variables of each worker beside this process's.

    Example: `with Workers(data, 2, device="cpu") as workers: failures = workers.train(stacks(specs,
    2), on_result=save)`.
    """

    def __init__(
        self,
        data: "ProxyData | None",
        n_workers: int,
        environments: Sequence[Mapping[str, str]] = (),
        **options,
    ):
        each = environments or [{}] * n_workers
        self._new = lambda place: _Worker(data, options, each[place])
        self._workers = [self._new(place) for place in range(n_workers)]

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind and not issubclass(kind, Exception):  # a signal: there is no time
            for worker in self._workers:
                worker.process.kill()
        for worker in self._workers:
            worker.stop()

    def ask(
        self, function: Callable[..., Any], *arguments: Any, **named: Any
    ) -> list[Any]:
        """What each worker answers when all call a function of a module at the same time. Raises
        what the function raised.
        """
        for worker in self._workers:
            worker.ask(function, arguments, named)
        answers = [worker.answer() for worker in self._workers]
        if errors := [answer for answer in answers if isinstance(answer, Exception)]:
            raise errors[0]
        return answers

    def train(
        self,
        groups: Sequence[Sequence[RunSpec]],
        *,
        on_result: Callable[[RunResult], None],
        checkpoint: CheckpointOf | None = None,
        settings: Settings | None = None,
        on_progress: Tell | None = None,
    ) -> list[Failure]:
        """Train every group; returns those that failed.

        `on_result` is called in this process once a finished run, `on_progress(group, fraction,
        loss_nats)` about once a second and group; `checkpoint` names the checkpoint file of a
        group, `settings` what else `train_group` is given for it (threads, dtype).
        """
        backlog = Backlog(
            sorted(groups, key=lambda group: training_cost(list(group)), reverse=True),
            checkpoint,
            settings,
        )
        self._give_all(backlog)
        while busy := [worker for worker in self._workers if worker.job]:
            for connection in wait([worker.receiver for worker in busy]):
                worker = next(
                    worker for worker in busy if worker.receiver is connection
                )
                worker.collect(backlog, on_result, on_progress)
            self._give_all(backlog)
        return backlog.failures

    def _give_all(self, backlog: Backlog) -> None:
        """Give every idle worker a job, and replace a dead one as long as there is work."""
        for place, worker in enumerate(self._workers):
            if worker.job or (job := backlog.take()) is None:
                continue
            if worker.dead:
                worker.stop()
                self._workers[place] = worker = self._new(place)
            worker.give(job, backlog.options(job))


def run_groups(
    groups: Sequence[Sequence[RunSpec]],
    data: "ProxyData",
    *,
    n_workers: int,
    on_result: Callable[[RunResult], None],
    checkpoint: CheckpointOf | None = None,
    settings: Settings | None = None,
    on_progress: Tell | None = None,
    **options: Any,
) -> list[Failure]:
    """`Workers.train` on processes that are started for it. Example: `run_groups(stacks(specs, 2),
    data, n_workers=2, on_result=save)`.
    """
    with Workers(data, min(n_workers, len(groups)), **options) as workers:
        return workers.train(
            groups,
            on_result=on_result,
            checkpoint=checkpoint,
            settings=settings,
            on_progress=on_progress,
        )


class _Worker:
    """One process and the two pipes to it."""

    def __init__(
        self,
        data: "ProxyData | None",
        options: dict,
        environment: Mapping[str, str],
    ):
        child_reads, parent_writes = os.pipe()
        parent_reads, child_writes = os.pipe()
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "stages.proxy.workforce.worker_main",
                str(child_reads),
                str(child_writes),
                str(os.getpid()),
            ],
            env=os.environ | ONE_THREAD | {"PYTHONPATH": path} | dict(environment),
            pass_fds=(child_reads, child_writes),
            start_new_session=True,
        )  # Ctrl-C reaches the parent alone, which ends its workers
        os.close(child_reads)
        os.close(child_writes)
        self.sender, self.receiver = (
            Connection(parent_writes, readable=False),
            Connection(parent_reads, writable=False),
        )
        self.job: Job | None = None
        self.dead = False
        self._send((data, options))

    def ask(
        self, function: Callable[..., Any], arguments: tuple, named: dict[str, Any]
    ) -> None:
        self._send((function, arguments, named))

    def answer(self) -> Any:
        """What the function that was asked gave or raised."""
        try:
            return self.receiver.recv()
        except (EOFError, OSError):
            self.dead = True
            return RefusedError(
                f"a worker process {self._ending()} before it trained anything;"
                " free memory, or lower sweep.sizes, and run again"
            )

    def give(self, job: Job, options: dict) -> None:
        self.job = job
        self._send((job.group, options))

    def collect(
        self,
        backlog: Backlog,
        on_result: Callable[[RunResult], None],
        on_progress: Tell | None,
    ) -> None:
        """Receive news or the outcome of the current job; a closed pipe means that the process is gone."""
        job = self.job
        assert job is not None  # an idle worker is not listened to
        try:
            message = self.receiver.recv()
        except (EOFError, OSError):
            self.job, self.dead = None, True
            backlog.died(job, self._ending())
            return
        if isinstance(message, News):
            if on_progress:
                on_progress(job.group, message.fraction, message.loss_nats)
            return
        self.job = None
        backlog.settle(job, message, on_result)

    def _send(self, message: object) -> None:
        with contextlib.suppress(
            BrokenPipeError
        ):  # a dead worker shows as a closed pipe in `collect`
            self.sender.send(message)

    def _ending(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.process.wait(STOP_SECONDS)
            if -code in (signal.SIGINT, signal.SIGTERM):
                signal.raise_signal(-code)
                raise Stopped(-code)  # where the signal goes to another thread
            return (
                f"was killed by signal {-code}{SIGNALS.get(-code, '')}"
                if code < 0
                else f"ended with code {code}"
            )
        return "closed its pipe"

    def stop(self) -> None:
        """End the process: an idle one ends when its pipe closes, a busy one is killed."""
        if self.job:
            self.process.kill()
        self.sender.close()
        self.receiver.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
