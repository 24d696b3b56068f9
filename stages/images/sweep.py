"""Image proxies of every arm, size, regularisation and resample, trained and kept as the sweep
keeps its trunks.

Question: what error does every arm reach? Input: packed images, views, the `sweep` section (budgets
and batches count samples). Output: one JSON file a finished trunk, the runs table with
`error_<domain>` and `loss_<domain>`, and both by held-out image. Resumable: finished trunks are not
trained again. Cost: see stages/proxy/image_stack.py.
"""

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from stages.errors import ParamsError
from stages.files import content_hash, read_json, whole_file, write_json
from stages.images.pack import opened
from stages.proxy.image_data import ImageData
from stages.proxy.image_spec import ImageResult, ImageShape, ImageSpec
from stages.run_files import RUNS, code_hash, finished, is_finished
from stages.runs import COLUMNS

if TYPE_CHECKING:
    from stages.sweep import SweepParams

SIZE = re.compile(r"(mlp|residual)-(\d{1,5})")
STACK = 64  # runs trained as one batched model (assumed)
CONTROL_SEED = 1_000
COUNTS = (
    "n_samples_seen",
    "n_samples_unique",
    "epochs",
    "flops",
    "flops_exact",
    "seconds",
    "diverged",
)


def run(params: "SweepParams") -> None:
    """Train what is missing, then write the tables of what was asked for."""
    data, domains, hashes = opened(_arms())
    trunks = _plan(params, data, hashes)
    missing = [trunk for trunk in trunks if not is_finished(trunk)]
    for group in _stacks(missing):
        _train(group, data, domains, params.device)
    runs = finished([trunk["trunk_id"] for trunk in trunks])
    table = runs_table(runs)
    losses = [
        {"run_id": row["run_id"], "metric": row["metric"], "loss_nats": row["each"]}
        for run in runs
        for row in _rows(run)
    ]
    tables = {
        "runs": table,
        "heldout_losses": pl.from_dicts(losses).sort("run_id", "metric"),
        "curves": pl.DataFrame(schema={"trunk_id": pl.String}),
    }
    for name, frame in tables.items():
        with whole_file(f"data/sweep/{name}.parquet") as temporary:
            frame.write_parquet(temporary)
    best = (
        table.filter(~pl.col("diverged"))
        .group_by("metric")
        .agg(pl.col("value").min())
        .sort("metric")
    )
    metrics = {f"best_{metric}": round(value, 4) for metric, value in best.iter_rows()}
    write_json(
        "data/metrics/sweep.json",
        {
            "trunks": len(trunks),
            "diverged": table.filter("diverged")["trunk_id"].n_unique(),
        }
        | metrics,
    )


