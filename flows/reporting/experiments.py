"""`assay experiments`: DVC's experiments in columns that fit a terminal; `dvc exp show` has one for every file.

A row an experiment: the parameters that are not the same in all rows, by stage, and such metrics, rounded.
"""

from collections.abc import Iterable
from typing import Any

from dvc.exceptions import DvcException

from flows.commands.show import text
from stages.foundation.errors import InputError
from stages.pipeline import PIPELINE

WORKSPACE = "workspace"
ABOUT = {"Experiment", "rev", "typ", "Created", "parent", "State", "Executor"}
STAGES = tuple(f"{stage.name}." for stage in PIPELINE)


def experiment_rows() -> list[dict[str, str]]:
    """experiment, params, metrics; the workspace first. Raises InputError where DVC has no git to keep them in."""
    import dvc.api

    try:
        found = dvc.api.exp_show()
    except (DvcException, ValueError) as error:
        raise InputError(
            f"DVC: {error}; experiments need a git repository with a commit"
        ) from None
    return rows_of(found)


def rows_of(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The same for what `dvc.api.exp_show` gives: flat rows, of which the first is the workspace."""
    if not found:
        return []
    named = {WORKSPACE: found[0]}
    named |= {row["Experiment"]: row for row in found if row.get("Experiment")}
    keys = list(dict.fromkeys(key for row in named.values() for key in row))
    varied = [
        key
        for key in keys
        if key not in ABOUT and len({text(row.get(key)) for row in named.values()}) > 1
    ]
    params = [key for key in varied if key.startswith(STAGES)]
    # what is left of these are files
    metrics = [key for key in varied if key not in params and "/" not in key]
    return [
        {
            "experiment": name,
            "params": _by_stage(row, params),
            "metrics": ", ".join(f"{key}={text(row.get(key))}" for key in metrics),
        }
        for name, row in named.items()
    ]


def _by_stage(row: dict[str, Any], keys: Iterable[str]) -> str:
    """`decide: level=0.8, decide_at=0.9; sweep: lr=0.01`."""
    stages: dict[str, list[str]] = {}
    for key in keys:
        stage, _, name = key.partition(".")
        stages.setdefault(stage, []).append(f"{name}={text(row.get(key))}")
    return "; ".join(f"{stage}: {', '.join(each)}" for stage, each in stages.items())
