"""Reading a runs table for a law: columns as float arrays, refused or warned about in one line.

Warnings are data: a dict with `code`, `severity` ('info' or 'warning') and `message`, never a Python warning.
"""

import re
from collections.abc import Mapping

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.interface.law import Law

Rows = Mapping[str, np.ndarray]


def note(code: str, severity: str, message: str) -> dict[str, str]:
    """One warning as data."""
    return {"code": code, "severity": severity, "message": message}


def example_runs() -> Rows:
    """96 made-up runs of two arms, to try the library on: 3 sizes, 4 budgets, 4 draws of the pool.

    `strict` starts lower (B 1600 against 2000) and ends higher (E 1.8 against 1.7 nats), with noise
    of .3 % by draw and .1 % by run; they cross at 4000^(1 / .36) = 1e10 tokens at every size.
    """
    strict, n_params, n_tokens, draw = (
        axis.ravel()
        for axis in np.meshgrid(
            [1.0, 0.0], [1e7, 1e8, 1e9], [1e9, 4e9, 1.6e10, 6.4e10], [0, 1, 2, 3]
        )
    )
    random = np.random.default_rng(0)
    noise = 0.003 * random.standard_normal(4)[draw.astype(int)]
    noise += 0.001 * random.standard_normal(draw.size)
    clean = (
        1.7
        + 0.1 * strict
        + 400 / n_params**0.34
        + (2000 - 400 * strict) / n_tokens**0.36
    )
    return {
        "arm": np.where(strict == 1, "strict", "loose"),
        "n_params": n_params,
        "n_tokens_seen": n_tokens,
        "pool_draw": draw.astype(int),
        "value": clean * np.exp(noise),
    }


def n_rows(rows: Rows) -> int:
    """Length of the longest column; scalars count as columns of one value."""
    if not rows:
        raise InputError(
            "the runs table has no column; give the law's variables and 'value'"
        )
    return max(np.size(column) for column in rows.values())


def _first_bad(column: np.ndarray, bad: np.ndarray) -> str:
    row = int(np.flatnonzero(bad)[0])
    return f"{column[row]:g} in row {row} ({int(bad.sum())} of {column.size} rows)"


def number_column(
    rows: Rows, name: str, n: int, *, zero_allowed: bool = False
) -> np.ndarray:
    """One column as floats, shape (n,): present, finite and positive (shares may be 0)."""
    if name not in rows:
        raise InputError(
            f"the runs table has no column '{name}'; it has: {', '.join(rows)}; map it"
            f" with {name}=<column>"
        )
    try:
        column = np.broadcast_to(np.asarray(rows[name], dtype=float), (n,))
    except (TypeError, ValueError) as problem:
        raise InputError(
            f"column '{name}' is not {n} numbers ({problem}); give one number a row"
        ) from None
    bad = ~np.isfinite(column)
    if bad.any():
        raise InputError(
            f"column '{name}' holds {_first_bad(column, bad)}; drop or repair those"
            " rows"
        )
    bad = column < 0 if zero_allowed else column <= 0
    if bad.any():
        raise InputError(
            f"column '{name}' must be positive, holds {_first_bad(column, bad)}; drop"
            " or repair those rows"
        )
    return column


def variables(law: Law, rows: Rows) -> dict[str, np.ndarray]:
    """The law's variables as float columns of equal length."""
    n = n_rows(
        {name: rows[name] for name in law.variable_names if name in rows} or rows
    )
    columns = {
        v.name: number_column(rows, v.name, n, zero_allowed=v.may_be_zero)
        for v in law.variables
    }
    by_part = any(name.startswith(("share_", "unique_")) for name in columns)
    if "n_tokens_unique" in columns and "n_tokens_seen" in rows and not by_part:
        columns["n_tokens_unique"] = np.broadcast_to(unique_tokens(rows), (n,))
    return columns


# a part of a pool by its place in a ranking, as the pipeline names quality tiers
TIER = re.compile(r"q\d{3}_\d{3}$")
WHOLE = 0.05  # assumed: shares of a table that are rounded add up to 1 within this


