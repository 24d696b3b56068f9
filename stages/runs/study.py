"""From the runs table to what a law is fitted to: one value an arm, size, budget and draw.

Each arm stands at the best of its regularisations. The best for a draw is chosen on the other draws, so
that the choice does not flatter itself with the noise of the draw it is applied to.
"""

import numpy as np
import polars as pl

from stages.foundation.errors import InputError

CELL = ["arm", "n_params", "n_tokens_seen"]
SETTING = ["weight_decay", "dropout"]
# the n-th run that is added to a cell starts from weights and an order of its own: n times so many seeds further
ADDED_SEED = 10_000


def best_regularised(table: pl.DataFrame) -> pl.DataFrame:
    """One row a cell (arm, n_params, n_tokens_seen), pool_draw and seed, at the setting that is best on other draws.

    table: rows of one metric, several settings a cell. A setting that diverged in any draw of a cell is out.
    Raises InputError where nothing of an arm converged.
    """
    cells = table.group_by(*CELL, *SETTING).agg(
        total=pl.col("value").sum(),
        draws=pl.len(),
        diverged=(pl.col("diverged") | ~pl.col("value").is_finite()).any(),
    )
    sound = table.join(
        cells.filter(~pl.col("diverged")), on=[*CELL, *SETTING], how="inner"
    )
    if lost := sorted(set(table["arm"]) - set(sound["arm"])):
        raise InputError(f"every run of arm {lost[0]!r} diverged; lower sweep.lr")
    own = pl.col("value").sum().over(*CELL, *SETTING, "pool_draw")
    n_own = pl.len().over(*CELL, *SETTING, "pool_draw")
    others = (pl.col("total") - own) / (pl.col("draws") - n_own)
    judged = sound.with_columns(
        judged_by=pl.when(pl.col("draws") > n_own).then(others).otherwise("value")
    )
    run = ["pool_draw", *(name for name in ("seed",) if name in table.columns)]
    best = judged.sort("judged_by", *SETTING).unique(
        [*CELL, *run], keep="first", maintain_order=True
    )
    return best.drop(
        "total", "draws", "judged_by", "diverged_right", strict=False
    ).sort(*CELL, *run)


def heldout_resamples(
    losses: pl.DataFrame,
    n_tokens: np.ndarray,
    run_ids: list[str],
    *,
    draws: int,
    seed: int,
) -> np.ndarray:
    """Loss of each run under `draws` Bayesian re-weightings of the held-out documents, (draws, runs), nats a token.

    losses: run_id, loss_nats (list, documents), one metric; n_tokens: (documents,). The weights are shared by
    all runs, so differences between arms keep only the noise that the documents really give them.
    """
    by_run = losses.unique("run_id", keep="first")
    order = pl.DataFrame({"run_id": run_ids}).join(
        by_run, on="run_id", how="left", maintain_order="left"
    )
    matrix = np.array(order["loss_nats"].to_list())  # (runs, documents)
    weights = np.random.default_rng(seed).standard_exponential((draws, matrix.shape[1]))
    return (weights @ matrix.T) / (weights @ n_tokens)[:, None]


def law_rows(rows: pl.DataFrame) -> dict[str, np.ndarray]:
    """The columns that laws, clusters and arms are read from, as arrays (runs,)."""
    fractions = [
        name for name in rows.columns if name.startswith(("share_", "unique_"))
    ]
    names = [
        "n_params",
        "n_tokens_seen",
        "n_tokens_unique",
        "flops",
        "value",
        *fractions,
    ]
    numbers = {
        name: rows[name].cast(pl.Float64).fill_null(0).to_numpy() for name in names
    }
    numbers |= {
        name: np.maximum(numbers[name], 1.0)
        for name in fractions
        if name.startswith("unique_")
    }
    return numbers | {
        name: rows[name].cast(pl.String).to_numpy() for name in ("arm", "pool_draw")
    }


def regularisation_shares(best: pl.DataFrame) -> list[dict]:
    """Per arm the share of its cells in which each setting won."""
    named = best.with_columns(
        setting=pl.format("decay {}, dropout {}", "weight_decay", "dropout")
    )
    table = (
        named.group_by("arm", "setting")
        .len()
        .pivot("setting", index="arm", values="len")
        .fill_null(0)
        .sort("arm")
    )
    total = pl.sum_horizontal(pl.exclude("arm"))
    return table.select(
        "arm", *((pl.col(name) / total).round(3) for name in sorted(table.columns[1:]))
    ).to_dicts()
