"""Groups that wait to be trained, and what becomes of one that failed.

Out of memory: the group is cut in two and both halves wait again, with a note in the record of
every run. A worker that died: the group goes on from its checkpoint once; if it dies again and
holds several runs it is halved too, since the kernel kills what takes too much memory. A checkpoint
that is damaged or of other data is set aside and its group starts anew (`resumed.py`). Anything
else, and a single run that fails, is a Failure; the other groups go on.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stages.proxy.specs.outcome import Failure, Outcome, halves, named
from stages.proxy.specs.spec import RunResult, RunSpec
from stages.proxy.workforce.resumed import ANEW, set_aside_damaged, set_aside_refused

if TYPE_CHECKING:
    from stages.proxy.training.data import ProxyData

DEATHS_ALLOWED = 1  # assumed: one may be an accident, two are not
CheckpointOf = Callable[[Sequence[RunSpec]], Path | None]
Settings = Callable[[Sequence[RunSpec]], dict]
Tell = Callable[[Sequence[RunSpec], float, float], None]


@dataclass(frozen=True, eq=False)
class Job:
    """A group and its history."""

    group: list[RunSpec]
    notes: tuple[str, ...] = ()
    deaths: int = 0


class Backlog:
    """`waiting` jobs in order, `failures` so far.

    `checkpoint` names the checkpoint file of a group, `settings` what else `train_group` is given
    for it (threads, dtype).
    """

    def __init__(
        self,
        groups: Iterable[Sequence[RunSpec]],
        checkpoint: CheckpointOf | None = None,
        settings: Settings | None = None,
    ):
        self.waiting = deque(Job(list(group)) for group in groups)
        self.failures: list[Failure] = []
        self._checkpoint, self._settings = checkpoint, settings

    def take(self) -> Job | None:
        """The next job; a checkpoint of it that is damaged is set aside."""
        if not self.waiting:
            return None
        job = self.waiting.popleft()
        note = set_aside_damaged(self._checkpoint_of(job))
        return replace(job, notes=(*job.notes, note)) if note else job

    def options(self, job: Job) -> dict:
        """What `train_group` is given for one job beside its group and the data."""
        own = {
            "checkpoint": self._checkpoint_of(job),
            "notes": job.notes,
        }
        return (self._settings(job.group) if self._settings else {}) | own

    def settle(
        self, job: Job, outcome: Outcome, on_result: Callable[[RunResult], None]
    ) -> None:
        """Hand on the results of a job, or decide what to do with one that has none.

        The checkpoint goes when every result was handed on: a sweep killed between two of them takes the rest from it.
        """
        if outcome.out_of_memory and len(job.group) > 1:
            self._halve(job, "out of memory")
        elif set_aside_refused(self._checkpoint_of(job), outcome.message):
            self.waiting.appendleft(replace(job, notes=(*job.notes, ANEW)))
        elif outcome.message:
            cure = (
                "; lower batch_tokens or the size of the model"
                if outcome.out_of_memory
                else ""
            )
            self.failures.append(
                Failure(
                    tuple(job.group),
                    f"{named(job.group)} failed: {outcome.message}{cure}",
                    outcome.detail,
                )
            )
        for result in outcome.results:
            on_result(result)
        if outcome.results:
            self._forget(job)

    def died(self, job: Job, ending: str) -> None:
        """The worker of a job is gone; `ending` says how, such as `was killed by signal 9`."""
        if job.deaths < DEATHS_ALLOWED:
            note = f"its worker {ending}; went on from its last checkpoint"
            self.waiting.appendleft(
                replace(job, notes=(*job.notes, note), deaths=job.deaths + 1)
            )
        elif len(job.group) > 1:
            self._halve(job, f"its worker {ending}")
        else:
            why = (
                f"{named(job.group)} gave no result: its worker {ending},"
                f" {job.deaths + 1} times; run again to retrain it"
            )
            self.failures.append(Failure(tuple(job.group), why))

    def _halve(self, job: Job, why: str) -> None:
        self._forget(job)
        parts = halves(job.group)
        note = (
            f"{why} with {len(job.group)} runs stacked; trained as"
            f" {' and '.join(str(len(part)) for part in parts)}"
        )
        self.waiting.extendleft(
            Job(part, (*job.notes, note)) for part in reversed(parts)
        )

    def _forget(self, job: Job) -> None:
        if path := self._checkpoint_of(job):
            path.unlink(missing_ok=True)

    def _checkpoint_of(self, job: Job) -> Path | None:
        return self._checkpoint(job.group) if self._checkpoint else None


def train_here(
    groups: Sequence[Sequence[RunSpec]],
    data: "ProxyData",
    *,
    on_result: Callable[[RunResult], None],
    checkpoint: CheckpointOf | None = None,
    settings: Settings | None = None,
    on_progress: Tell | None = None,
    **options,
) -> list[Failure]:
    """Train groups one after another in this process, as one GPU is shared by nobody; arguments as
    in `workers.Workers.train`.
    """
    from stages.proxy.workforce.attempt import outcome_of

    backlog = Backlog(groups, checkpoint, settings)
    while job := backlog.take():

        def tell(news, group=job.group):
            if on_progress:
                on_progress(group, news.fraction, news.loss_nats)

        outcome = outcome_of(
            job.group, data, options=options | backlog.options(job), send=tell
        )
        backlog.settle(job, outcome, on_result)
    return backlog.failures
