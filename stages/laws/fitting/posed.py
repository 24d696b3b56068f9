"""A law and a table as a checked problem, and where its fits begin: what variants of the law share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.fitting.solver import OBJECTIVES, Problem
from stages.laws.fitting.starts import coarse_ends, draw_starts, noise_delta
from stages.laws.interface import table
from stages.laws.interface.cost import SIX, Cost
from stages.laws.interface.law import Law
from stages.laws.interface.layout import Layout


@dataclass(frozen=True)
class Start:
    """Where fits of a law to a table begin: the coarse ends of all starts, best first, (ends, slots).

    Variants of a law (priors, weights) share it, so that the starts are paid for once.
    """

    problem: Problem
    coarse: np.ndarray
    frozen: np.ndarray
    n_starts: int
    n_usable: int
    notes: list[dict[str, str]]
    cost: Cost = SIX


def start_law(
    law: Law,
    rows: table.Rows,
    *,
    by_arm: Sequence[str] = (),
    arm_column: str = "arm",
    objective: str = "huber_log",
    delta: float | None = 1e-3,
    n_starts: int = 256,
    seed: int = 0,
    fixed: Mapping[str, float] | None = None,
) -> Start:
    """The checked problem and the coarse ends of its starts; arguments as in fit_law."""
    problem, notes = _posed(
        law,
        rows,
        by_arm=tuple(by_arm),
        arm_column=arm_column,
        objective=objective,
        delta=1e-3 if delta is None else delta,
        fixed=fixed or {},
    )
    frozen = np.array(
        [name in (fixed or {}) for name, _ in problem.layout.slot_names()]
    )
    if problem.observed.size < (~frozen).sum():
        raise InputError(
            f"law '{law.name}' has {int((~frozen).sum())} unknowns here but the table"
            f" has {problem.observed.size} usable runs; add runs, share more parameters"
            " over arms or take a smaller law"
        )
    _check_arms(problem)
    starts = draw_starts(problem, n_starts, seed=seed, fixed=fixed or {})
    coarse, n_usable = coarse_ends(problem, starts, frozen)
    if delta is None:
        problem = problem.with_objective(objective, noise_delta(problem, coarse[0]))
    return Start(
        problem,
        coarse=coarse,
        frozen=frozen,
        n_starts=len(starts),
        n_usable=n_usable,
        notes=notes,
        cost=Cost.of(rows),
    )


def _posed(law, rows, by_arm, arm_column, objective, delta, fixed):
    """The checked data side of the fit and the warnings about the design."""
    if objective not in OBJECTIVES:
        raise InputError(
            f"no objective is called '{objective}'; there are: {', '.join(OBJECTIVES)}"
        )
    for purpose, names in (("fix", fixed), ("separate by arm", by_arm)):
        unknown = [name for name in names if name not in law.parameter_names]
        if unknown:
            raise InputError(
                f"law '{law.name}' has no parameter '{unknown[0]}' to {purpose}; it"
                f" has: {', '.join(law.parameter_names)}"
            )
    n = table.n_rows(
        {k: v for k, v in rows.items() if k in (*law.variable_names, "value")}
    )
    observed = table.number_column(rows, "value", n)
    columns = {
        name: np.broadcast_to(column, (n,))
        for name, column in table.variables(law, rows).items()
    }
    notes = table.design_notes(law, columns)
    arms: tuple[str, ...] = ()
    index = np.zeros(n, int)
    if by_arm:
        names, index = np.unique(
            table.arm_names(rows, arm_column, n), return_inverse=True
        )
        arms = tuple(str(arm) for arm in names)
    layout = Layout.of(
        law, columns, float(np.median(observed)), arms, by_arm, tuple(fixed)
    )
    return Problem(
        layout,
        columns=columns,
        arm_index=index,
        observed=observed,
        objective=objective,
        delta=delta,
    ), notes


def _check_arms(problem: Problem) -> None:
    """Each arm must have at least as many runs as parameters of its own."""
    runs = np.bincount(problem.arm_index, minlength=len(problem.layout.arms))
    short = int(runs.argmin())
    if runs[short] < len(problem.layout.by_arm):
        raise InputError(
            f"arm '{problem.layout.arms[short]}' has {runs[short]} runs for"
            f" {len(problem.layout.by_arm)} parameters of its own"
            f" ({', '.join(problem.layout.by_arm)}); add runs or share more parameters"
            " over arms"
        )
