"""What the page says of documents and runs: the ledger by step, the pools, and how many runs there are."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from stages.decision.record import DecisionRecord, TableRow
from stages.searched.record import Decision


def ledger_rows(ledger: pl.DataFrame) -> list[dict[str, Any]]:
    """All pools together: documents, characters and tokens kept after each step, and what left by reason."""
    sums = ledger.group_by(
        "position", "step", "status", "reason", maintain_order=True
    ).agg(pl.col("documents", "characters", "tokens").sum())
    rows = [
        _ledger_row(
            "read",
            sums.filter((pl.col("position") == 0) & (pl.col("status") == "in")),
            "",
        )
    ]
    for (_, step), part in sums.sort("position", maintain_order=True).group_by(
        "position", "step", maintain_order=True
    ):
        gone = part.filter(pl.col("status") == "dropped").sort(
            "tokens", descending=True
        )
        reasons = ", ".join(
            f"{reason} {documents:,} ({tokens:,} tokens)"
            for reason, documents, tokens in gone.select(
                "reason", "documents", "tokens"
            ).iter_rows()
        )
        rows.append(_ledger_row(step, part.filter(pl.col("status") == "kept"), reasons))
    return rows


def _ledger_row(step: str, kept: pl.DataFrame, reasons: str) -> dict[str, Any]:
    row = kept.row(0, named=True)
    return {
        "step": step,
        "documents kept": row["documents"],
        "characters kept": row["characters"],
        "tokens kept": row["tokens"],
        "left out, by reason": reasons,
    }


def pool_rows(manifest: dict[str, Any]) -> list[TableRow]:
    """One row a pool: how many documents it has and what they are for, where it comes from."""
    return [_pool_row(name, entry) for name, entry in manifest["pools"].items()]


def _pool_row(name: str, entry: dict[str, Any]) -> TableRow:
    roles, origin = entry["roles"], entry["origin"]
    if not isinstance(origin, str):
        origin = ", ".join(package.split(" ")[0] for package in origin)
    return {
        "pool": name,
        "documents": entry["documents"],
        "characters": entry["characters"],
        "to train on": roles["pool"]["documents"],
        "reference": roles["reference"]["documents"],
        "held out": roles["heldout"]["documents"],
        "content hash": entry["content_hash"],
        "from": origin,
        "licence": entry["licence"],
    }


@dataclass(frozen=True)
class CountedRuns:
    """What the page says of the runs table."""

    n_trunks: int
    n_rows: int
    n_sizes: int
    n_budgets: int
    n_draws: int
    device: str


def counted_runs(runs: pl.DataFrame) -> CountedRuns:
    """How many trunks, checkpointed budgets, sizes, budgets and resamples there are, and what trained them."""
    return CountedRuns(
        n_trunks=runs["trunk_id"].n_unique(),
        n_rows=runs["run_id"].n_unique(),
        n_sizes=runs["n_params"].n_unique(),
        n_budgets=runs["n_tokens_seen"].n_unique(),
        n_draws=runs["pool_draw"].n_unique(),
        device=", ".join(runs["device"].unique().sort()),
    )


def training_time(decision: Decision, runs: pl.DataFrame) -> str:
    """`About 0.02 core-hours at the speed of this sweep.`, of the run to make next; empty where there is none.

    At the seconds a FLOP of the sweep's runs of its size on the device that trained most of them, each by its largest
    budget. A record does not say it, as it is of the machine.
    """
    advised = decision.next_run if isinstance(decision, DecisionRecord) else None
    if advised is None:
        return ""
    timed = (
        runs.filter(n_params=round(advised.n_params))
        .sort("n_tokens_seen")
        .unique("trunk_id", keep="last")
        .group_by("device")
        .agg(pl.col("seconds").sum(), pl.col("flops").sum())
        .filter(pl.col("seconds") > 0)
        .sort("flops", "device")
    )
    if timed.is_empty():
        return ""
    device, seconds, flops = timed.row(-1)
    hours = advised.flops * seconds / flops / 3600
    unit = "GPU-hours" if device.startswith("cuda") else "core-hours"
    return f"About {hours:.2g} {unit} at the speed of this sweep."
