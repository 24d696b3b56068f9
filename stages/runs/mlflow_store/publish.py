"""The files on disk are the truth; MLflow gets what it has not got.

An experiment a question, a parent run a sweep, a child a trunk (its budgets are steps). A child is
recognised by its tag `assay.trunk_id`, so publishing again sends nothing twice; one that did not
arrive whole is ended, deleted and sent anew. An outage costs nothing but a later `python -m stages
publish`. A store that is mute holds nobody longer than ASSAY_SERVICE_SECONDS.
"""

import logging
from pathlib import Path
from typing import Any

import polars as pl
from tqdm import tqdm

from stages.decision.provenance import git_commit
from stages.foundation import artefacts
from stages.foundation.one_line import one_line
from stages.foundation.processes.one_holder import Held, one_holder
from stages.foundation.sealed import AGAIN, read_sealed
from stages.runs.mlflow_store import questions
from stages.runs.mlflow_store.datasets import dvc_digests
from stages.runs.mlflow_store.descriptions import decision_of, describe, description
from stages.runs.mlflow_store.links import compare_link, forget_links, keep_links
from stages.runs.mlflow_store.registry import register_tokenizer
from stages.runs.mlflow_store.store import (
    KEPT,
    MOST,
    TrackingOutage,
    open_client,
    outages,
    pages,
)
from stages.runs.mlflow_store.trunks import CHILD, Sending, send_trunk
from stages.runs.run_files import CARRIED_ON, SWEPT, RunFolder, sound
from stages.searched.record import law_name

log = logging.getLogger("assay")
TABLES = {SWEPT: artefacts.RUNS, CARRIED_ON: artefacts.VERIFY_RUNS}
BUSY = "MLflow: another process sends the runs"
LOCK = Path(artefacts.WORK) / "publish.lock"


def publish(flow_run: str | None = None) -> dict[str, str]:
    """Send every finished trunk, decision and figure that MLflow lacks; question -> link to the compare view.

    flow_run: Prefect's id of the run that sends them. TrackingOutage where MLflow does not take
    them, or another process is sending them.
    """
    forget_links()
    try:
        with outages(), one_holder(LOCK, BUSY, KEPT):
            links = _publish(open_client(), flow_run)
    except Held as error:
        raise TrackingOutage(str(error)) from None
    keep_links(links)
    return links


def record_failure(stage: str, why: str) -> None:
    """Mark the sweep of every question as failed, with the line that says why; the next `publish` after
    a success clears it. TrackingOutage as `publish`.
    """
    if not Path(artefacts.ARMS).is_file():
        return
    asked = read_sealed(artefacts.ARMS, AGAIN)["questions"]
    try:
        with outages(), one_holder(LOCK, BUSY, KEPT):
            client = open_client()
            for name, question in asked.items():
                found = questions.experiment(client, name, title=question["title"])
                run = questions.parent(
                    client, found.experiment_id, name, title=question["title"]
                )
                client.set_tag(
                    run, questions.FAILURE, one_line(f"{stage}: {why}", MOST)
                )
                client.set_terminated(run, "FAILED")
    except Held as error:
        raise TrackingOutage(str(error)) from None


def _publish(client: Any, flow_run: str | None) -> dict[str, str]:
    arms = read_sealed(artefacts.ARMS, AGAIN)
    runs = {folder: finished_runs(folder) for folder in (SWEPT, CARRIED_ON)}
    links = {}
    for name, question in arms["questions"].items():
        wanted = {*question["arms"], *arms["controls"]}
        links[name] = _publish_question(
            client,
            name,
            title=question["title"],
            runs={
                folder.stage: [run for run in each if run["arm"] in wanted]
                for folder, each in runs.items()
            },
            flow_run=flow_run,
        )
    return links


def finished_runs(folder: RunFolder) -> list[dict[str, Any]]:
    """The runs of a folder that are sent, of texts or of images."""
    files = [folder.file(trunk_id) for trunk_id in wanted_trunks(TABLES[folder])]
    return sound(files, folder)


def wanted_trunks(table: str = artefacts.RUNS) -> list[str]:
    """The trunks of a runs table; run files of earlier parameters stay on disk but are not sent."""
    if not Path(table).is_file():
        return []
    return sorted(pl.read_parquet(table, columns=["trunk_id"])["trunk_id"].unique())


def _publish_question(
    client: Any,
    name: str,
    title: str,
    runs: dict[str, list[dict[str, Any]]],
    flow_run: str | None,
) -> str:
    """Its link. runs: stage -> its finished trunks."""
    experiment = questions.experiment(client, name, title=title)
    parent = questions.parent(client, experiment.experiment_id, name, title=title)
    decision = decision_of(name)
    to = Sending(
        client=client,
        experiment=experiment.experiment_id,
        parent=parent,
        digests=dvc_digests(),
        git=git_commit(),
        law=law_name(decision) if decision else None,
        flow_run=flow_run,
    )
    n_new = _send_missing(to, name, runs)
    questions.send_machine_load(client, parent, stages=runs)
    questions.send_verification(client, parent, name)
    questions.send_files(client, parent, questions.files_of(name))
    questions.send_coefficients(client, parent, decision)
    register_tokenizer(client, parent, to.tags)
    text = description(name, title, decision, parent=parent)
    describe(client, experiment, parent, text=text)
    questions.close_parent(to)
    n_runs = sum(map(len, runs.values()))
    log.info("MLflow: %d of %d runs of %s were new", n_new, n_runs, name)
    return compare_link(experiment.experiment_id)


def _send_missing(to: Sending, name: str, runs: dict[str, list[dict[str, Any]]]) -> int:
    """How many were sent. Those that are there already get the law that the decision rests on now."""
    known = _known_trunks(to)
    _end_leftovers(to.client, to.experiment)
    missing = [
        (stage, run)
        for stage, each in runs.items()
        for run in each
        if run["trunk_id"] not in known
    ]
    for stage, run in tqdm(missing, desc=f"MLflow: {name}", disable=None, leave=False):
        send_trunk(to, run, stage)
    return len(missing)


def _known_trunks(to: Sending) -> set[str]:
    """Trunks that arrived whole: a child is closed only after its last metric."""
    known = set()
    for run in list(pages(to.client, to.experiment)):
        if CHILD not in run.data.tags:
            continue
        known.add(run.data.tags[CHILD])
        if to.law and run.data.tags.get("law") != to.law:
            to.client.set_tag(run.info.run_id, "law", to.law)
    return known


def _end_leftovers(client: Any, experiment: str) -> None:
    """Children of ours that did not arrive whole, since their process was killed or the store lost: they
    would be shown as running for ever, beside the one that is sent now.
    """
    ours = {
        file.stem
        for folder in (SWEPT, CARRIED_ON)
        for file in folder.path.glob("*.json")
    }
    for run in list(pages(client, experiment, "!=")):
        if run.data.tags.get(CHILD) in ours:
            client.set_terminated(run.info.run_id, "KILLED")
            client.delete_run(run.info.run_id)
