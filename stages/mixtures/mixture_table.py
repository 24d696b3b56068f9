"""The best mixture read off one table of runs on many: what `assay mixture` computes.

Input: a table with share_<name> columns that add up to 1 and value, one size and length (of
`projektor` two sizes and the transport distance of each mixture). Output: how well mixtures that
were left out are predicted, the best mixture, and values of other mixtures, as plain JSON values.
`surface` is the search of `assay mix` for the one metric `value`; `trees` are there to compare with.
A formula of mixture and size is `assay fit chinchilla_mix`. Cost: under 10 s for 512 mixtures (assumed).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from stages.foundation.errors import InputError
from stages.laws.deciding.hull import mixture_notes, share_to_move
from stages.laws.interface.table import note
from stages.laws.mixtures_and_tasks.boosted_mix import best_mixture, fit_trees
from stages.laws.mixtures_and_tasks.projektor import fit_mixture_score, project
from stages.mixtures.proposal import propose, share_intervals
from stages.mixtures.swarm_tables import Swarm, refuse_thin
from stages.mixtures.wishes import Wishes
from stages.run_columns.named_law import SHARE, domains_of
from stages.run_columns.positive import positive_numbers
from stages.run_columns.thinned import thinned

Method = Literal["surface", "trees", "projektor"]
METHODS = get_args(Method)
AT_EDGE = 0.98  # of the reach of the runs, as in proposal.py
FOLDS = 3  # assumed: two thirds are nearly all, and trees cost 5 s a fit
DISTANCE = "distance"


@dataclass(frozen=True)
class Runs:
    """The runs of a table. shares: (runs, domains); the others (runs,)."""

    domains: tuple[str, ...]
    shares: np.ndarray
    columns: dict[str, np.ndarray]

    @classmethod
    def of(cls, table: pl.DataFrame, name: str, others: list[str]) -> "Runs":
        """The share columns and some others."""
        shares = [c for c in table.columns if c.startswith(SHARE)]
        columns = positive_numbers(table, [*shares, *others], name)
        domains = domains_of(columns, name)
        held = np.stack([columns[SHARE + domain] for domain in domains], axis=1)
        return cls(domains, shares=held, columns=columns)


def mixture_table(
    table: pl.DataFrame,
    name: str,
    *,
    method: str = "surface",
    predict: pl.DataFrame | None = None,
) -> dict[str, Any]:
    """`domains`, `check` on mixtures left out, `best` mixture, `predictions` and coded `warnings`.

    method: surface (the laws of `assay mix`, which also give an `interval`; from three mixtures more than domains),
    trees (from 40) or projektor (two sizes and a column `distance`; it names no best mixture, since the distance of a
    new one is not known). predict: rows with the same columns without value.
    """
    if method not in METHODS:
        raise InputError(f"--method {method}: there are {', '.join(METHODS)}")
    table, few = thinned(table, name)
    if method == "projektor":
        return _projected(table, name, predict)
    has_sizes = ["n_params"] if "n_params" in table.columns else []
    runs = Runs.of(table, name, ["value", *has_sizes])
    answer = _by_trees(runs) if method == "trees" else _by_laws(runs)
    prior = runs.shares.mean(axis=0)
    found: dict[str, Any] = {
        "method": method,
        "domains": list(runs.domains),
        "n_runs": len(runs.shares),
        "check": answer.check,
        "best": dict(zip(runs.domains, map(float, answer.best), strict=True)),
        "interval": answer.interval,
        "best_value": float(answer.predict(answer.best[None])[0]),
        "mean_value": float(answer.predict(prior[None])[0]),
        "predictions": [],
        "warnings": few + _size_notes(runs) + _best_notes(answer, runs),
    }
    if predict is not None:
        wanted = _same_domains(Runs.of(predict, name, []), runs)
        found["predictions"] = [float(v) for v in answer.predict(wanted.shares)]
        found["warnings"] += _asked_notes(wanted, runs)
    return found


@dataclass(frozen=True)
class _Answer:
    """best (domains,); interval: domain -> [low, high], None by trees; predict: shares (points, domains) -> values."""

    best: np.ndarray
    interval: dict[str, list[float]] | None
    predict: Callable[[np.ndarray], np.ndarray]
    check: dict[str, float] | None
    reach: float = 0.0  # part of a mixture that may lie beyond the runs without a word


def _by_laws(runs: Runs) -> _Answer:
    """The search of `assay mix` for one metric."""
    values = runs.columns["value"]
    swarm = Swarm(
        tuple(map(str, range(len(values)))),
        domains=runs.domains,
        metrics=("value",),
        shares=runs.shares,
        values=values[:, None],
        notes=[],
    )
    refuse_thin(swarm)
    found = propose(swarm, Wishes())
    [metric] = found.metrics
    ends = zip(runs.domains, share_intervals(found), strict=True)
    return _Answer(
        found.share,
        interval=dict(ends),
        predict=metric.value,
        check=_errors(metric.held, values),
        reach=AT_EDGE * found.region.reach,
    )


def _by_trees(runs: Runs) -> _Answer:
    """Boosted trees and the best of many mixtures by them."""
    fitted = fit_trees(runs.shares, runs.columns["value"])
    best = best_mixture(fitted.predict, runs.shares.mean(axis=0))
    return _Answer(best, interval=None, predict=fitted.predict, check=_check(runs))


def _best_notes(answer: _Answer, runs: Runs) -> list[dict[str, str]]:
    """A coded warning where the best mixture lies outside of those trained, as far as laws may be asked or further."""
    beyond = share_to_move(answer.best, runs.shares)
    return mixture_notes(
        np.where(beyond < answer.reach, 0.0, beyond), "the best mixture lies"
    )


def _asked_notes(wanted: Runs, runs: Runs) -> list[dict[str, str]]:
    """A coded warning where a mixture of --predict lies outside of those trained."""
    beyond = share_to_move(wanted.shares, runs.shares)
    return mixture_notes(beyond, "mixtures of --predict lie")


def _same_domains(wanted: Runs, fitted: Runs) -> Runs:
    if set(wanted.domains) != set(fitted.domains):
        raise InputError(
            f"--predict has the domains {', '.join(wanted.domains)}, the runs have"
            f" {', '.join(fitted.domains)}; give the same share columns"
        )
    order = [wanted.domains.index(domain) for domain in fitted.domains]
    return Runs(fitted.domains, shares=wanted.shares[:, order], columns=wanted.columns)


def _check(runs: Runs) -> dict[str, float] | None:
    """Errors of trees over runs that were left out by turns; None where a fold is too small."""
    values = runs.columns["value"]
    fold = np.random.default_rng(0).permutation(values.size) % FOLDS
    predicted = np.empty(values.size)
    for left_out in range(FOLDS):
        held = fold == left_out
        try:
            fitted = fit_trees(runs.shares[~held], values[~held])
        except InputError:
            return None
        predicted[held] = fitted.predict(runs.shares[held])
    return _errors(predicted, values)


def _errors(predicted: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """Error and rank correlation of what was said of runs left out, (runs,)."""
    said, seen = (np.argsort(np.argsort(each)) for each in (predicted, values))
    return {
        "mape": float(np.mean(np.abs(predicted / values - 1))),
        "rank_correlation": float(np.corrcoef(said, seen)[0, 1]),
    }


def _size_notes(runs: Runs) -> list[dict[str, str]]:
    """A coded warning where sizes differ, which neither surface nor trees know."""
    if np.ptp(runs.columns.get("n_params", np.zeros(1))) == 0:
        return []
    return [
        note(
            "sizes_not_read",
            "warning",
            "runs differ in n_params, which counts as noise here; keep one size"
            " (--where), or fit chinchilla_mix",
        )
    ]


def _projected(
    table: pl.DataFrame, name: str, predict: pl.DataFrame | None
) -> dict[str, Any]:
    """Values at the sizes of `predict`, by a line in log size through scores fitted at two sizes."""
    if predict is None:
        raise InputError(
            "--method projektor says what mixtures are worth at another size: give"
            " them with --predict TABLE2 (share columns, distance, n_params)"
        )
    runs = Runs.of(table, name, ["value", "n_params", DISTANCE])
    sizes = np.unique(runs.columns["n_params"])
    if sizes.size != 2:
        raise InputError(
            f"{name}: {sizes.size} values of n_params; projektor goes through two sizes,"
            " choose them with --where"
        )
    scores = []
    for size in sizes:
        own = runs.columns["n_params"] == size
        scores.append(
            fit_mixture_score(
                runs.shares[own],
                runs.columns[DISTANCE][own],
                runs.columns["value"][own],
            )
        )
    wanted = _same_domains(Runs.of(predict, name, ["n_params", DISTANCE]), runs)
    at = [score.value(wanted.shares, wanted.columns[DISTANCE]) for score in scores]
    values = project(
        wanted.columns["n_params"],
        sizes[0],
        first=at[0],
        second_size=sizes[1],
        second=at[1],
    )
    return {
        "method": "projektor",
        "domains": list(runs.domains),
        "n_runs": len(table),
        "check": None,
        "best": None,
        "interval": None,
        "best_value": None,
        "mean_value": None,
        "predictions": [float(v) for v in values],
        "warnings": _asked_notes(wanted, runs),
    }
