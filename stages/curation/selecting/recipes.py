"""What an arm offers a law: its unique tokens, and the unique tokens and share of training of each quality tier."""

from collections.abc import Sequence

import polars as pl


def recipes(
    views: pl.DataFrame, arms: Sequence[str], tiers: Sequence[str]
) -> dict[str, dict[str, float]]:
    """arm -> {n_tokens_unique, unique_<tier>, share_<tier>}, means over the draws.

    views: arm, draw, weight, tier (number), n_tokens. A tier that an arm does not use has share 0 and, since
    laws divide by it, one unique token.
    """
    used = views.with_columns(uses=pl.col("weight") * pl.col("n_tokens"))
    n_draws = views["draw"].n_unique()
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
    return made
