"""A finished trunk as a child run: name, tags, parameters, metrics, inputs, spec. Its budgets are steps."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stages.runs.mlflow_store.datasets import dataset_inputs, what_was_read
from stages.runs.mlflow_store.metrics import diverged, is_image, points_of, rows_of_any
from stages.runs.run_files import SWEPT
from stages.runs.schema import DECISION_VARIABLES

CHILD = "assay.trunk_id"
BATCH = 1000  # MLflow's limit for one log_batch


@dataclass(frozen=True, kw_only=True)
class Sending:
    """What all runs of one sending share: where they go, what they stand on and who sends them."""

    client: Any
    experiment: str
    parent: str
    digests: dict[str, str] = field(default_factory=dict)  # of DVC, by context
    git: str | None = None  # commit of the working tree that sends
    law: str | None = None  # that the decision rests on
    flow_run: str | None = None  # Prefect's

    @property
    def tags(self) -> dict[str, str]:
        """Those that are known."""
        tags = {"git": self.git, "law": self.law, "prefect_flow_run": self.flow_run}
        return {key: value for key, value in tags.items() if value}


def send_trunk(to: Sending, run: dict[str, Any], stage: str = SWEPT.stage) -> None:
    """One child run, closed when all of it has arrived. stage: that which trained it."""
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    child = to.client.create_run(
        to.experiment, start_time=now, run_name=name_of(run), tags=_tags(to, run, stage)
    ).info.run_id
    row = rows_of_any(run)[0]
    params = [Param(key, str(row[key])) for key in DECISION_VARIABLES]
    metrics = [
        Metric(point.key, point.value, now, point.step) for point in points_of(run)
    ]
    send_metrics(to.client, child, metrics, params)
    reads = what_was_read(run, to.digests)
    to.client.log_inputs(child, datasets=dataset_inputs(reads))
    to.client.log_dict(child, run["result"]["spec"], "spec.json")
    to.client.set_terminated(child, "FINISHED")


def send_metrics(
    client: Any, run_id: str, metrics: list[Any], params: Sequence[Any] = ()
) -> None:
    """As many calls as MLflow's limit asks for; the parameters with the first."""
    for start in range(0, len(metrics), BATCH):
        client.log_batch(
            run_id,
            metrics=metrics[start : start + BATCH],
            params=list(params) if not start else [],
        )


def name_of(run: dict[str, Any]) -> str:
    """Short, and of no other run of its question: `keep_20-d32-wd0.1-p0-s0`."""
    row, shape = rows_of_any(run)[0], run["result"]["spec"]["shape"]
    size = (
        f"{shape['kind']}{shape['width']}" if is_image(run) else f"d{shape['d_model']}"
    )
    return (
        f"{row['arm']}-{size}-wd{row['weight_decay']:g}-p{row['pool_draw']}"
        f"-s{row['seed']}"
    )


def _tags(to: Sending, run: dict[str, Any], stage: str) -> dict[str, str]:
    return {
        CHILD: run["trunk_id"],
        "mlflow.parentRunId": to.parent,
        "stage": stage,
        "arm": run["arm"],
        "control": run["control"],
        "dvc_data": to.digests.get("curated", run["data_hash"]),
        "data": run["data_hash"],
        "code": run["code_hash"],
        "diverged": str(diverged(run["result"])).lower(),
        **to.tags,
    }
