"""After a question about branches: longer branches, each from the trunk that the sweep has paid for."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from stages.proxy.specs.spec import RunSpec
from stages.runs.run_files import CARRIED_ON, finished
from stages.sweeping.branches import (
    phases,
    train_lost_again,
    trained_data,
    trunks_left,
    weights_file,
)
from stages.sweeping.views import Views
from stages.verification.chosen import Setting

if TYPE_CHECKING:
    from stages.proxy.training.data import ProxyData

log = logging.getLogger("assay")
Trunk = dict[str, Any]
Kin = dict[tuple[str, int, Setting], RunSpec]


def at_every_setting(
    parents: Mapping[tuple[str, int], RunSpec], runs: pl.DataFrame
) -> Kin:
    """(arm, draw, setting) -> the branch of that arm from the trunk of that setting; nothing of runs from the start.

    Every arm of a resample leaves the same trunk of a setting, also where the sweep did not try the setting on it.
    runs: rows of the runs table behind the parents, whose files are on disk.
    """
    if not any(spec.branch for spec in parents.values()):
        return {}
    left: dict[tuple[int, Setting], str] = {}
    for run in finished(sorted(runs["trunk_id"].unique())):
        spec = RunSpec.from_dict(run["result"]["spec"])
        if spec.branch is not None:
            setting = (spec.weight_decay, spec.dropout)
            left[spec.pool_draw, setting] = spec.branch.trunk
    found: Kin = {}
    for (arm, draw), spec in parents.items():
        if spec.branch is None:
            continue
        for (of_draw, setting), trunk in left.items():
            if of_draw == draw:
                found[arm, draw, setting] = replace(
                    spec,
                    branch=replace(spec.branch, trunk=trunk),
                    weight_decay=setting[0],
                    dropout=setting[1],
                )
    return found


def order_and_data(
    missing: Sequence[Trunk], data: Views
) -> tuple[list[list[Trunk]], "ProxyData"]:
    """What is trained, phase by phase, and what the trainer reads.

    A trunk of the sweep whose weights are on disk is not trained again; one whose weights are gone comes first.
    """
    left = swept_trunks(missing)
    lost = [each for each in left if not weights_file(each["trunk_id"]).is_file()]
    if lost:
        train_lost_again([*lost, *missing], CARRIED_ON)
        log.info(
            "verify: the weights of %d trunks are gone and are trained again", len(lost)
        )
    given = trained_data(data, [*left, *missing])
    return phases([*lost, *missing]), given


def swept_trunks(trunks: Iterable[Trunk]) -> list[Trunk]:
    """The trunks of the sweep that branches among these leave; a trunk of the user's is none of them."""
    found = []
    for run in finished(sorted(trunks_left(trunks))):
        header = {key: value for key, value in run.items() if key != "result"}
        found.append({**header, "spec": RunSpec.from_dict(run["result"]["spec"])})
    return found
