"""A declared stage as a Prefect task: DVC decides whether and how it runs, Prefect when and where."""

import logging
from pathlib import Path

from prefect import get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.prefect_server.watch import a_whole_stage
from flows.with_dvc.reproduced import (
    BACKOFF_SECONDS,
    FINAL_CODES,
    StageFailure,
    reproduce,
)
from stages.foundation import artefacts

RELAYED = {"relayed": True}  # marks a line that its stage has printed already


def relay_log(name: str) -> None:
    """The stage's own lines, into the Prefect run; not once more onto the terminal, where the stage printed them."""
    file = Path(artefacts.log_file(name))
    if not file.is_file():
        return
    for handler in logging.getLogger().handlers:
        handler.addFilter(_printed_first_here)  # added once, however often
    for line in file.read_text("utf-8", errors="replace").splitlines():
        get_run_logger().info(line, extra=RELAYED)


def _printed_first_here(record: logging.LogRecord) -> bool:
    return not getattr(record, "relayed", False)


def failure_of(state: State) -> BaseException | None:
    """What a failed state carries: Prefect wraps it in a record, and a flow that returns a task's
    state in that state.
    """
    found = state.data
    while found is not None and not isinstance(found, BaseException):
        found = (
            found.data if isinstance(found, State) else getattr(found, "result", None)
        )
    return found


def _worth_a_retry(_task: object, _run: object, state: State) -> bool:
    failure = failure_of(state)
    return not (isinstance(failure, StageFailure) and failure.exit_code in FINAL_CODES)


@task(
    task_run_name="{name}",
    retry_delay_seconds=BACKOFF_SECONDS,
    retry_condition_fn=_worth_a_retry,
)
def run_stage(name: str, reasons: list[str], is_forced: bool = False) -> State:
    """Run one changed stage; bad input or a stop is a failed state with its one line and no
    traceback."""
    get_run_logger().info("%s runs because of %s", name, "; ".join(reasons[:3]))
    try:
        with a_whole_stage():
            reproduce(name, is_forced)
    except StageFailure as failure:
        relay_log(name)
        if failure.exit_code in FINAL_CODES:
            return Failed(message=str(failure), data=failure)
        raise
    relay_log(name)
    return Completed(message=f"{name} is up to date")
