"""Image proxies of every arm, size, regularisation and resample, trained and kept as the sweep
keeps its trunks.

Question: what error does every arm reach? Input: packed images, views, the `sweep` section (budgets
and batches count samples). Output: one JSON file a finished trunk, the runs table with
`error_<domain>` and `loss_<domain>`, and both by held-out image. Resumable: finished trunks are not
trained again. Cost: see stages/proxy/images/stack.py.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from stages.foundation import artefacts
from stages.foundation.errors import ParamsError
from stages.foundation.files import content_hash, whole_file, write_json
from stages.foundation.sealed import AGAIN, read_sealed
from stages.proxy.images.data import ImageData
from stages.proxy.images.spec import ImageBudget, ImageResult, ImageShape, ImageSpec
from stages.runs.machine_load import machine_load_noted
from stages.runs.run_files import SWEPT, finished, is_finished, save_run
from stages.runs.schema import keys_of, row_of, table_of
from stages.runs.trainer_version import IMAGE_TRAINER, code_hash
from stages.settings.model_forms import IMAGE_SIZE
from stages.settings.sweep import Regularisation, SweepParams
from stages.sweeping.trunks import CONTROL_SEED

STACK = 64  # runs trained as one batched model (assumed)
COUNTS = tuple(key for key in keys_of("image", "budget") if key != "run_id")


def run(params: SweepParams) -> None:
    """Train what is missing, then write the tables of what was asked for."""
    from stages.images.pack import (
        opened,  # reads pools, which a sweep of texts does not
    )

    data, domains, hashes = opened(_arms())
    trunks = plan(params, data, hashes)
    missing = [trunk for trunk in trunks if not is_finished(trunk)]
    if missing:
        from stages.images.device import image_device

        with (
            image_device(params.device, "sweep") as device,
            machine_load_noted(SWEPT.stage),
        ):
            for group in _stacks(missing):
                _train(group, data, domains=domains, device=device)
    runs = finished([trunk["trunk_id"] for trunk in trunks])
    table = runs_table(runs)
    tables = {
        artefacts.RUNS: table,
        artefacts.HELD_OUT_LOSSES: image_losses(runs),
        artefacts.TRAINING_CURVES: pl.DataFrame(schema={"trunk_id": pl.String}),
    }
    for path, frame in tables.items():
        with whole_file(path) as temporary:
            frame.write_parquet(temporary)
    write_json(artefacts.SWEEP_METRICS, metrics(table, len(trunks)))


def metrics(table: pl.DataFrame, n_trunks: int) -> dict[str, Any]:
    """Flat counts and the best value of each metric."""
    sound = table.filter(~pl.col("diverged"))
    best = sound.group_by("metric").agg(pl.col("value").min()).sort("metric")
    return {
        "trunks": n_trunks,
        "diverged": table.filter("diverged")["trunk_id"].n_unique(),
        **{f"best_{metric}": round(value, 4) for metric, value in best.iter_rows()},
    }


def _arms() -> dict[str, np.ndarray]:
    """`arm/draw` -> rows of the packed pool."""
    views = pl.read_parquet(artefacts.VIEWS)
    if (views["weight"] != 1).any():
        arm = views.filter(pl.col("weight") != 1)["arm"][0]
        raise ParamsError(
            f"arms.arms.{arm}: image proxies read each image once a pass;"
            " leave out upweight, mixture and duplicate_half"
        )
    return {
        f"{arm}/{draw}": part["row"].to_numpy()
        for (arm, draw), part in views.group_by("arm", "draw", maintain_order=True)
    }


def shape_of(size: str, data: ImageData) -> ImageShape:
    """`mlp-64` or `residual-8`: kind and width, one hidden layer or block."""
    if (named := IMAGE_SIZE.fullmatch(size)) is None:
        raise ParamsError(f"{size!r} is no image proxy; write mlp-64 or residual-8")
    kind, width = named.groups()
    _, channels, height, columns = data.pixels.shape
    classes = 1 + int(max(data.labels.max(), data.held_out_labels.max()))
    return ImageShape(
        kind,
        width=int(width),
        depth=1,
        channels=channels,
        height=height,
        columns=columns,
        n_classes=classes,
    )


def plan(params: SweepParams, data: ImageData, hashes: str) -> list[dict[str, Any]]:
    """Every trunk with its header and spec."""
    _require_image_sizes([*params.sizes, *params.control_sizes])
    arms, code = read_sealed(artefacts.ARMS, AGAIN), code_hash(IMAGE_TRAINER)
    trunks = []
    for view in data.arms:
        arm, draw = view.rsplit("/", 1)
        control = arms["controls"].get(arm)
        header = {
            "arm": arm,
            "control": control["kind"] if control else "",
            "pool_draw": int(draw),
            "code_hash": code,
            "data_hash": content_hash([arms["views"][view]["data_hash"], hashes]),
        }
        seed = int(draw) + (CONTROL_SEED if control else 0)
        for size, setting in _cells(params, control):
            spec = _spec(
                params, view, shape=shape_of(size, data), setting=setting, seed=seed
            )
            trunk_id = content_hash([spec.to_dict(), header])
            trunks.append({"trunk_id": trunk_id, **header, "spec": spec})
    return trunks


def _require_image_sizes(sizes: list[str]) -> None:
    for size in sizes:
        if not IMAGE_SIZE.fullmatch(size):
            raise ParamsError(
                f"sweep.sizes: {size!r} is no image proxy; write for"
                " example mlp-32 or residual-8"
            )


def _cells(
    params: SweepParams, control: dict[str, Any] | None
) -> list[tuple[str, Regularisation]]:
    """Sizes and settings that an arm is trained at; a control that is no twin has fewer."""
    full = not control or control["kind"] == "same"
    sizes = params.sizes if full else params.control_sizes
    settings = params.regularisations if full else params.regularisations[:1]
    return [(size, setting) for size in sizes for setting in settings]


def _spec(
    params: SweepParams,
    view: str,
    *,
    shape: ImageShape,
    setting: Regularisation,
    seed: int,
) -> ImageSpec:
    whole = (n - n % params.batch_tokens for n in params.budgets_tokens)
    return ImageSpec(
        arm=view,
        shape=shape,
        budgets_samples=tuple(whole),
        batch_samples=params.batch_tokens,
        lr=params.lr,
        weight_decay=setting.weight_decay,
        warmup_steps=params.warmup_steps,
        decay_fraction=params.decay_fraction,
        seed=seed,
        data_seed=seed,
    )


def _stacks(trunks: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Trunks that can train as one batched model, at most STACK together."""
    by_key: dict[tuple, list] = {}
    for trunk in trunks:
        by_key.setdefault(trunk["spec"].stack_key, []).append(trunk)
    return [
        group[first : first + STACK]
        for group in by_key.values()
        for first in range(0, len(group), STACK)
    ]


