"""The experiment of a question and its parent run: what it holds beside the runs, and when it is over."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from stages.decision.record import DecisionRecord
from stages.foundation import artefacts
from stages.foundation.files import content_hash, read_json
from stages.foundation.sealed import AGAIN, read_sealed
from stages.runs.machine_load import samples_of
from stages.runs.mlflow_store.descriptions import DESCRIPTION, KIND, MODEL_TRAINING
from stages.runs.mlflow_store.store import artifact_location
from stages.runs.mlflow_store.trunks import Sending, send_metrics
from stages.searched.record import Decision

PARENT = "assay.sweep"
COEFFICIENTS = "coefficients.csv"  # MLflow's page shows it as a table
FAILURE = "failure"  # tag of a parent run whose training failed


def send_verification(client: Any, parent: str, question: str) -> None:
    """How the decision fared: the record, and its numbers as metrics of the parent run; sent again only when
    they changed.
    """
    from mlflow.entities import Metric

    files = [Path(artefacts.VERIFY_METRICS), Path(artefacts.verification(question))]
    if not all(file.is_file() for file in files):
        return
    values = read_json(files[0]).get(question, {})
    record = read_sealed(files[1], AGAIN)
    digest, tag = content_hash([values, record]), "sent.verification"
    if client.get_run(parent).data.tags.get(tag) == digest:
        return
    now = int(time.time() * 1000)
    metrics = [Metric(f"verify_{key}", value, now, 0) for key, value in values.items()]
    client.log_batch(parent, metrics=metrics, params=[])
    # the record of the decision has the name of the question
    client.log_dict(parent, record, f"{question}-verification.json")
    client.set_tag(parent, tag, digest)


def send_machine_load(client: Any, parent: str, stages: Iterable[str]) -> None:
    """What training used of the machine, on MLflow's tab of system metrics; each sample once."""
    from mlflow.entities import Metric

    for stage in stages:
        tag = f"sent.load.{stage}"
        sent_s = float(client.get_run(parent).data.tags.get(tag, 0))
        samples = samples_of(stage)
        metrics = [
            Metric(key, value, int(1000 * sample["time_s"]), step)
            for step, sample in enumerate(samples)
            if sample["time_s"] > sent_s
            for key, value in sample.items()
            if key != "time_s"
        ]
        if metrics:
            send_metrics(client, parent, metrics)
            client.set_tag(parent, tag, str(samples[-1]["time_s"]))


def send_coefficients(client: Any, parent: str, decision: Decision | None) -> None:
    """The parameters of the law with their intervals as a table, sent again only when they changed. A searched
    answer is a mean over many laws, whose weights are in its record: it has no such table.
    """
    if not isinstance(decision, DecisionRecord):
        return
    rows = decision.tables.parameters
    text = pl.DataFrame(rows, infer_schema_length=None).write_csv()
    digest, tag = content_hash(text), f"sent.{COEFFICIENTS}"
    if client.get_run(parent).data.tags.get(tag) != digest:
        client.log_text(parent, text, COEFFICIENTS)
        client.set_tag(parent, tag, digest)


def experiment(client: Any, question: str, title: str) -> Any:
    """The experiment as MLflow knows it, made where there is none."""
    name = f"curation/{question}"
    found = client.get_experiment_by_name(name)
    if not found:
        client.create_experiment(
            name,
            artifact_location=artifact_location(),
            tags={KIND: MODEL_TRAINING, DESCRIPTION: title},
        )
        found = client.get_experiment_by_name(name)
    return found


def parent(client: Any, experiment: str, question: str, title: str) -> str:
    """The number of the run that the sweep's runs are children of, made where there is none."""
    found = client.search_runs(
        [experiment], f"tags.`{PARENT}` = '{question}'", max_results=1
    )
    if found:
        return found[0].info.run_id
    tags = {PARENT: question, "stage": "sweep", DESCRIPTION: title}
    return client.create_run(
        experiment, run_name=f"sweep-{question}", tags=tags
    ).info.run_id


def close_parent(to: Sending) -> None:
    """Its tags say what it stands on now; a failure of an earlier call is over."""
    tags = to.client.get_run(to.parent).data.tags
    for key, value in to.tags.items():
        if tags.get(key) != value:
            to.client.set_tag(to.parent, key, value)
    if FAILURE in tags:
        to.client.delete_tag(to.parent, FAILURE)
    to.client.set_terminated(to.parent)


def files_of(question: str) -> list[Path]:
    """Decision, figures and page of a question, those that are there."""
    files = [
        Path(artefacts.decision(question)),
        *sorted(Path(artefacts.REPORT).glob(f"{question}*.png")),
        Path(artefacts.PAGE),
    ]
    return [file for file in files if file.is_file()]


def send_files(client: Any, parent: str, files: list[Path]) -> None:
    """Each sent again only when its bytes changed."""
    tags = client.get_run(parent).data.tags
    for file in files:
        key, digest = f"sent.{file.name}", content_hash(file.read_bytes().hex())
        if tags.get(key) != digest:
            client.log_artifact(parent, str(file))
            client.set_tag(parent, key, digest)
