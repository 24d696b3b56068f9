"""What a run leaves on Prefect's page: decisions with their pictures, the runs as a table, two links."""

from base64 import b64encode
from pathlib import Path

import polars as pl
from prefect import get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.runtime import flow_run

from stages.foundation import artefacts
from stages.searched.record import Decision, read_decisions
from stages.searched.words import any_markdown, picture_of

TABLE_ROWS = 200  # assumed: what a person scrolls through in the Prefect page
PICTURE_BYTES = 500_000  # assumed: a larger one would make the page slow
COLUMNS = (
    *("arm", "n_params", "n_tokens_seen", "epochs"),
    *("weight_decay", "pool_draw", "metric", "value"),
)


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
    for decision in read_decisions(artefacts.DECISIONS):
        create_markdown_artifact(
            with_picture(decision),
            key=artifact_key("decision", decision.question.name),
            description=decision.question.title,
        )
    runs = pl.read_parquet(artefacts.RUNS).head(TABLE_ROWS).select(COLUMNS)
    create_table_artifact(runs.to_dicts(), key="runs", description="Proxy runs")
    create_link_artifact(
        link=Path(artefacts.PAGE).resolve().as_uri(),
        link_text="The page",
        key="report",
    )


def with_picture(decision: Decision) -> str:
    """The record as markdown, with its figure inside, since the page can fetch none."""
    figure = picture_of(decision.question.name)
    if figure is None or figure.stat().st_size > PICTURE_BYTES:
        return any_markdown(decision)
    data = b64encode(figure.read_bytes()).decode()
    picture = f"![The figure of the answer](data:image/png;base64,{data})"
    return f"{any_markdown(decision)}\n\n{picture}"
