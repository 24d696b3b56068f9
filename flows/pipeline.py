"""The main flow: every changed stage in order as a task, then MLflow, then the artifacts of the run.

`dvc repro` alone gives the same files. Deleting the Prefect or MLflow database loses no result.
"""

import os
from pathlib import Path

from flows import environment

environment.prepare()
environment.make_home()

import polars as pl
from prefect import flow, get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, State

from flows.dvc_stages import BAD_INPUT, StageFailure, stale_reasons
from flows.dvc_tasks import TRAINING_RETRIES, failure_of, run_stage
from flows.prefect_server import leftovers
from flows.reporting.mlflow_reports import TRAINING, tell_of_failure
from flows.run_lease import run_lease
from stages import images
from stages.decision.record import read_decisions
from stages.decision.text import decision_markdown
from stages.foundation import artefacts
from stages.foundation.errors import InputError, RefusedError, in_file
from stages.foundation.processes.lifeline import end_with_other_starter
from stages.foundation.processes.stopping import is_stopping
from stages.pipeline import PIPELINE

DECISIONS = Path(artefacts.DECISIONS)
TABLE_ROWS = 200  # assumed: what a person scrolls through in the Prefect page


def resume_hint(_flow: object, _run: object, state: State) -> None:
    """What to type after a failure: finished runs are on disk and are not trained again."""
    if is_stopping():  # said by the command itself
        return
    print(
        f"{state.message or 'the flow stopped'}\nto go on from what is finished:"
        " assay run"
    )


@flow(
    name="assay",
    on_failure=[resume_hint],
    on_crashed=[resume_hint],
    on_cancellation=[resume_hint],
)
def pipeline(
    executor: str = "local",
    jobs: int = 0,
    params_file: str = "params.yaml",
    gpus: float = 0.0,
) -> State:
    """Bring every stage up to date, publish the runs, show the decisions.

    executor: who trains the runs of sweep and verify: local (worker processes of the stage), prefect (one task a group
    of runs) or ray (the same on Ray).
    jobs: worker processes, 0 for one a core. gpus: part of a GPU for each group of runs on Ray, 0 to choose.
    """
    if jobs:
        os.environ["ASSAY_JOBS"] = str(jobs)
    end_with_other_starter()  # a schedule
    run = str(flow_run.id)
    leftovers.note(run)
    try:
        with run_lease():
            return _all_stages(executor, jobs, params_file=params_file, gpus=gpus)
    except InputError as error:
        return Failed(
            message=str(error), data=StageFailure("run", BAD_INPUT, str(error))
        )
    finally:
        leftovers.forget(run)


def _all_stages(executor: str, jobs: int, params_file: str, gpus: float) -> State:
    for stage in PIPELINE:
        reasons = stale_reasons(stage)
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
                return Failed(message=why, data=failure)
        retries = TRAINING_RETRIES if stage.resumable else 0
        state = run_stage.with_options(name=stage.name, retries=retries)(
            stage.name, reasons, return_state=True
        )
        if not state.is_completed():
            tell_of_failure(stage.name, failure_of(state), get_run_logger().warning)
            return state
    publish_to_mlflow()
    show_decisions()
    return Completed(message="every stage is up to date")


def artifact_key(kind: str, question: str) -> str:
    """What Prefect allows as the key of an artifact.

    >>> artifact_key("decision", "Filter_1")
    'decision-filter-1'
    """
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in question.lower())
    return f"{kind}-{name}"


@task(task_run_name="publish")
def publish_to_mlflow() -> None:
    """Send to MLflow what it has not got; an outage is a warning, a later run sends the rest."""
    from stages.runs.mlflow_store.publish import publish
    from stages.runs.mlflow_store.store import TrackingOutage

    try:
        links = publish(flow_run=str(flow_run.id))
    except TrackingOutage as outage:
        get_run_logger().warning("%s", outage)
        return
    for question, link in links.items():
        get_run_logger().info("MLflow has every run of %s: %s", question, link)
        create_link_artifact(
            link=link,
            link_text=f"Runs of {question} in MLflow",
            key=artifact_key("mlflow", question),
        )


@task(task_run_name="artifacts")
def show_decisions() -> None:
    """The decisions as markdown, the runs as a table, the page as a link."""
    for decision in read_decisions(DECISIONS):
        create_markdown_artifact(
            decision_markdown(decision),
            key=artifact_key("decision", decision.question.name),
            description=decision.question.title,
        )
    runs = pl.read_parquet(artefacts.RUNS).head(TABLE_ROWS)
    columns = [
        "arm",
        "n_params",
        "n_tokens_seen",
        "epochs",
        "weight_decay",
        "pool_draw",
        "metric",
        "value",
    ]
    create_table_artifact(
        runs.select(columns).to_dicts(), key="runs", description="Proxy runs"
    )
    create_link_artifact(
        link=Path(artefacts.PAGE).resolve().as_uri(),
        link_text="The page",
        key="report",
    )


if __name__ == "__main__":
    pipeline()
