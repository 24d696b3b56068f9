"""A bootstrap as arrays and back: the fit stage writes it, the decision reads it, neither fits twice."""

import json
from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from . import table
from .bootstrap import Bootstrap
from .fit import Fit, build_problem
from .law import Law

PLAIN = ("params", "objective", "n_points", "starts", "runner_up", "rms_log", "condition_number", "at_bound", "identified", "warnings")


def to_arrays(boot: Bootstrap, prefix: str) -> dict[str, np.ndarray]:
    """Everything about a bootstrap but its law and rows, for `np.savez`."""
    fit = boot.fit
    plain = {name: getattr(fit, name) for name in PLAIN}
    facts = {
        "law": fit.law.name, "by_arm": fit.by_arm, "arm_column": fit.arm_column, "objective_name": fit.problem.objective,
        "delta": fit.problem.delta, "n_clusters": boot.n_clusters, "stretch": boot.stretch, "boot_warnings": boot.warnings, "fit": plain,
    }
    return {f"{prefix}theta": fit.theta, f"{prefix}frozen": fit.frozen, f"{prefix}draws": boot.theta, f"{prefix}facts": np.array(json.dumps(facts))}


def law_name(arrays: Mapping[str, np.ndarray], prefix: str) -> str:
    """The law that a stored bootstrap belongs to."""
    return json.loads(str(arrays[f"{prefix}facts"]))["law"]


def from_arrays(arrays: Mapping[str, np.ndarray], prefix: str, law: Law, rows: table.Rows) -> Bootstrap:
    """The bootstrap again, over the same rows that it was fitted to."""
    facts = json.loads(str(arrays[f"{prefix}facts"]))
    by_arm = tuple(facts["by_arm"])
    problem, _ = build_problem(law, rows, by_arm, facts["arm_column"], facts["objective_name"], facts["delta"], {})
    own = {"law": law, "arms": problem.layout.arms if by_arm else (), "by_arm": by_arm, "arm_column": facts["arm_column"],
           "theta": arrays[f"{prefix}theta"], "frozen": arrays[f"{prefix}frozen"], "problem": problem}
    fit = Fit(**{f.name: own.get(f.name, facts["fit"].get(f.name)) for f in fields(Fit)})
    return Bootstrap(fit, arrays[f"{prefix}draws"], facts["n_clusters"], facts["stretch"], facts["boot_warnings"])
