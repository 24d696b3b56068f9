"""Finished trunks on disk: one JSON file each, named by its content hash, and the tables made of them.

The files are the truth. The runs table, MLflow and the decision are all derived from them. Each carries the hash
of its contents and is checked where it is read (checked.py).
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import content_hash
from stages.foundation.sealed import SEAL, set_aside, write_sealed
from stages.proxy.specs.shape import Shape
from stages.runs.checked import damaged, read_run
from stages.runs.schema import row_of, table_of

log = logging.getLogger("assay")
RUNS = Path(artefacts.RUN_FILES)


@dataclass(frozen=True)
class RunFolder:
    """Where a stage keeps its finished trunks, and the stage that its lines in the log name."""

    stage: str
    path: Path

    def file(self, trunk_id: str) -> Path:
        """Where a trunk's file lies."""
        return self.path / f"{trunk_id}.json"


SWEPT = RunFolder("sweep", RUNS)
# trunks of the sweep with larger budgets, trained after the decision
CARRIED_ON = RunFolder("verify", Path(artefacts.VERIFY_RUN_FILES))
ROUNDED = 12  # digits of a document's loss that survive; beyond is summation order
CURVE = {
    "step": pl.Int64,
    "n_tokens_seen": pl.Int64,
    "budget_tokens": pl.Int64,
    "loss_nats": pl.Float64,
    "lr": pl.Float64,
}
# further columns of the runs that were watched
WATCHED = {"attention_logit": pl.Float64, "gradient_rms": pl.Float64}


def save_run(
    trunk: dict[str, Any], result: dict[str, Any], folder: RunFolder = SWEPT
) -> None:
    """Write one finished trunk: its header (all of it but the spec) and its result as JSON, with their hash."""
    header = {key: value for key, value in trunk.items() if key != "spec"}
    write_sealed(folder.file(trunk["trunk_id"]), {**header, "result": result})


def is_finished(trunk: dict[str, Any], folder: RunFolder = SWEPT) -> bool:
    """Whether a sound file of a trunk, {trunk_id, ...}, is on disk.

    A damaged one, or one of another spec, is set aside with a line, so that whoever asks trains it again.
    """
    file = folder.file(trunk["trunk_id"])
    try:
        state = file.stat()
        spec = _sound_spec(file, state.st_mtime_ns, state.st_size)
        if "spec" in trunk and content_hash(trunk["spec"].to_dict()) != spec:
            raise damaged(file, "its spec is not the one that was planned")
    except FileNotFoundError:
        return False
    except InputError as damage:
        with contextlib.suppress(FileNotFoundError):  # another process was first
            set_aside(file, f"{folder.stage}: {damage}")
        return False
    return True


@lru_cache(maxsize=100_000)
def _sound_spec(file: Path, changed_ns: int, n_bytes: int) -> str:
    """Hash of the spec in a run file, remembered for the file as it is."""
    return content_hash(read_run(file)["result"]["spec"])


def finished(trunk_ids: list[str], folder: RunFolder = SWEPT) -> list[dict[str, Any]]:
    """The runs of these trunks that are on disk, in the order asked for. Raises InputError at a damaged one."""
    files = [folder.file(trunk_id) for trunk_id in trunk_ids]
    runs = [read_run(file) for file in files if file.is_file()]
    return _unsealed(runs, folder)


def trunk_files(folder: RunFolder = SWEPT) -> list[Path]:
    """Every run file of a folder, which also holds what was measured of the machine; by name."""
    return sorted(set(folder.path.glob("*.json")) - set(folder.path.glob("*_*.json")))


def sound(files: Iterable[Path], folder: RunFolder = SWEPT) -> list[dict[str, Any]]:
    """The runs of those of these files that are on disk and whole; each other is left out with a line."""
    runs = []
    for file in files:
        if not file.is_file():
            continue
        try:
            runs.append(read_run(file))
        except InputError as damage:
            log.warning("%s: left out: %s", folder.stage, damage)
    return _unsealed(runs, folder)


def _unsealed(runs: list[dict[str, Any]], folder: RunFolder) -> list[dict[str, Any]]:
    """The runs without their hashes; how many had none is said."""
    if n_old := sum(SEAL not in run for run in runs):
        log.info(
            "%s: %d of %d run files are of an older version and carry no hash; name,"
            " spec, FLOPs and losses agree",
            folder.stage,
            n_old,
            len(runs),
        )
    return [{key: run[key] for key in run if key != SEAL} for run in runs]