def _train(
    group: list[dict[str, Any]], data: ImageData, domains: dict[str, slice], device: str
) -> None:
    from stages.proxy.images.train import train_images  # loads torch

    results = train_images([trunk["spec"] for trunk in group], data, device=device)
    for trunk, result in zip(group, results, strict=True):
        save_run(trunk | {"modality": "image"}, result_json(result, domains))


def result_json(result: ImageResult, domains: dict[str, slice]) -> dict[str, Any]:
    """What a run file keeps of a result; `domains` are ranges of the held-out images."""
    return {
        "spec": result.spec.to_dict(),
        "n_params": result.spec.shape.n_params,
        "device": result.device,
        "budgets": [_budget_json(budget, domains) for budget in result.budgets],
    }


def _budget_json(budget: ImageBudget, domains: dict[str, slice]) -> dict[str, Any]:
    """The counts that the runs table holds, and every single image's error and loss."""
    counts = {name: getattr(budget, name) for name in COUNTS}
    wrong = (~budget.correct).astype(int)
    nats = [round(float(value), 6) for value in budget.sample_loss_nats]
    return {
        **counts,
        "error": {domain: wrong[part].tolist() for domain, part in domains.items()},
        "loss": {domain: nats[part] for domain, part in domains.items()},
    }


def _run_id(run: dict[str, Any], budget: dict[str, Any]) -> str:
    return f"{run['trunk_id']}-{budget['n_samples_seen']}"


def _measured(budget: dict[str, Any]) -> Iterator[tuple[str, list[float]]]:
    """Metric and the values of the single images, of every domain."""
    for kind in ("error", "loss"):
        for domain, each in budget[kind].items():
            yield f"{kind}_{domain}", [float(value) for value in each]


def rows_of(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the runs table for one trunk: a row a budget, metric and domain."""
    result = run["result"]
    parts = {"run": run, "result": result, "spec": result["spec"]}
    rows = []
    for budget in result["budgets"]:
        named = {**budget, "run_id": _run_id(run, budget)}
        for name, each in _measured(budget):
            metric = {
                "name": name,
                "value": float(np.mean(each)),
                "standard_error": _standard_error(each),
            }
            row = row_of("image", {**parts, "budget": named, "metric": metric})
            rows.append(row)
    return rows


def _standard_error(each: list[float]) -> float | None:
    """Of the mean of these values; None for a single one."""
    if len(each) < 2:
        return None
    return float(np.std(each, ddof=1) / np.sqrt(len(each)))


def runs_table(runs: list[dict[str, Any]]) -> pl.DataFrame:
    """The runs table; n_tokens_* repeat n_samples_*, because laws know samples by those names."""
    return table_of("image", (row for run in runs for row in rows_of(run)))


def image_losses(runs: list[dict[str, Any]]) -> pl.DataFrame:
    """run_id, metric, loss_nats (list, one a held-out image; of an error 0 or 1)."""
    losses = [
        {"run_id": _run_id(run, budget), "metric": metric, "loss_nats": each}
        for run in runs
        for budget in run["result"]["budgets"]
        for metric, each in _measured(budget)
    ]
    return pl.from_dicts(losses).sort("run_id", "metric")
