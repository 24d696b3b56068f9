"""The best mixture read off a table of runs on many: what `assay mixture` computes.

Input: a table with share_<name> columns that add up to 1 and value, one size and length (of
`projektor` two sizes and the transport distance of each mixture). Output: how well mixtures that
were left out are predicted, the best mixture, and values of other mixtures, as plain JSON values. A
formula of mixture and size is `assay fit chinchilla_mix`. Cost: under 10 s for 512 mixtures (assumed).
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
from stages.laws.mixtures_and_tasks.smooth_mix import fit_surface
from stages.run_columns.named_law import SHARE, domains_of
from stages.run_columns.positive import positive_numbers
from stages.run_columns.thinned import thinned

Method = Literal["surface", "trees", "projektor"]
METHODS = get_args(Method)
FOLDS = 3  # assumed: two thirds are nearly all, and trees cost 5 s a fit
DISTANCE = "distance"
Fitter = Callable[[np.ndarray, np.ndarray], Any]
FITTERS: dict[str, Fitter] = {"surface": fit_surface, "trees": fit_trees}


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

    method: surface (smooth, from 4 mixtures), trees (from 40) or projektor (two sizes and a column
    `distance`; it names no best mixture, since the distance of a new one is not known). predict: rows
    with the same columns without value.
    """
    if method not in METHODS:
        raise InputError(f"--method {method}: there are {', '.join(METHODS)}")
    table, few = thinned(table, name)
    if method == "projektor":
        return _projected(table, name, predict)
    has_sizes = ["n_params"] if "n_params" in table.columns else []
    runs = Runs.of(table, name, ["value", *has_sizes])
    fitter, values = FITTERS[method], runs.columns["value"]
    fitted = fitter(runs.shares, values)
    prior = runs.shares.mean(axis=0)
    best = best_mixture(fitted.predict, prior)
    found: dict[str, Any] = {
        "method": method,
        "domains": list(runs.domains),
        "n_runs": int(values.size),
        "check": _check(runs, fitter),
        "best": dict(zip(runs.domains, map(float, best), strict=True)),
        "best_value": float(fitted.predict(best)[0]),
        "mean_value": float(fitted.predict(prior)[0]),
        "predictions": [],
        "warnings": few + _size_notes(runs) + _best_notes(best, runs),
    }
    if predict is not None:
        wanted = _same_domains(Runs.of(predict, name, []), runs)
        found["predictions"] = [float(v) for v in fitted.predict(wanted.shares)]
        found["warnings"] += _asked_notes(wanted, runs)
    return found


def _best_notes(best: np.ndarray, runs: Runs) -> list[dict[str, str]]:
    """A coded warning where the best mixture lies outside of those trained."""
    return mixture_notes(share_to_move(best, runs.shares), "the best mixture lies")


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


def _check(runs: Runs, fitter: Fitter) -> dict[str, float] | None:
    """Error and rank correlation over runs that were left out by turns; None where a fold is too small."""
    values = runs.columns["value"]
    fold = np.random.default_rng(0).permutation(values.size) % FOLDS
    predicted = np.empty(values.size)
    for left_out in range(FOLDS):
        held = fold == left_out
        try:
            fitted = fitter(runs.shares[~held], values[~held])
        except InputError:
            return None
        predicted[held] = fitted.predict(runs.shares[held])
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
        "best_value": None,
        "mean_value": None,
        "predictions": [float(v) for v in values],
        "warnings": _asked_notes(wanted, runs),
    }
