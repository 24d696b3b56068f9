"""The main flow: every changed stage in order as a task, then MLflow, then the artifacts of the run.

`dvc repro` alone gives the same files. Deleting the Prefect or MLflow database loses no result.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from flows import environment

environment.prepare()
environment.make_home()

from prefect import flow, get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, State
from pydantic import Field

from flows.deployments.cancelling import end_children_when_cancelled
from flows.prefect_server import leftovers
from flows.prefect_server.own_server import ADDRESS, Server
from flows.reporting.artifacts import publish_to_mlflow, show_decisions
from flows.reporting.mlflow_reports import TRAINING, tell_of_failure
from flows.reporting.resume import hooks
from flows.run_lease import run_lease
from flows.with_dvc.reproduced import BAD_INPUT, StageFailure, retries_of, stale_reasons
from flows.with_dvc.tasks import failure_of, run_stage
from stages import images
from stages.foundation.errors import InputError, RefusedError, in_file
from stages.foundation.processes.lifeline import end_with_other_starter
from stages.pipeline import stages_upto

Executor = Literal["local", "prefect", "ray"]
Again = Literal["fit", "decide", "verify", "report"]


@flow(name="assay", **hooks())
def pipeline(
    executor: Executor = "local",
    jobs: Annotated[int, Field(ge=0)] = 0,
    params_file: str = "params.yaml",
    gpus: Annotated[float, Field(ge=0, le=1)] = 0.0,
    again: tuple[Again, ...] = (),
    upto: str = "",
) -> State:
    """Bring every stage up to date, publish the runs, show the decisions.

    executor: who trains the runs of sweep and verify: local (worker processes of the stage), prefect (one task a group
    of runs) or ray (the same on Ray).
    jobs: worker processes, 0 for one a core. gpus: part of a GPU for each group of runs on Ray, 0 to choose.
    again: stages to run even where nothing has changed. upto: the last stage to look at, by default the last there is.
    """
    if jobs:
        os.environ["ASSAY_JOBS"] = str(jobs)
    environment.find_python()
    end_with_other_starter()  # a schedule
    end_children_when_cancelled()
    with noted():
        try:
            with run_lease():
                if url := os.environ.get(ADDRESS):
                    leftovers.crash_leftovers(Server(url))
                return _all_stages(
                    executor,
                    jobs,
                    params_file=params_file,
                    gpus=gpus,
                    again=again,
                    upto=upto,
                )
        except InputError as error:
            return failed(StageFailure("run", BAD_INPUT, str(error)), str(error))


@contextmanager
def noted() -> Iterator[None]:
    """A flow run that is known to the next start, which marks it as crashed where this process was killed."""
    run = str(flow_run.id)
    leftovers.note(run)
    try:
        yield
    finally:
        leftovers.forget(run)


def failed(failure: StageFailure, why: str = "") -> State:
    """The state of a flow that a stage or its input ended."""
    return Failed(message=why or str(failure), data=failure)


def _all_stages(
    executor: str,
    jobs: int,
    params_file: str,
    gpus: float,
    again: tuple[Again, ...],
    upto: str,
) -> State:
    for stage in stages_upto(upto):
        reasons = stale_reasons(stage)
        is_forced = not reasons and stage.name in again
        if is_forced:
            reasons = ["it is asked to run again"]
        if not reasons:
            get_run_logger().info("%s is up to date", stage.name)
            continue
        # image proxies train in the stage itself
        if stage.name in TRAINING and executor != "local" and not images.are_pooled():
            from flows.sweep import fill

            try:
                fill(stage.name, params_file, executor, n_workers=jobs, gpus=gpus)
            except (InputError, RefusedError) as error:
                code = BAD_INPUT if isinstance(error, InputError) else 1
                why = in_file(error, params_file)
                failure = StageFailure(stage.name, code, why)
                tell_of_failure(stage.name, failure, get_run_logger().warning)
                return failed(failure, why)
        state = run_stage.with_options(name=stage.name, retries=retries_of(stage))(
            stage.name, reasons, is_forced, return_state=True
        )
        if not state.is_completed():
            tell_of_failure(stage.name, failure_of(state), get_run_logger().warning)
            return state
    publish_to_mlflow()
    show_decisions()
    said = f"every stage up to {upto} is" if upto else "every stage is"
    return Completed(message=f"{said} up to date")


if __name__ == "__main__":
    pipeline()
