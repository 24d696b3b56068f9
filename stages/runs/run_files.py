"""Finished trunks on disk: one JSON file each, named by its content hash, and the tables made of them.

The files are the truth. The runs table, MLflow and the decision are all derived from them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from stages.foundation import artefacts
from stages.foundation.files import read_json, write_json
from stages.proxy.specs.shape import Shape
from stages.runs.table import COLUMNS

RUNS = Path(artefacts.RUN_FILES)
ROUNDED = 12  # digits of a document's loss that survive; beyond is summation order


def save_run(header: dict[str, Any], result: Any) -> None:
    """Write one finished trunk: `header` {trunk_id, arm, control, data_hash, code_hash} and a proxy RunResult."""
    write_json(
        RUNS / f"{header['trunk_id']}.json", {**header, "result": result.to_dict()}
    )


def is_finished(trunk: dict[str, Any]) -> bool:
    """Whether a trunk, {trunk_id, ...}, is on disk."""
    return (RUNS / f"{trunk['trunk_id']}.json").is_file()


def finished(trunk_ids: list[str]) -> list[dict[str, Any]]:
    """The runs of these trunks that are on disk, in the order asked for."""
    return [
        read_json(RUNS / f"{id_}.json")
        for id_ in trunk_ids
        if (RUNS / f"{id_}.json").is_file()
    ]


def rows_of(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the runs table for one trunk: a row a budget, held-out domain and metric."""
    result, spec = run["result"], run["result"]["spec"]
    shape = Shape(**spec["shape"])
    shared = {
        "trunk_id": run["trunk_id"],
        "arm": run["arm"],
        "control": run["control"],
        "modality": "text",
        "n_params": shape.n_params,
        "n_params_total": shape.n_params_total,
        "batch_tokens": spec["batch_tokens"],
        **{
            key: spec[key]
            for key in ("seed", "lr", "weight_decay", "dropout", "pool_draw")
        },
        **{key: run[key] for key in ("data_hash", "code_hash")},
        "device": result["device"],
        **shape.mixture_variables,
        **_growth(spec),
    }
    return [
        {
            **shared,
            **_budget(run["trunk_id"], budget),
            "metric": metric,
            "value": value,
            "value_se": error,
        }
        for budget in result["budgets"]
        for metric, value, error in [
            *_losses(budget["held_out"]),
            *((name, *score) for name, score in budget.get("items", {}).items()),
        ]
    ]


def _growth(spec: dict[str, Any]) -> dict[str, Any]:
    """How a model that grew in depth did so; nothing for one that did not."""
    if not spec.get("grown_from"):
        return {}
    return {
        "grown_from_layers": spec["grown_from"],
        "growth_tokens": spec["growth_tokens"],
        "growth": spec["growth"],
    }


def _losses(held_out: dict[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Metric, value and standard error of every held-out domain."""
    for domain, score in held_out.items():
        yield f"loss_{domain}", score["loss_nats"], score["standard_error_nats"]
        yield (
            f"bpb_{domain}",
            score["bits_per_byte"],
            score["standard_error_nats"] * score["bits_per_byte"] / score["loss_nats"],
        )


def _budget(trunk_id: str, budget: dict[str, Any]) -> dict[str, Any]:
    keys = (
        "n_tokens_seen",
        "n_tokens_unique",
        "epochs",
        "flops",
        "flops_exact",
        "diverged",
        "seconds",
    )
    return {
        "run_id": f"{trunk_id}-{budget['budget_tokens']}",
        **{key: budget[key] for key in keys},
        **_by_part(budget["shares"], "share"),
        **_by_part(budget["unique"], "unique"),
    }


def _by_part(groups: dict[str, float], prefix: str) -> dict[str, float]:
    """Groups are named "pool|tier"; sum them to share_<pool> and share_<tier> (or unique_...)."""
    sums: dict[str, float] = {}
    for name, value in groups.items():
        for part in name.split("|"):
            sums[f"{prefix}_{part}"] = sums.get(f"{prefix}_{part}", 0) + value
    return sums


def runs_table(runs: list[dict[str, Any]]) -> pl.DataFrame:
    """The runs table of docs/design.md, ordered by arm, size, draw, regularisation and budget."""
    table = pl.from_dicts(
        [row for run in runs for row in rows_of(run)], infer_schema_length=None
    )
    table = table.with_columns(
        pl.col(name).cast(kind) for name, kind in COLUMNS.items()
    )
    extra = sorted(set(table.columns) - set(COLUMNS))
    order = [
        "arm",
        "n_params",
        "pool_draw",
        "weight_decay",
        "dropout",
        "seed",
        "n_tokens_seen",
        "metric",
    ]
    return table.select(*COLUMNS, *extra).sort(order)


def document_losses(runs: list[dict[str, Any]]) -> pl.DataFrame:
    """run_id, metric, n_tokens, loss_nats (list, one a held-out document): for bootstraps over documents."""
    rows = [
        {
            "run_id": f"{run['trunk_id']}-{budget['budget_tokens']}",
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
    budget_tokens (0 on the trunk), loss_nats, lr.
    """
    kinds = {
        "step": pl.Int64,
        "n_tokens_seen": pl.Int64,
        "budget_tokens": pl.Int64,
        "loss_nats": pl.Float64,
        "lr": pl.Float64,
    }
    frames = []
    for run in runs:
        spec = run["result"]["spec"]
        who = [
            run["trunk_id"],
            run["arm"],
            Shape(**spec["shape"]).n_params,
            spec["pool_draw"],
        ]
        labels = [
            pl.lit(value, dtype=pl.Int64 if isinstance(value, int) else None).alias(
                name
            )
            for name, value in zip(
                ("trunk_id", "arm", "n_params", "pool_draw"), who, strict=True
            )
        ]
        frames.append(
            pl.DataFrame(
                {name: run["result"]["curve"][name] for name in kinds}, schema=kinds
            ).select(*labels, *kinds)
        )
    return pl.concat(frames).sort(
        "arm", "n_params", "pool_draw", "trunk_id", "step", "budget_tokens"
    )
