"""Score of a task at a larger budget, from a table of items: what `assay items` computes.

Question: what will the mean pass rate be, where items become easy at different compute? Input: a table with item, flops
and value (a pass rate, or 0 and 1; `tries` behind it), a row an item and run. Output: the clusters of items, the law of
each that rises, the score at other budgets, and how the same fared at the largest budgets when these were left out,
beside one law of all items. Clusters that do not rise foretell nothing, as in Xu et al. 2025, arXiv 2502.17262; theirs
carry the others' score to all items by larger models, here such items stay as they are. Cost: 1.2 s for 150
items of 9 budgets (measured).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap, equal_tailed
from stages.laws.fitting.fit import fit_law
from stages.laws.theory.item_clusters import ItemClusters, item_clusters
from stages.runs.table import as_words, numbers

LAW = "subset_score"
LEAST_BUDGETS = 5  # the law has four parameters
LEAST_RISE = 2.0  # ours: standard errors by which the last third of the budgets lies above the first
LEVEL = 0.9
STARTS = 64


@dataclass(frozen=True)
class Asked:
    """Passes and tries (items, budgets); flops (budgets,), rising; items: their names."""

    items: list[str]
    flops: np.ndarray
    passes: np.ndarray
    tries: np.ndarray

    def below(self, n_held: int) -> "Asked":
        """Without the largest budgets, and without items that were asked at these alone."""
        passes, tries = self.passes[:, :-n_held], self.tries[:, :-n_held]
        kept = np.flatnonzero(tries.sum(axis=1) > 0)
        return Asked(
            [self.items[at] for at in kept],
            self.flops[:-n_held],
            passes[kept],
            tries[kept],
        )

    def score(self, own: np.ndarray | None = None) -> np.ndarray:
        """Mean pass rate over items (budgets,), all or those of `own` (items,); each item counts once."""
        chosen = slice(None) if own is None else own
        rates = self.passes[chosen] / np.maximum(self.tries[chosen], 1e-12)
        asked = self.tries[chosen] > 0
        return np.where(asked, rates, 0.0).sum(axis=0) / np.maximum(
            asked.sum(axis=0), 1
        )


def items_table(
    table: pl.DataFrame,
    name: str,
    *,
    at: Sequence[float] = (),
    n_clusters: int | None = None,
    n_held: int = 1,
    n_draws: int = 200,
) -> dict[str, Any]:
    """`clusters`, the score `at` budgets with intervals of 90 %, and `held_out`, the largest budgets from those below.

    Raises InputError where the table has under five budgets, or a value is no pass rate.
    """
    asked = asked_of(table, name)
    found = item_clusters(asked.passes, asked.tries, n_clusters=n_clusters)
    curves = [
        Curve.of(asked, found.labels == k, n_draws) for k in range(found.n_clusters)
    ]
    made: dict[str, Any] = {
        "n_items": len(asked.items),
        "bic": {str(k): value for k, value in found.bic.items()},
        "clusters": [curve.as_json(asked) for curve in curves],
        "items": dict(zip(asked.items, found.labels.tolist(), strict=True)),
        "at": foretold(asked, curves, at),
        "held_out": [],
        "warnings": _warnings(curves),
    }
    if len(asked.flops) - n_held >= LEAST_BUDGETS and n_held:
        made["held_out"] = held_out(asked, n_clusters, n_held)
    return made


def asked_of(table: pl.DataFrame, name: str) -> Asked:
    """The table as counts; runs of one budget are added up."""
    if "item" not in table.columns:
        raise InputError(
            f"{name}: no column 'item'; map the one that names items with --map"
            " item=COLUMN"
        )
    wanted = ["flops", "value", *(["tries"] if "tries" in table.columns else [])]
    columns = numbers(table, wanted, name)
    tries = columns.get("tries", np.ones(len(table)))
    for column, wrong, must in (
        ("value", (columns["value"] < 0) | (columns["value"] > 1), "lie in 0 to 1"),
        ("flops", columns["flops"] <= 0, "be above 0"),
        ("tries", tries <= 0, "be above 0"),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            seen = columns[column][row]
            raise InputError(
                f"{name}: column {column!r}, row {row + 1}: {seen:g} must {must}; mend"
                " it, or leave it out with --where"
            )
    items, row_of = np.unique(
        as_words(table["item"], name).to_numpy(), return_inverse=True
    )
    flops, column_of = np.unique(columns["flops"], return_inverse=True)
    if len(flops) < LEAST_BUDGETS:
        raise InputError(
            f"{name}: {len(flops)} budgets (different flops); a law needs at least"
            f" {LEAST_BUDGETS}"
        )
    counts = np.zeros((2, len(items), len(flops)))
    np.add.at(counts[0], (row_of, column_of), columns["value"] * tries)
    np.add.at(counts[1], (row_of, column_of), tries)
    return Asked([str(item) for item in items], flops, counts[0], counts[1])


@dataclass(frozen=True)
class Curve:
    """One cluster: its items (items,), and its law with refits; None where it does not rise."""

    own: np.ndarray
    boot: Any = None

    @classmethod
    def of(cls, asked: Asked, own: np.ndarray, n_draws: int) -> "Curve":
        """The law of the items `own` (items,), refitted with items drawn anew."""
        if not rises(asked.passes[own], asked.tries[own]):
            return cls(own)
        rows = {"flops": asked.flops, "value": _inside(asked.score(own))}
        fit = fit_law(
            get_law(LAW),
            rows,
            objective="least_squares",
            n_starts=STARTS,
            identify=False,
        )
        places, rng = np.flatnonzero(own), np.random.default_rng(0)
        drawn = [
            _inside(asked.score(rng.choice(places, places.size)))
            for _ in range(n_draws)
        ]
        return cls(own, bootstrap(fit, rows, n_draws=n_draws, values=np.stack(drawn)))

    @property
    def n_items(self) -> int:
        return int(self.own.sum())

    def as_json(self, asked: Asked) -> dict[str, Any]:
        score = asked.score(self.own)
        params = None if self.boot is None else dict(self.boot.fit.params)
        return {
            "items": self.n_items,
            "first": float(score[0]),
            "last": float(score[-1]),
            "foretold": self.boot is not None,
            "params": params,
        }


def rises(passes: np.ndarray, tries: np.ndarray) -> bool:
    """Whether the last third of the budgets lies surely above the first. passes, tries (items, budgets)."""
    third = max(1, passes.shape[1] // 3)
    parts = [
        (passes[:, part].sum() + 0.5, tries[:, part].sum() + 1.0)
        for part in (slice(None, third), slice(-third, None))
    ]
    rates = [won / n for won, n in parts]
    error = sum(
        rate * (1 - rate) / n for rate, (_, n) in zip(rates, parts, strict=True)
    )
    return bool(rates[1] - rates[0] > LEAST_RISE * np.sqrt(error))


def _inside(score: np.ndarray) -> np.ndarray:
    """Scores as a law in logs reads them, which knows no 0."""
    return np.maximum(score, 1e-4)


def foretold(
    asked: Asked, curves: Sequence[Curve], at: Sequence[float]
) -> list[dict[str, float]]:
    """Score of all items at each budget with its interval; nothing where no cluster rises."""
    rising = [curve for curve in curves if curve.boot is not None]
    if not rising or not len(at):
        return []
    rows = {"flops": np.asarray(at, float)}
    weights = np.array([curve.n_items for curve in rising], float)
    weights /= weights.sum()
    subset = sum(w * c.boot.central(rows) for w, c in zip(weights, rising, strict=True))
    draws = sum(w * c.boot.predict(rows) for w, c in zip(weights, rising, strict=True))
    own = np.any([curve.own for curve in rising], axis=0)
    share, still = own.mean(), asked.score(~own).mean() if not own.all() else 0.0
    whole, spread = (
        share * np.minimum(each, 1.0) + (1 - share) * still for each in (subset, draws)
    )
    low, high = equal_tailed(spread, LEVEL)
    return [
        {"flops": float(f), "value": float(v), "low": float(a), "high": float(b)}
        for f, v, a, b in zip(rows["flops"], whole, low, high, strict=True)
    ]


def held_out(
    asked: Asked, n_clusters: int | None, n_held: int
) -> list[dict[str, float | None]]:
    """The largest budgets as measured, and as foretold from those below by clusters and by one law of all items."""
    below = asked.below(n_held)
    found: ItemClusters = item_clusters(
        below.passes, below.tries, n_clusters=n_clusters
    )
    masks = [found.labels == k for k in range(found.n_clusters)]
    at = asked.flops[-n_held:].tolist()
    by_clusters = foretold(below, [Curve.of(below, own, 50) for own in masks], at)
    every = np.ones(len(below.items), bool)
    by_one = foretold(below, [Curve.of(below, every, 50)], at)
    measured = asked.score()[-n_held:]
    return [
        {
            "flops": float(flops),
            "measured": float(score),
            "clusters": by_clusters[i]["value"] if by_clusters else None,
            "one_law": by_one[i]["value"] if by_one else None,
        }
        for i, (flops, score) in enumerate(zip(at, measured, strict=True))
    ]


def _warnings(curves: Sequence[Curve]) -> list[dict[str, str]]:
    flat = [curve for curve in curves if curve.boot is None]
    if not flat:
        return []
    n_items = sum(curve.n_items for curve in flat)
    every = len(flat) == len(curves)
    said = (
        "no cluster of items rises with compute, so nothing is foretold"
        if every
        else f"{n_items} items do not rise with compute yet and are held at what they are;"
        " the score is higher where they begin to"
    )
    return [{"code": "flat_items", "severity": "warning", "message": said}]
