"""The only file that knows MLflow. The files on disk are the truth; MLflow gets what it has not got.

An experiment a question, a parent run a sweep, a child a trunk (its budgets are steps). A child is
recognised by its tag `assay.trunk_id`, so publishing again sends nothing twice; one that did not
arrive whole is ended, deleted and sent anew. An outage costs nothing but a later `python -m stages
publish`. A store that is mute holds nobody longer than ASSAY_SERVICE_SECONDS.
"""

import json
import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from tqdm import tqdm

from stages.foundation import artefacts
from stages.foundation.errors import InputError, RefusedError
from stages.foundation.files import content_hash, read_json
from stages.foundation.one_line import one_line, redacted
from stages.foundation.processes.deadlines import InTime, service_seconds, within
from stages.foundation.processes.one_holder import Held, one_holder
from stages.foundation.sealed import AGAIN, read_sealed
from stages.runs.run_files import CARRIED_ON, SWEPT, RunFolder, rows_of, sound
from stages.runs.schema import DECISION_VARIABLES

log = logging.getLogger("assay")
PARENT = "assay.sweep"
CHILD = "assay.trunk_id"
TABLES = {SWEPT: artefacts.RUNS, CARRIED_ON: artefacts.VERIFY_RUNS}
BATCH = 1000  # MLflow's limit for one log_batch
MOST = 120  # characters of a reason
LOCK = Path(artefacts.WORK) / "publish.lock"
NOT_SENT = "did not take the runs"
KEPT = "they are kept on disk; the next `assay run` or `python -m stages publish` sends them"


class TrackingOutage(RefusedError):
    """MLflow cannot be reached or refuses; nothing is lost."""


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, else an absolute sqlite path (a relative one would follow the caller)."""
    return (
        os.environ.get("MLFLOW_TRACKING_URI")
        or f"sqlite:///{Path('mlflow.db').resolve()}"
    )


@contextmanager
def outages(what: str = NOT_SENT, cure: str = KEPT) -> Iterator[None]:
    """Anything MLflow or its transport raises becomes one TrackingOutage line."""
    import mlflow
    import requests
    import sqlalchemy

    try:
        yield
    except ImportError as error:  # the driver of a database
        raise TrackingOutage(
            f"MLflow at {redacted(tracking_uri())}: {one_line(str(error))}; install that"
            " package, or name another store in MLFLOW_TRACKING_URI"
        ) from None
    except (
        mlflow.exceptions.MlflowException,
        requests.RequestException,
        sqlalchemy.exc.SQLAlchemyError,
        OSError,
    ) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TrackingOutage(
            f"MLflow at {redacted(tracking_uri())} {what}: {one_line(first, MOST)};"
            f" {cure}"
        ) from None


def _client() -> Any:
    """MLflow's client, each of whose calls ends in time."""
    import mlflow

    # it would sleep for as long as the store says
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    client = within(service_seconds(), mlflow.MlflowClient, tracking_uri())
    return InTime(client, service_seconds())


def read_experiment(name: str) -> pl.DataFrame:
    """One row a finished run of an experiment: its parameters and the last value of each metric.

    Parameters are text in MLflow; a column whose every value is a number becomes one. A metric wins
    over a parameter of its name.
    """
    with outages("cannot be read", "start it, or name another MLFLOW_TRACKING_URI"):
        client = _client()
        found = client.get_experiment_by_name(name)
        names = (
            []
            if found
            else sorted(e.name for e in client.search_experiments(max_results=20))
        )
        runs = list(_pages(client, found.experiment_id)) if found else []
        others = _pages(client, found.experiment_id, "!=") if found else []
        n_unfinished = sum(1 for _ in others)
    if not found:
        raise InputError(
            f"mlflow:{name}: no such experiment at {tracking_uri()}; there are:"
            f" {', '.join(names)} (MLFLOW_TRACKING_URI names the store)"
        )
    rows = [
        {"run_id": run.info.run_id, **run.data.params, **run.data.metrics}
        for run in runs
    ]
    rows = [row for row in rows if len(row) > 1]
    for n, what in (
        (n_unfinished, "are not finished"),
        (len(runs) - len(rows), "have neither parameters nor metrics"),
    ):
        if n:
            log.warning("mlflow:%s: %d runs %s and are left out", name, n, what)
    if not rows:
        raise InputError(
            f"mlflow:{name}: no finished run with parameters or metrics at"
            f" {tracking_uri()}; log runs to it or name another experiment"
        )
    columns = {
        key: [row.get(key) for row in rows]
        for key in dict.fromkeys(key for row in rows for key in row)
    }
    return pl.DataFrame([_column(key, values) for key, values in columns.items()])


