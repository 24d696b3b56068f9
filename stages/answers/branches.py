"""What is asked of a question whose arms leave a shared trunk, and what its record says of that trunk.

Budgets are those of the branches, FLOPs of their own tokens alone; the trunk is paid once and counted apart.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from stages.decision.at_budgets import Flip
from stages.decision.question_laws import twins
from stages.decision.record import TokenFlip, TrunkRecord
from stages.foundation import artefacts
from stages.presentation.numbers import flops_text
from stages.settings.decide import DecideParams
from stages.target.target import PER_PARAM_TOKEN


def asked_of_branches(
    name: str, question: Mapping[str, Any], params: DecideParams
) -> DecideParams:
    """The settings of decide for one question: as they are, or for branches at their own tokens and largest size.

    The section `target` speaks of whole runs, so branches are not held to it.
    """
    branch = question.get("branch")
    if not branch:
        return params
    rows = pl.read_parquet(artefacts.fitted_rows(name), columns=["n_params"])
    n_params = int(rows["n_params"].max())
    tokens = branch["target_tokens"] or branch["tokens"]
    return params.model_copy(
        update={
            "target": None,
            "n_params": None,
            "target_flops": [PER_PARAM_TOKEN * n_params * each for each in tokens],
            "baseline": branch["control"],
        }
    )


def with_control(labels: dict[str, str], question: Mapping[str, Any]) -> dict[str, str]:
    """The labels with that of the control of a question about branches."""
    branch = question.get("branch")
    if not branch:
        return labels
    control = branch["control"]
    return labels | {control: f"{labels[control]}, as the trunk (100 % replay)"}


def trunk_record(
    name: str, arms: Mapping[str, Any], flips: Sequence[Flip], n_params: int
) -> TrunkRecord | None:
    """What the record says of the trunk; None for a question between whole runs.

    arms: data/arms/arms.json; flips: at n_params.
    """
    question = arms["questions"][name]
    branch = question.get("branch")
    if not branch:
        return None
    trunk_runs, trunk_flops = _paid(
        [branch["trunk_arm"]] if "trunk_arm" in branch else []
    )
    pairs = twins(dict(arms), question["arms"])
    branch_runs, branch_flops = _paid([*question["arms"], *pairs])
    n_tokens = branch["at_tokens"] or None
    own = branch["checkpoint"] is None
    origin = "trained here" if own else branch["checkpoint"]
    length = f"{n_tokens:,} tokens" if n_tokens else "unknown length"
    once = (
        f"{trunk_runs} trunks, trained once, cost {flops_text(trunk_flops)} FLOPs; "
        if own
        else f"it is {origin} and costs nothing here; "
    )
    return TrunkRecord(
        n_tokens=n_tokens,
        origin=origin,
        base=branch["base"],
        control=branch["control"],
        replay=branch["replay"],
        loss=branch["loss"],
        n_trunks=trunk_runs,
        trunk_flops=trunk_flops,
        n_branches=branch_runs,
        branch_flops=branch_flops,
        flips=[_in_tokens(flip, n_params) for flip in flips],
        text=(
            f"Arms are branches from a trunk of {length}: {once}{branch_runs} branches"
            f" cost {flops_text(branch_flops)} FLOPs. Budgets are those of a branch."
        ),
    )


def spoken_with_trunk(sentence: str, trunk: TrunkRecord | None) -> str:
    """The answer, from which trunk, and the flips in tokens of the branch."""
    if trunk is None:
        return sentence
    length = f"{trunk.n_tokens:,} tokens" if trunk.n_tokens else "unknown length"
    said = f"{sentence.removesuffix('.')}; from a trunk of {length}."
    if not trunk.flips:
        return said
    flips = ", ".join(_spoken(flip) for flip in trunk.flips)
    return f"{said} In tokens of the branch it flips at {flips}."


def _paid(arms: Sequence[str]) -> tuple[int, float]:
    """How many runs of these arms there are, each budget one, and their FLOPs, each run once."""
    runs = pl.read_parquet(artefacts.RUNS, columns=["run_id", "arm", "flops"])
    own = runs.filter(pl.col("arm").is_in(list(arms))).unique("run_id")
    return own.height, float(own["flops"].sum())


def _in_tokens(flip: Flip, n_params: int) -> TokenFlip:
    def tokens(flops: float | None) -> float | None:
        return None if flops is None else flops / PER_PARAM_TOKEN / n_params

    return TokenFlip(
        first=flip.first,
        second=flip.second,
        tokens=flip.flops / PER_PARAM_TOKEN / n_params,
        low=tokens(flip.low),
        high=tokens(flip.high),
    )


def _spoken(flip: TokenFlip) -> str:
    low = f"{flip.low:,.0f}" if flip.low is not None else "below the range"
    high = f"{flip.high:,.0f}" if flip.high is not None else "beyond the range"
    return f"{flip.tokens:,.0f} [{low}, {high}]"
