"""From the runs table to the swarm of a mixture question: how each run was mixed and what it reached."""

from typing import Any

import numpy as np
import polars as pl

from stages.foundation.errors import ParamsError
from stages.laws.mixing.blocks import block_effects
from stages.mixtures.swarm_tables import Swarm, refuse_thin
from stages.runs.study import best_regularised

LOSS = "loss_"
CELL = ("n_params", "n_tokens_seen")


def metric_weights(question: dict[str, Any], metrics: list[str]) -> dict[str, float]:
    """Metric -> weight, sum 1; of metrics that are vetoed alone 0. metrics: of the runs table.

    >>> question = {"weights": {"news": 3, "wiki": 1}, "veto": {"code": 0.1}}
    >>> metric_weights(question, ["loss_news", "loss_wiki", "loss_code"])
    {'loss_news': 0.75, 'loss_wiki': 0.25, 'loss_code': 0.0}
    """
    there = [name for name in sorted(metrics) if name.startswith(LOSS)]
    given = question["weights"] or {name.removeprefix(LOSS): 1.0 for name in there}
    total = sum(given.values())
    wanted = {LOSS + domain: weight / total for domain, weight in given.items()}
    wanted |= {LOSS + domain: 0.0 for domain in question["veto"] if domain not in given}
    if unknown := [name for name in wanted if name not in there]:
        raise ParamsError(
            f"arms.questions: no held-out domain {unknown[0].removeprefix(LOSS)!r}; there"
            f" are {', '.join(name.removeprefix(LOSS) for name in there)}"
        )
    return wanted


def swarm_rows(question: dict[str, Any], runs: pl.DataFrame) -> pl.DataFrame:
    """One row a run of the question's arms, at the setting of least weighted loss; its losses as columns.

    runs: the runs table. Columns are those of the runs table, `value` the weighted loss, and `loss_<domain>`.
    """
    weights = metric_weights(question, runs["metric"].unique().to_list())
    own = runs.filter(
        pl.col("arm").is_in(question["arms"]) & pl.col("metric").is_in(list(weights))
    )
    each = own.pivot("metric", index="run_id", values="value")
    total = pl.sum_horizontal(pl.col(name) * w for name, w in weights.items())
    first = own.unique("run_id", keep="first", maintain_order=True)
    rows = first.drop("value").join(
        each.with_columns(value=total), on="run_id", how="left"
    )
    names = [f"share_{pool}" for pool in question["over"]]
    return best_regularised(rows.with_columns(pl.col(names).fill_null(0.0)))


def rungs(rows: pl.DataFrame) -> list[tuple[int, int]]:
    """(n_params, n_tokens_seen) of the sizes and budgets that were trained, the smallest first."""
    return sorted(rows.select(CELL).unique().iter_rows())


def swarm_of(
    rows: pl.DataFrame, question: dict[str, Any], rung: tuple[int, int]
) -> Swarm:
    """The swarm at one size and budget; what all runs of a resample share is taken off their losses.

    Raises RefusedError where the runs cannot tell the pools apart.
    """
    n_params, n_tokens = rung
    own = rows.filter(n_params=n_params, n_tokens_seen=n_tokens)
    shares = own.select(f"share_{pool}" for pool in question["over"]).to_numpy()
    shares = shares / shares.sum(axis=1, keepdims=True)
    names = [name for name in rows.columns if name.startswith(LOSS)]
    values = own.select(names).to_numpy()
    draws = own["pool_draw"].to_numpy()
    effects = [block_effects(shares, column, draws) for column in values.T]
    swarm = Swarm(
        tuple(own["run_id"]),
        domains=tuple(question["over"]),
        metrics=tuple(names),
        shares=shares,
        values=values - np.stack(effects, axis=1),
        notes=[],
    )
    refuse_thin(swarm)
    return swarm


def passes_of(
    rows: pl.DataFrame, question: dict[str, Any], rung: tuple[int, int]
) -> dict[str, float]:
    """Pool -> passes of a proxy that would read it alone: tokens of the run over different tokens of its resample.

    A run that has not passed a pool once has not seen all of it: of several the most that one saw counts.
    """
    n_params, n_tokens = rung
    own = rows.filter(n_params=n_params, n_tokens_seen=n_tokens)
    return {
        pool: n_tokens / max(float(own[f"unique_{pool}"].max() or 1.0), 1.0)
        for pool in question["over"]
    }
