"""What to type after a flow that failed, crashed or was cancelled: finished runs are on disk and are kept."""

from typing import Any

from prefect.logging.loggers import flow_run_logger
from prefect.states import State

from stages.foundation.processes.stopping import is_stopping

OPTIONS = {"executor": "local", "params_file": "params.yaml", "jobs": 0, "gpus": 0.0}


def resume_command(parameters: dict[str, Any]) -> str:
    """The command that goes on from what a flow with these parameters has finished.

    >>> resume_command({"executor": "ray", "gpus": 0.5, "jobs": 0})
    'assay run --executor ray --gpus 0.5'
    """
    words = [
        f"--{name.removesuffix('_file')} {parameters[name]}"
        for name, usual in OPTIONS.items()
        if parameters.get(name, usual) != usual
    ]
    return " ".join(["assay run", *words])


def resume_hint(flow: Any, run: Any, state: State) -> None:
    """A line in the run's log, which the page shows too."""
    if is_stopping():  # said by the command itself
        return
    logger = flow_run_logger(run, flow)
    logger.error("%s", state.message or "the flow stopped")
    logger.error(
        "to go on from what is finished: %s", resume_command(run.parameters or {})
    )


def hooks() -> dict[str, list[Any]]:
    """For the decorator of a flow."""
    return {
        "on_failure": [resume_hint],
        "on_crashed": [resume_hint],
        "on_cancellation": [resume_hint],
    }