def sizes_are_of_the_modality(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where a size is of another modality than the pools: the key and the fault."""
    modality = params["ingest"].modality
    for key in ("sizes", "control_sizes"):
        for size in getattr(params["sweep"], key):
            if (SIZE.fullmatch(size) is not None) != (modality == "image"):
                return (
                    [
                        "sweep",
                        key,
                    ],
                    f"{size} is no {modality} proxy, and ingest.modality is {modality}",
                )
    return None


def _arms() -> dict[str, np.ndarray]:
    """`arm/draw` -> rows of the packed pool."""
    views = pl.read_parquet("data/arms/views.parquet")
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
    kind, width = SIZE.fullmatch(size).groups()
    classes = 1 + int(max(data.labels.max(), data.held_out_labels.max()))
    return ImageShape(kind, int(width), 1, *data.pixels.shape[1:], classes)


def _plan(params: "SweepParams", data: ImageData, hashes: str) -> list[dict[str, Any]]:
    """Every trunk with its header and spec."""
    arms, code, trunks = read_json("data/arms/arms.json"), code_hash(), []
    if wrong := [
        size
        for size in (*params.sizes, *params.control_sizes)
        if not SIZE.fullmatch(size)
    ]:
        raise ParamsError(
            f"sweep.sizes: {wrong[0]!r} is no image proxy; write for"
            " example mlp-32 or residual-8"
        )
    for view in data.arms:
        arm, draw = view.rsplit("/", 1)
        control = arms["controls"].get(arm)
        full = not control or control["kind"] == "same"
        for size in params.sizes if full else params.control_sizes:
            for setting in (
                params.regularisations if full else params.regularisations[:1]
            ):
                seed = int(draw) + (CONTROL_SEED if control else 0)
                budgets = tuple(
                    n - n % params.batch_tokens for n in params.budgets_tokens
                )
                spec = ImageSpec(
                    arm=view,
                    shape=shape_of(size, data),
                    budgets_samples=budgets,
                    batch_samples=params.batch_tokens,
                    lr=params.lr,
                    weight_decay=setting.weight_decay,
                    warmup_steps=params.warmup_steps,
                    decay_fraction=params.decay_fraction,
                    seed=seed,
                    data_seed=seed,
                )
                header = {
                    "arm": arm,
                    "control": control["kind"] if control else "",
                    "pool_draw": int(draw),
                    "code_hash": code,
                    "data_hash": content_hash(
                        [arms["views"][view]["data_hash"], hashes]
                    ),
                }
                trunks.append(
                    {
                        "trunk_id": content_hash([spec.to_dict(), header]),
                        **header,
                        "spec": spec,
                    }
                )
    return trunks


def _stacks(trunks: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
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
    from stages.proxy.image_train import train_images  # loads torch

    for trunk, result in zip(
        group,
        train_images([trunk["spec"] for trunk in group], data, device=device),
        strict=True,
    ):
        header = {key: value for key, value in trunk.items() if key != "spec"}
        write_json(
            RUNS / f"{trunk['trunk_id']}.json",
            {**header, "modality": "image", "result": _as_json(result, domains)},
        )


def _as_json(result: ImageResult, domains: dict[str, slice]) -> dict[str, Any]:
    shape = result.spec.shape
    budgets = [
        {name: getattr(budget, name) for name in COUNTS}
        | {
            "error": {
                domain: (~budget.correct[part]).astype(int).tolist()
                for domain, part in domains.items()
            },
            "loss": {
                domain: [
                    round(float(nats), 6) for nats in budget.sample_loss_nats[part]
                ]
                for domain, part in domains.items()
            },
        }
        for budget in result.budgets
    ]
    return {
        "spec": result.spec.to_dict(),
        "n_params": shape.n_params,
        "device": result.device,
        "budgets": budgets,
    }


def _rows(run: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a budget, domain and metric; `each` holds the values of the single images."""
    result, spec = run["result"], run["result"]["spec"]
    shared = {
        key: run[key]
        for key in ("trunk_id", "arm", "control", "pool_draw", "data_hash", "code_hash")
    }
    shared |= {
        "modality": "image",
        "n_params": result["n_params"],
        "n_params_total": result["n_params"],
        "device": result["device"],
        "dropout": 0.0,
        "batch_tokens": spec["batch_samples"],
        "batch_samples": spec["batch_samples"],
        **{key: spec[key] for key in ("seed", "lr", "weight_decay")},
    }
    rows = []
    for budget in result["budgets"]:
        counts = {name: budget[name] for name in COUNTS} | {
            "n_tokens_seen": budget["n_samples_seen"],
            "n_tokens_unique": budget["n_samples_unique"],
        }
        for metric in ("error", "loss"):
            for domain, each in budget[metric].items():
                error = (
                    float(np.std(each, ddof=1) / np.sqrt(len(each)))
                    if len(each) > 1
                    else None
                )
                rows.append(
                    {
                        **shared,
                        **counts,
                        "run_id": f"{run['trunk_id']}-{budget['n_samples_seen']}",
                        "metric": f"{metric}_{domain}",
                        "value": float(np.mean(each)),
                        "value_se": error,
                        "each": [float(value) for value in each],
                    }
                )
    return rows


def runs_table(runs: list[dict[str, Any]]) -> pl.DataFrame:
    """The runs table; n_tokens_* repeat n_samples_*, because laws know samples by those names."""
    table = pl.from_dicts(
        [
            {key: value for key, value in row.items() if key != "each"}
            for run in runs
            for row in _rows(run)
        ],
        infer_schema_length=None,
    )
    table = table.with_columns(
        pl.col(name).cast(kind) for name, kind in COLUMNS.items()
    )
    extra = ["n_samples_seen", "n_samples_unique", "batch_samples"]
    return table.select(*COLUMNS, *extra).sort(
        "arm",
        "n_params",
        "pool_draw",
        "weight_decay",
        "seed",
        "n_tokens_seen",
        "metric",
    )
