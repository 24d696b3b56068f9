"""Two plain tables of a swarm, joined: how each run was mixed, and what it reached.

Input: ratios (a column `run`, then one column a domain, in fractions or per cent) and metrics (`run`, then one
column a metric, lower is better), CSV or parquet. Output: arrays of the runs that stand in both. What is no such
table is an InputError in one line; what the runs cannot tell is a RefusedError.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.foundation.errors import InputError, RefusedError
from stages.laws.interface.table import note
from stages.laws.mixing.groups import Group
from stages.runs.table import as_words, numbers, without_diverged
from stages.runs.table_file import read_file

RUN = "run"
ROUNDING = 0.02  # assumed: shares rounded to two or three decimals add up this close
CONSTANT = 1e-6
NEVER_READ = ("name", "index", "seed", "diverged", "")  # ours: what trackers add
NAMED = 5  # of runs in a message


@dataclass(frozen=True)
class Swarm:
    """runs (n,); shares (n, domains), each row sums to 1; values (n, metrics); notes: coded warnings; groups: shares
    that keep a sum of their own, none where all are one whole.
    """

    runs: tuple[str, ...]
    domains: tuple[str, ...]
    metrics: tuple[str, ...]
    shares: np.ndarray
    values: np.ndarray
    notes: list[dict[str, str]]
    groups: tuple[Group, ...] = ()


def read_swarm(ratios: Path, metrics: Path) -> Swarm:
    """The runs of both tables. Raises InputError and RefusedError."""
    swarm = read_runs(ratios, metrics)
    refuse_thin(swarm)
    return swarm


def read_runs(ratios: Path, metrics: Path) -> Swarm:
    """The same, however few or alike they are. Raises InputError."""
    mixed, reached = _table(ratios), _table(metrics)
    both, notes = _matched(mixed, reached, (str(ratios), str(metrics)))
    domains = _columns(mixed, str(ratios), "domain", least=2)
    names = _columns(reached, str(metrics), "metric", least=1)
    found = numbers(mixed, domains, str(ratios))
    raw = np.stack([found[name] for name in domains], axis=1)
    shares, more = whole_shares(raw, str(ratios), domains, mixed[RUN].to_list())
    values = numbers(reached, names, str(metrics))
    places = [
        {run: row for row, run in enumerate(table[RUN])} for table in (mixed, reached)
    ]
    own = [places[0][run] for run in both]
    other = [places[1][run] for run in both]
    return Swarm(
        tuple(both),
        domains=tuple(domains),
        metrics=tuple(names),
        shares=shares[own],
        values=np.stack([values[name][other] for name in names], axis=1),
        notes=notes + more,
    )


def _table(path: Path) -> pl.DataFrame:
    """The table with its runs as words, each once."""
    table = read_file(path)
    table = table.rename({name: name.strip() for name in table.columns})
    if RUN not in table.columns:
        raise InputError(
            f"{path}: no column '{RUN}'; both tables name their runs in it (columns:"
            f" {', '.join(table.columns[:20])})"
        )
    table = without_diverged(table, str(path))
    if table.is_empty():
        raise InputError(f"{path}: no rows; expected one row a run")
    words = as_words(table[RUN], str(path)).str.strip_chars()
    words = words.str.replace(r"^(-?\d+)\.0$", "$1")
    for row, word in enumerate(words):
        if not word:
            raise InputError(f"{path}: row {row + 1}: no name in column '{RUN}'")
    twice = words.is_duplicated().arg_max()
    if twice is not None and words.is_duplicated()[twice]:
        rows = [str(i + 1) for i, word in enumerate(words) if word == words[twice]]
        raise InputError(
            f"{path}: run {words[twice]!r} stands in rows {', '.join(rows[:NAMED])};"
            " keep one row a run (two runs of one mixture have names of their own)"
        )
    return table.with_columns(words.alias(RUN))


def _matched(mixed, reached, names) -> tuple[list[str], list[dict[str, str]]]:
    """Runs of both tables in the order of the first, and a coded note on those that stand in one."""
    there = set(reached[RUN])
    both = [run for run in mixed[RUN] if run in there]
    if not both:
        raise InputError(
            f"{names[0]} and {names[1]} share no run: the first has"
            f" {mixed[RUN][0]!r}, the second {reached[RUN][0]!r}"
        )
    alone = [
        (name, [run for run in table[RUN] if run not in set(both)])
        for name, table in zip(names, (mixed, reached), strict=True)
    ]
    said = [
        f"{len(runs)} of {name} ({', '.join(runs[:NAMED])}{', ...' * (len(runs) > NAMED)})"
        for name, runs in alone
        if runs
    ]
    if not said:
        return both, []
    message = (
        f"{' and '.join(said)} have no partner in the other table and are left out"
    )
    return both, [note("unmatched_runs", "warning", f"runs: {message}")]


def _columns(table: pl.DataFrame, name: str, what: str, least: int) -> list[str]:
    found = [c for c in table.columns if c != RUN and c.lower() not in NEVER_READ]
    if len(found) < least:
        raise InputError(
            f"{name}: {len(found)} columns beside '{RUN}'; give one column a {what}, at"
            f" least {least}"
        )
    return found


def whole_shares(
    raw: np.ndarray, name: str, domains: list[str], runs: list[str]
) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Shares that add up to 1 exactly, from fractions or per cent (runs, domains), and what was done."""
    if (raw < 0).any():
        row, column = np.argwhere(raw < 0)[0]
        raise InputError(
            f"{name}: run {runs[row]!r}: share {raw[row, column]:g} of"
            f" {domains[column]!r} is negative; shares are parts of one whole"
        )
    total = raw.sum(axis=1)
    one, hundred = (np.abs(total / whole - 1) for whole in (1.0, 100.0))
    off = hundred if np.median(total) > 10 else one
    if off.max() > ROUNDING:
        row = int(off.argmax())
        kind = "100 (per cent)" if off is hundred else "1"
        raise InputError(
            f"{name}: run {runs[row]!r}: the {len(domains)} columns beside '{RUN}' add"
            f" up to {total[row]:.4g}, not {kind}; give the shares of one whole, and"
            " drop columns that are none"
        )
    notes = []
    if off.max() > 1e-6:
        notes = [
            note(
                "shares_scaled",
                "info",
                f"shares of a run add up to {total.min():.4g} .. {total.max():.4g}; each"
                " is divided by its sum",
            )
        ]
    return raw / total[:, None], notes