def _pages(client: Any, experiment: str, is_finished: str = "=") -> Iterator[Any]:
    """Every finished run, page by page; with `!=` every other."""
    token = None
    while True:
        page = client.search_runs(
            [experiment],
            f"attributes.status {is_finished} 'FINISHED'",
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def _column(name: str, values: list[Any]) -> pl.Series:
    """Numbers where every value that is there is one, else text."""
    try:
        return pl.Series(
            name,
            [None if value is None else float(value) for value in values],
            dtype=pl.Float64,
        )
    except ValueError:
        return pl.Series(
            name,
            [None if value is None else str(value) for value in values],
            dtype=pl.String,
        )


def publish() -> str:
    """Send every finished trunk, decision and figure that MLflow lacks; the tracking URI without its password.

    TrackingOutage where MLflow does not take them, or another process is sending them.
    """
    try:
        with (
            outages(),
            one_holder(LOCK, "MLflow: another process sends the runs", KEPT),
        ):
            _publish(_client())
    except Held as error:
        raise TrackingOutage(str(error)) from None
    return redacted(tracking_uri())


def _publish(client: Any) -> None:
    arms = read_sealed(artefacts.ARMS, AGAIN)
    runs = {folder: text_runs(folder) for folder in (SWEPT, CARRIED_ON)}
    for name, question in arms["questions"].items():
        wanted = {*question["arms"], *arms["controls"]}
        _publish_question(
            client,
            name,
            title=question["title"],
            runs={
                folder.stage: [run for run in each if run["arm"] in wanted]
                for folder, each in runs.items()
            },
        )


def text_runs(folder: RunFolder) -> list[dict[str, Any]]:
    """The runs of a folder that are sent: images' curves and shapes have no place in MLflow yet."""
    files = [folder.file(trunk_id) for trunk_id in wanted_trunks(TABLES[folder])]
    return [run for run in sound(files, folder) if run.get("modality") != "image"]


def wanted_trunks(table: str = artefacts.RUNS) -> list[str]:
    """The trunks of a runs table; run files of earlier parameters stay on disk but are not sent."""
    if not Path(table).is_file():
        return []
    return sorted(pl.read_parquet(table, columns=["trunk_id"])["trunk_id"].unique())


def _publish_question(
    client: Any, name: str, title: str, runs: dict[str, list[dict[str, Any]]]
) -> None:
    """runs: stage -> its finished trunks."""
    experiment = _experiment(client, f"curation/{name}", title)
    parent = _parent(client, experiment, name=name, title=title)
    known = _known_trunks(client, experiment)
    _end_leftovers(client, experiment)
    missing = [
        (stage, run)
        for stage, each in runs.items()
        for run in each
        if run["trunk_id"] not in known
    ]
    for stage, run in tqdm(missing, desc=f"MLflow: {name}", disable=None, leave=False):
        _publish_trunk(client, experiment, parent=parent, run=run, stage=stage)
    _publish_verification(client, parent, name)
    files = [
        Path(artefacts.decision(name)),
        *sorted(Path(artefacts.REPORT).glob(f"{name}*.png")),
    ]
    _publish_files(
        client,
        parent,
        [file for file in [*files, Path(artefacts.PAGE)] if file.is_file()],
    )
    client.set_terminated(parent)
    n_runs = sum(map(len, runs.values()))
    log.info("MLflow: %d of %d runs of %s were new", len(missing), n_runs, name)


def _publish_verification(client: Any, parent: str, name: str) -> None:
    """How the decision fared: the record, and its numbers as metrics of the parent run; sent again only when
    they changed.
    """
    from mlflow.entities import Metric

    files = [Path(artefacts.VERIFY_METRICS), Path(artefacts.verification(name))]
    if not all(file.is_file() for file in files):
        return
    values = read_json(files[0]).get(name, {})
    record = read_sealed(files[1], AGAIN)
    digest, tag = content_hash([values, record]), "sent.verification"
    if client.get_run(parent).data.tags.get(tag) == digest:
        return
    now = int(time.time() * 1000)
    metrics = [Metric(f"verify_{key}", value, now, 0) for key, value in values.items()]
    client.log_batch(parent, metrics=metrics, params=[])
    # the record of the decision has the name of the question
    client.log_dict(parent, record, f"{name}-verification.json")
    client.set_tag(parent, tag, digest)


def _experiment(client: Any, name: str, title: str) -> str:
    found = client.get_experiment_by_name(name)
    if found:
        return found.experiment_id
    location = (
        None
        if os.environ.get("MLFLOW_TRACKING_URI")
        else Path("mlartifacts").resolve().as_uri()
    )
    return client.create_experiment(
        name, artifact_location=location, tags={"mlflow.note.content": title}
    )


def _parent(client: Any, experiment: str, name: str, title: str) -> str:
    found = client.search_runs(
        [experiment], f"tags.`{PARENT}` = '{name}'", max_results=1
    )
    if found:
        return found[0].info.run_id
    tags = {PARENT: name, "stage": "sweep", "mlflow.note.content": title}
    return client.create_run(
        experiment, run_name=f"sweep-{name}", tags=tags
    ).info.run_id


def _known_trunks(client: Any, experiment: str) -> set[str]:
    """Trunks that arrived whole: a child is closed only after its last metric."""
    return {
        run.data.tags[CHILD]
        for run in _pages(client, experiment)
        if CHILD in run.data.tags
    }


def _end_leftovers(client: Any, experiment: str) -> None:
    """Children of ours that did not arrive whole, since their process was killed or the store lost: they
    would be shown as running for ever, beside the one that is sent now.
    """
    ours = {
        file.stem
        for folder in (SWEPT, CARRIED_ON)
        for file in folder.path.glob("*.json")
    }
    for run in list(_pages(client, experiment, "!=")):
        if run.data.tags.get(CHILD) in ours:
            client.set_terminated(run.info.run_id, "KILLED")
            client.delete_run(run.info.run_id)


def _publish_trunk(
    client: Any,
    experiment: str,
    parent: str,
    run: dict[str, Any],
    stage: str = SWEPT.stage,
) -> None:
    """One child run. stage: that which trained it."""
    from mlflow.entities import Param

    result, now = run["result"], int(time.time() * 1000)
    spec = result["spec"]
    tags = {
        CHILD: run["trunk_id"],
        "mlflow.parentRunId": parent,
        "stage": stage,
        "arm": run["arm"],
        "control": run["control"],
        "dvc_data": run["data_hash"],
        "code": run["code_hash"],
        "diverged": str(result["diverged"]).lower(),
    }
    name = f"{run['arm']}-d{spec['shape']['d_model']}-wd{spec['weight_decay']:g}-p{spec['pool_draw']}-s{spec['seed']}"
    child = client.create_run(
        experiment, start_time=now, run_name=name, tags=tags
    ).info.run_id
    row = rows_of(run)[0]
    params = [Param(key, str(row[key])) for key in DECISION_VARIABLES]
    metrics = _metrics(result, row["n_params"], now)
    for start in range(0, len(metrics), BATCH):
        client.log_batch(
            child,
            metrics=metrics[start : start + BATCH],
            params=params if not start else [],
        )
    _log_data(client, child, run)
    client.log_dict(child, spec, "spec.json")
    client.set_terminated(child, "FINISHED")


def _metrics(result: dict[str, Any], n_params: int, now: int) -> list[Any]:
    """Training curve and held-out losses with tokens as steps; log10 axes for compare views."""
    from mlflow.entities import Metric

    curve = result["curve"]
    points = zip(
        curve["n_tokens_seen"], curve["budget_tokens"], curve["loss_nats"], strict=True
    )
    metrics = [
        Metric("train_loss_nats", loss, now, step)
        for step, budget, loss in points
        if not budget and math.isfinite(loss)
    ]
    for row in result["budgets"]:
        step = row["n_tokens_seen"]
        logs = {
            "log10_flops": row["flops"],
            "log10_tokens": step,
            "log10_n_params": n_params,
        }
        metrics += [
            Metric(key, math.log10(value), now, step) for key, value in logs.items()
        ]
        metrics.append(Metric("epochs", row["epochs"], now, step))
        for domain, score in row["held_out"].items():
            metrics.append(
                Metric(f"heldout_{domain}_loss_nats", score["loss_nats"], now, step)
            )
            metrics.append(
                Metric(
                    f"heldout_{domain}_loss_nats_se",
                    score["standard_error_nats"],
                    now,
                    step,
                )
            )
            metrics.append(
                Metric(
                    f"heldout_{domain}_bits_per_byte", score["bits_per_byte"], now, step
                )
            )
        metrics += [
            Metric(f"items_{name}", value, now, step)
            for name, (value, _) in row.get("items", {}).items()
        ]
    metrics.append(Metric("train_seconds", result["seconds"], now, 0))
    return metrics


def _log_data(client: Any, child: str, run: dict[str, Any]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"uri": artefacts.VIEWS})
    data = Dataset(
        name=run["arm"], digest=run["data_hash"], source_type="local", source=source
    )
    client.log_inputs(
        child,
        datasets=[DatasetInput(data, [InputTag("mlflow.data.context", "curated")])],
    )


def _publish_files(client: Any, parent: str, files: list[Path]) -> None:
    """Decision, figures and page, each sent again only when its bytes changed."""
    tags = client.get_run(parent).data.tags
    for file in files:
        key, digest = f"sent.{file.name}", content_hash(file.read_bytes().hex())
        if tags.get(key) != digest:
            client.log_artifact(parent, str(file))
            client.set_tag(parent, key, digest)
