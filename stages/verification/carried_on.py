"""Trunks of the sweep with larger budgets: every setting but budget and regularisation is the sweep's.

So a decision is judged on the runs that the same sweep would have made, had it gone on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from stages.foundation.errors import InputError
from stages.foundation.files import content_hash
from stages.proxy.specs.spec import RunSpec
from stages.proxy.tokens.view import View
from stages.runs.run_files import (
    CARRIED_ON,
    SWEPT,
    finished,
    is_finished,
    rows_of,
    sound,
    trunk_files,
)
from stages.runs.schema import ORDER, columns_of, table_of
from stages.runs.study import ADDED_SEED
from stages.runs.trainer_version import code_hash
from stages.sweeping.trunks import trunk_of
from stages.sweeping.views import Views
from stages.verification.chosen import Setting

Trunk = dict[str, Any]
LENGTH = ("budgets_tokens", "unique_tokens")
# what may differ between a trunk and the one that it carries on
FREE = (*LENGTH, "weight_decay", "dropout")


def parents_of(runs: pl.DataFrame) -> dict[tuple[str, int], RunSpec]:
    """(arm, draw) -> the spec that the sweep trained, of several budgets apart the one with the largest.

    runs: rows of the runs table at one size, whose files are on disk.
    """
    found: dict[tuple[str, int], RunSpec] = {}
    for run in finished(sorted(runs["trunk_id"].unique())):
        spec = RunSpec.from_dict(run["result"]["spec"])
        if spec.seed >= ADDED_SEED:
            continue  # arms of one resample are carried on from one seed
        key = (run["arm"], spec.pool_draw)
        if key not in found or spec.budgets_tokens[-1] > found[key].budgets_tokens[-1]:
            found[key] = spec
    return found


def carried_specs(
    parent: RunSpec, budgets: Sequence[int], setting: Setting, view: View
) -> list[RunSpec]:
    """The parent with these budgets and this setting; a run a budget where the arm is read in stages, and with
    simulated epoching, on as much more of the arm as it trains longer. view: the whole arm; InputError where it is
    too small for that.
    """
    decay, dropout = setting
    longer = replace(parent, weight_decay=decay, dropout=dropout)
    if parent.unique_tokens is None:
        together = [budgets] if view.stages is None else [[each] for each in budgets]
        return [replace(longer, budgets_tokens=tuple(each)) for each in together]
    specs = []
    for budget in budgets:
        times = budget / parent.budgets_tokens[-1]
        needed = round(parent.unique_tokens * times)
        if needed > view.n_tokens:
            raise InputError(
                f"verify: {parent.arm} at {budget} tokens needs {needed} different"
                f" tokens to repeat as often as the target run, it has {view.n_tokens};"
                " lower verify.times"
            )
        specs.append(replace(longer, budgets_tokens=(budget,), unique_tokens=needed))
    return specs


def trunks_of(specs: Iterable[RunSpec], data: Views) -> list[Trunk]:
    """Each spec as a trunk of its arm, largest first."""
    code = code_hash()
    trunks = []
    for spec in specs:
        arm = spec.arm.rsplit("/", 1)[0]
        control = data.arms["controls"].get(arm)
        kind = control["kind"] if control else ""
        trunks.append(trunk_of(spec, arm, control=kind, data=data, code=code))
    return sorted(trunks, key=lambda trunk: -trunk["spec"].budgets_tokens[-1])


def is_trained(trunk: Trunk) -> bool:
    """Whether the trunk is on disk, carried on or, in an earlier sweep, trained as it is."""
    return is_finished(trunk, CARRIED_ON) or is_finished(trunk)


def kin(spec: Mapping[str, Any], free: Sequence[str] = FREE) -> str:
    """Hash of all of a spec that a trunk shares with the one that it carries on."""
    return content_hash({key: spec[key] for key in spec if key not in free})


def untrained(
    specs: Iterable[RunSpec], runs: Sequence[dict[str, Any]]
) -> list[RunSpec]:
    """The specs without the budgets that one of these runs has reached at the same setting."""
    reached: dict[str, set[int]] = {}
    for run in runs:
        done = run["result"]["spec"]
        key = kin(done, LENGTH)
        reached.setdefault(key, set()).update(done["budgets_tokens"])
    left = []
    for spec in specs:
        done = reached.get(kin(spec.to_dict(), LENGTH), set())
        budgets = tuple(each for each in spec.budgets_tokens if each not in done)
        if budgets:
            left.append(replace(spec, budgets_tokens=budgets))
    return left


def trained_after(
    parents: Mapping[Any, RunSpec], planned: Sequence[Trunk], data: Views
) -> list[dict[str, Any]]:
    """Every run on disk that carries on one of these trunks on the same data with the same trainer: those that
    are planned, and those of earlier calls that asked for other budgets. parents: by names that do not matter.
    """
    code = code_hash()
    wanted = {
        (
            kin(spec.to_dict()),
            data.data_hash(spec.arm, spec.decay_arm, spec.loss),
            code,
        )
        for spec in parents.values()
    }
    runs = sound(trunk_files(CARRIED_ON), CARRIED_ON)
    carried = [
        run
        for run in runs
        if (kin(run["result"]["spec"]), run["data_hash"], run["code_hash"]) in wanted
    ]
    known = {run["trunk_id"] for run in carried}
    in_sweep = [t["trunk_id"] for t in planned if t["trunk_id"] not in known]
    return carried + finished(in_sweep, SWEPT)


def table_after(runs: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """The runs table of these runs, which may be none."""
    rows = [row for run in runs for row in rows_of(run)]
    if not rows:
        return pl.DataFrame(schema=columns_of("text")).sort(ORDER)
    return table_of("text", rows)


def best_settings(table: pl.DataFrame, metric: str, above: float) -> pl.DataFrame:
    """One row an arm, budget and resample above this compute: the best of the settings that were trained.

    The best of two runs flatters by less than their noise, which is about 0.5 % of the loss. A run that diverged
    does not count. above: FLOPs.
    """
    sound = table.filter(
        (pl.col("metric") == metric)
        & (pl.col("flops") > above)
        & ~pl.col("diverged")
        & pl.col("value").is_finite()
    )
    return (
        sound.sort("value", "run_id")
        .unique(
            ["arm", "n_tokens_seen", "pool_draw"], keep="first", maintain_order=True
        )
        .sort("n_tokens_seen", "arm", "pool_draw")
    )
