"""What an arm offers a law: its unique tokens, and the unique tokens and share of training of each quality tier."""

from collections.abc import Collection, Mapping, Sequence

import polars as pl


def recipes(
    views: pl.DataFrame,
    arms: Sequence[str],
    tiers: Sequence[str],
    *,
    times: Mapping[str, float] | None = None,
    fixed: Collection[str] = (),
    generated: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, dict[str, float]]:
    """arm -> {n_tokens_unique, unique_<tier>, share_<tier>}, means over the draws.

    views: arm, draw, weight, tier (number), n_tokens. A tier that an arm does not use has share 0 and, since
    laws divide by it, one unique token. times: pool -> how many times as large it is as in the views, for what the arms
    would offer there; fixed: arms whose shares of training are settings, and stay. generated: arm -> pool -> FLOPs
    of generating all that the arm chooses from; such arms have generation_flops_<part> and generation_tokens_<part> too
    (laws/deciding/generation.py).
    """
    n_draws = views["draw"].n_unique()
    views = views.filter(pl.col("arm").is_in(list(arms)))
    used = views.with_columns(uses=pl.col("weight") * pl.col("n_tokens"))
    if times is not None:
        factor = pl.col("pool").replace_strict(dict(times), return_dtype=pl.Float64)
        free = ~pl.col("arm").is_in(list(fixed))
        used = used.with_columns(
            n_tokens=pl.col("n_tokens") * factor,
            uses=pl.when(free).then(pl.col("uses") * factor).otherwise("uses"),
        )
    sums = used.group_by("arm", "tier").agg(pl.col("n_tokens", "uses").sum() / n_draws)
    made = {}
    for arm in arms:
        part = {row["tier"]: row for row in sums.filter(arm=arm).iter_rows(named=True)}
        total = sum(row["uses"] for row in part.values())
        columns = {"n_tokens_unique": sum(row["n_tokens"] for row in part.values())}
        for number, tier in enumerate(tiers):
            columns[f"unique_{tier}"] = (
                part[number]["n_tokens"] if number in part else 1.0
            )
            columns[f"share_{tier}"] = (
                part[number]["uses"] / total if number in part else 0.0
            )
        made[arm] = columns
        if generated:
            own = used.filter(arm=arm)
            made[arm] |= _generation(own, generated.get(arm, {}), n_draws=n_draws)
    return made


def _generation(
    own: pl.DataFrame, generated: Mapping[str, float], *, n_draws: int
) -> dict[str, float]:
    """The generated parts of one arm, one a pool and tier. own: pool, tier, n_tokens and uses of its documents."""
    total = float(own["uses"].sum()) / n_draws
    parts = own.group_by("pool", "tier").agg(pl.col("n_tokens", "uses").sum() / n_draws)
    parts = parts.with_columns(kept=pl.col("n_tokens").sum().over("pool"))
    made = {}
    for row in parts.sort("pool", "tier").iter_rows(named=True):
        if row["pool"] not in generated or not row["uses"]:
            continue
        part = f"{row['pool']}_{row['tier']}"
        whole = generated[row["pool"]]
        made[f"generation_flops_{part}"] = whole * row["n_tokens"] / row["kept"]
        made[f"generation_tokens_{part}"] = row["n_tokens"] * total / row["uses"]
    return made