def unique_tokens(rows: Rows) -> np.ndarray:
    """Different tokens of each run, fewer where its parts are repeated unequally, (rows,).

    A run that draws half of its tokens from a fifth of its pool repeats that fifth more often than its pool.
    With share s_j of the tokens and U_j different ones of part j (columns share_j, unique_j), epochs are the mean
    of e_j = max(1, s_j D / U_j) weighted by tokens, in logs:  log epochs = sum_j s_j log e_j. Equal parts give
    D / U. Parts are either tiers or the other names, whichever repeats more unequally. Ours: of the power means of
    order 0, 1/2, 1 and 2 the geometric one placed the arms of three pools best at eight times the compute.

    >>> half = {"share_a": 0.5, "unique_a": 100.0, "share_b": 0.5, "unique_b": 400.0}
    >>> float(unique_tokens({"n_tokens_seen": 800.0, "n_tokens_unique": 500.0, **half}))
    400.0
    """
    seen = np.asarray(rows["n_tokens_seen"], float)
    unique = np.asarray(rows["n_tokens_unique"], float)
    parts = [
        name.removeprefix("share_")
        for name in rows
        if name.startswith("share_") and name.replace("share_", "unique_", 1) in rows
    ]
    tiers = [part for part in parts if TIER.match(part)]
    for group in (tiers, [part for part in parts if part not in tiers]):
        if group:
            unique = np.minimum(unique, _unique_of(rows, group, seen))
    return unique


def _unique_of(rows: Rows, parts: list[str], seen: np.ndarray) -> np.ndarray:
    """D over the epochs of these parts, (rows,); infinite where their shares are not a whole."""
    shares = [np.asarray(rows[f"share_{part}"], float) for part in parts]
    uniques = [np.asarray(rows[f"unique_{part}"], float) for part in parts]
    log_epochs = sum(
        share * np.log(np.maximum(1.0, share * seen / np.maximum(unique, 1.0)))
        for share, unique in zip(shares, uniques, strict=True)
    )
    total = sum(shares)
    whole = np.abs(total - 1.0) <= WHOLE
    return np.where(whole, seen / np.exp(log_epochs), np.inf)


def weights(given: np.ndarray | None, n: int) -> np.ndarray | None:
    """How much each run counts, (n,), scaled to mean 1; None where all count the same."""
    if given is None:
        return None
    column = number_column({"weights": given}, "weights", n)
    return column / column.mean()


def run_flops(rows: Rows) -> np.ndarray:
    """Budget of each row: the column flops, or 6 * n_params * n_tokens_seen (cited: Kaplan et al.
    2020), or n_tokens_seen where the table knows neither FLOPs nor model sizes.
    """
    if "flops" in rows:
        return number_column(rows, "flops", n_rows(rows))
    if "n_params" in rows and "n_tokens_seen" in rows:
        return (
            6.0
            * np.asarray(rows["n_params"], float)
            * np.asarray(rows["n_tokens_seen"], float)
        )
    if "n_tokens_seen" in rows and "n_params" not in rows:
        return number_column(rows, "n_tokens_seen", n_rows(rows))
    raise InputError(
        "the runs table needs a column 'flops', or 'n_params' and 'n_tokens_seen', to"
        " know which runs are the largest"
    )


def arm_names(rows: Rows, column: str, n: int) -> np.ndarray:
    """The arm of each row as text, shape (n,)."""
    if column not in rows:
        raise InputError(
            f"the runs table has no column '{column}' to tell the arms apart; it has:"
            f" {', '.join(rows)}"
        )
    names = np.asarray(rows[column]).astype(str)
    if names.shape != (n,):
        raise InputError(
            f"column '{column}' has {names.size} values for {n} runs; give one arm"
            " a run"
        )
    return names


def design_notes(law: Law, columns: Rows) -> list[dict[str, str]]:
    """What the design of the table can never tell, whatever the values. Refuses what cannot be fitted at all."""
    notes = []
    for name, what in (
        ("n_params", "model size"),
        ("n_tokens_seen", "token count"),
        ("flops", "compute budget"),
    ):
        if name not in columns:
            continue
        distinct = np.unique(np.round(np.log(columns[name]), 3)).size
        if distinct == 1:
            cure = (
                "use a law without n_params (half_life, power_floor)"
                if name == "n_params"
                else f"add runs at another {what}"
            )
            raise InputError(
                f"law '{law.name}' needs several values of {name}, all rows have"
                f" {columns[name][0]:g}; {cure}"
            )
        if distinct == 2:
            notes.append(
                note(
                    f"two_values_of_{name}",
                    "warning",
                    f"only two values of {name}: its exponent is told apart from the"
                    " floor by assumption alone",
                )
            )
    if "n_tokens_unique" in columns and "n_tokens_seen" in columns:
        if np.all(columns["n_tokens_seen"] <= columns["n_tokens_unique"] * 1.001):
            notes.append(
                note(
                    "no_repetition",
                    "warning",
                    "no run repeats its data: every parameter about repetition is a"
                    " guess",
                )
            )
    return notes
