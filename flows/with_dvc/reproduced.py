"""Stages as DVC sees them: stale or fresh, and run; neither Prefect nor its server is needed.

DVC runs one command at a time in a project: where another one is at work this waits, and says so.
"""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.stage.exceptions import StageCmdFailedError

from flows.with_dvc.kept_lock import LOCK, kept_lock
from flows.with_dvc.lock_entry import reproduced
from flows.with_dvc.project import DAMAGED, forget_what_was_held, opened_project
from stages.decision.changes import differences
from stages.foundation.dvc_lock import locked_stages
from stages.foundation.processes.stopping import STOPPED_CODES
from stages.foundation.stage import Stage
from stages.foundation.yaml_file import read_yaml

BAD_INPUT = 2
FINAL_CODES = (BAD_INPUT, *STOPPED_CODES)  # no retry mends these
BUSY_SECONDS = 2.0
NEVER_RUN = "no run in dvc.lock yet"  # DVC calls its inputs modified and deleted
Answer = TypeVar("Answer")


RETRIES = 2  # assumed: a preempted or killed sweep goes on from its run files
BACKOFF_SECONDS = [10, 60]  # assumed: a service that is started anew answers by then


def retries_of(stage: Stage) -> int:
    """How often a failed stage is tried again: one that trains or reads from outside, never what only computes."""
    return RETRIES if stage.resumable or stage.reads_outside else 0


class StageFailure(Exception):
    """A stage's command ended with an exit code other than 0; its own line said why."""

    def __init__(self, stage: str, exit_code: int, why: str = "") -> None:
        super().__init__(
            f"stage {stage}: {why or f'ended with exit code {exit_code}'}; go on with"
            " `assay run`"
        )
        self.stage, self.exit_code = stage, exit_code


def stale_reasons(stage: Stage) -> list[str]:
    """What makes the stage stale, in words; empty where it is up to date."""
    status = waiting_for_dvc(
        lambda repo: repo.status(targets=[stage.name]), opened_project
    )
    reasons = [
        reason for change in status.get(stage.name, []) for reason in _reasons(change)
    ]
    if reasons and stage.name not in (locked_stages(LOCK) if LOCK.is_file() else {}):
        return [NEVER_RUN]
    keys = changed_params(stage.name)
    return [
        (
            f"params: {', '.join(keys)}"
            if keys and reason.endswith(f" {stage.name}")
            else reason
        )
        for reason in reasons
    ]


def changed_params(name: str) -> list[str]:
    """`KEY was OLD and is NEW` for what differs in a stage's section from what dvc.lock recorded."""
    if not LOCK.is_file():
        return []
    recorded = locked_stages(LOCK).get(name, {}).get("params", {})
    changed = []
    for file, sections in recorded.items():
        now = read_yaml(Path(file))[1] if Path(file).is_file() else {}
        for section, values in sections.items():
            changed += differences(values, now.get(section), section)
    return changed


def _reasons(change: object) -> list[str]:
    if isinstance(change, str):
        return [change]
    assert isinstance(change, dict)
    texts = []
    for kind, paths in change.items():
        for path, what in paths.items() if isinstance(paths, dict) else [(paths, "")]:
            detail = ", ".join(what) if isinstance(what, dict) else what
            texts.append(f"{kind}: {path} {detail}".strip())
    return texts


def reproduce(name: str, is_forced: bool = False) -> None:
    """`dvc repro --single-item NAME` in this process, with `--force` where asked for. StageFailure where the command
    or DVC itself refused.
    """
    try:
        with kept_lock():
            waiting_for_dvc(
                lambda repo: repo.reproduce(
                    name, single_item=True, force=is_forced, repro_fn=reproduced
                )
            )
    except DvcException as error:
        cause = error.__cause__ or error
        if isinstance(cause, StageCmdFailedError):
            raise StageFailure(name, exit_code(cause)) from None
        raise StageFailure(name, BAD_INPUT, " ".join(str(cause).split())) from None


def exit_code(error: StageCmdFailedError) -> int:
    """DVC keeps the code only in its sentence: `failed to run: CMD, exited with N`."""
    last = str(error).rpartition(" ")[2]
    code = int(last) if last.lstrip("-").isdigit() else 1
    return code if code >= 0 else 128 - code  # ended by a signal, as a shell says it


def waiting_for_dvc(
    call: Callable[[Repo], Answer],
    opened: Callable[[], AbstractContextManager[Repo]] = Repo,
) -> Answer:
    """What DVC answers, once no other DVC command is at work in this project; one line says who is."""
    told = False
    while True:
        try:
            with opened() as repo:
                return call(repo)
        except DvcException as error:
            if caused_by(error, DAMAGED) and forget_what_was_held():
                continue
            if not (busy := _busy(error)):
                raise
            if not told:
                print(
                    f"assay: waiting for another DVC command: {busy}", file=sys.stderr
                )
                told = True
            time.sleep(BUSY_SECONDS)


def caused_by(
    error: BaseException | None, kinds: tuple[type[BaseException], ...]
) -> BaseException | None:
    """The error itself or the cause behind it that is of one of the kinds; None for none."""
    while error is not None and not isinstance(error, kinds):
        error = error.__cause__
    return error


def _busy(error: BaseException) -> str:
    """Who holds DVC's lock; empty for any other error."""
    held = caused_by(error, (LockError,))
    if held is None:
        return ""
    lines = [line.strip() for line in str(held).splitlines()]
    return next((line for line in lines if line.startswith("(PID")), "its lock is held")