def refuse_thin(swarm: Swarm) -> None:
    """RefusedError where the runs cannot tell the domains apart."""
    n_runs, n_domains = swarm.shares.shape
    width = np.ptp(swarm.shares, axis=0)
    if width.min() < CONSTANT:
        at = int(width.argmin())
        raise RefusedError(
            f"the share of {swarm.domains[at]!r} is {swarm.shares[0, at]:.4g} in all"
            f" {n_runs} runs, which say nothing of it; train mixtures in which it differs,"
            " or take it out of the whole"
        )
    n_mixtures = len(np.unique(swarm.shares.round(6), axis=0))
    if n_mixtures < n_domains + 3:
        raise RefusedError(
            f"{n_mixtures} different mixtures of {n_domains} domains cannot tell what"
            f" each is worth; train at least {n_domains + 3}, better"
            f" {5 * n_domains}"
        )
    spread = np.linalg.svd(swarm.shares - swarm.shares.mean(axis=0), compute_uv=False)
    n_free = n_domains - max(1, len(swarm.groups))
    if spread[n_free - 1] < CONSTANT * spread[0]:
        raise RefusedError(
            f"the {n_domains} shares move together: mixtures span"
            f" {int((spread > CONSTANT * spread[0]).sum())} directions of"
            f" {n_free}; train mixtures in which each domain moves on its own"
        )
    flat = np.ptp(swarm.values, axis=0)
    if flat.min() == 0:
        at = int(flat.argmin())
        raise RefusedError(
            f"metric {swarm.metrics[at]!r} is {swarm.values[0, at]:.4g} in all runs,"
            " which say nothing of it; drop the column"
        )