def rows_of(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the runs table for one trunk: a row a budget, held-out domain and metric."""
    result = run["result"]
    spec = result["spec"]
    shape = Shape(**spec["shape"])
    parts = {"run": run, "result": result, "spec": spec, "shape": shape}
    of_some = {**shape.mixture_variables, **_growth(spec)}
    rows = []
    for budget in result["budgets"]:
        shares = _by_part(budget["shares"], "share")
        unique = _by_part(budget["unique"], "unique")
        named = {**budget, "run_id": run_id(run, budget)}
        for metric in metrics_of(budget):
            row = row_of("text", {**parts, "budget": named, "metric": metric})
            rows.append(row | of_some | shares | unique)
    return rows


def run_id(run: dict[str, Any], budget: dict[str, Any]) -> str:
    """The name of one budget of a trunk."""
    return f"{run['trunk_id']}-{budget['budget_tokens']}"


def metrics_of(budget: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """{name, value, standard_error} of every held-out domain and of what the items were scored for."""
    for domain, score in budget["held_out"].items():
        loss, bits = score["loss_nats"], score["bits_per_byte"]
        error = score["standard_error_nats"]
        yield _metric(f"loss_{domain}", loss, error)
        yield _metric(f"bpb_{domain}", bits, error * bits / loss)
    for name, (value, error) in budget.get("items", {}).items():
        yield _metric(name, value, error)


def _metric(name: str, value: float, standard_error: float) -> dict[str, Any]:
    return {"name": name, "value": value, "standard_error": standard_error}


def _growth(spec: dict[str, Any]) -> dict[str, Any]:
    """How a model that grew in depth did so; nothing for one that did not."""
    if not spec.get("grown_from"):
        return {}
    return {
        "grown_from_layers": spec["grown_from"],
        "growth_tokens": spec["growth_tokens"],
        "growth": spec["growth"],
    }


def _by_part(groups: dict[str, float], prefix: str) -> dict[str, float]:
    """Groups are named "pool|tier"; sum them to share_<pool> and share_<tier> (or unique_...)."""
    sums: dict[str, float] = {}
    for name, value in groups.items():
        for part in name.split("|"):
            column = f"{prefix}_{part}"
            sums[column] = sums.get(column, 0) + value
    return sums


def runs_table(runs: list[dict[str, Any]]) -> pl.DataFrame:
    """The runs table of text runs, as schema.py declares it."""
    return table_of("text", (row for run in runs for row in rows_of(run)))


def document_losses(runs: list[dict[str, Any]]) -> pl.DataFrame:
    """run_id, metric, n_tokens, loss_nats (list, one a held-out document): for bootstraps over documents."""
    rows = [
        {
            "run_id": run_id(run, budget),
            "metric": f"loss_{domain}",
            "n_tokens": score["n_tokens"],
            "loss_nats": [
                round(value, ROUNDED) for value in score["document_loss_nats"]
            ],
        }
        for run in runs
        for budget in run["result"]["budgets"]
        for domain, score in budget["held_out"].items()
    ]
    return pl.from_dicts(rows).sort("run_id", "metric")


def curves(runs: list[dict[str, Any]]) -> pl.DataFrame:
    """Training curves of all trunks: trunk_id, arm, n_params, pool_draw, step, n_tokens_seen,
    budget_tokens (0 on the trunk), loss_nats, lr; of runs that were watched attention_logit and gradient_rms.
    """
    table = pl.concat((_curve(run) for run in runs), how="diagonal")
    return table.sort(
        "arm", "n_params", "pool_draw", "trunk_id", "step", "budget_tokens"
    )


def _curve(run: dict[str, Any]) -> pl.DataFrame:
    """The curve of one trunk, labelled."""
    curve, spec = run["result"]["curve"], run["result"]["spec"]
    schema = CURVE | {name: kind for name, kind in WATCHED.items() if name in curve}
    points = {name: curve[name] for name in schema}
    n_params = Shape(**spec["shape"]).n_params
    return pl.DataFrame(points, schema=schema).select(
        pl.lit(run["trunk_id"]).alias("trunk_id"),
        pl.lit(run["arm"]).alias("arm"),
        pl.lit(n_params, dtype=pl.Int64).alias("n_params"),
        pl.lit(spec["pool_draw"], dtype=pl.Int64).alias("pool_draw"),
        *schema,
    )
