"""What the stage decide reads and writes, and what its section may not name; its work is stages/decide.py."""

from typing import Any

from stages.foundation import artefacts
from stages.foundation.stage import Stage
from stages.searched.kinds import unused_without_searches
from stages.settings.decide import DecideParams


def decide_agrees(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where decide.baseline names no arm, or decide.n_params another size than the target's: keys and fault."""
    named, arms = params["decide"].baseline, params["arms"].arms
    for judge in params["decide"].veto:
        if judge not in params["fit"].judges:
            judges = ", ".join(params["fit"].judges) or "none"
            return (
                ["decide", "veto"],
                f"no judge {judge!r}; fit.judges are {judges}",
            )
    target, n_params = params["decide"].target, params["decide"].n_params
    if target is not None and n_params != round(target.params):
        return (
            ["decide", "n_params"],
            f"{n_params} is not the size of target.params, {target.params:g}; leave it out",
        )
    if named is None or named in arms:
        return None
    return (
        ["decide", "baseline"],
        f"no arm {named!r}; arms are {', '.join(arms)}",
    )


stage = Stage(
    name="decide",
    params=DecideParams,
    agrees=decide_agrees,
    follows=("target",),
    unused=unused_without_searches,
    question=(
        "At each compute budget, which arm, how sure, and where does the answer flip?"
    ),
    deps=(
        artefacts.FITS,
        artefacts.ARMS,
        artefacts.VIEWS,
        artefacts.RUNS,
    ),
    outs=(artefacts.CURVES,),
    tracked=(artefacts.DECISIONS,),
    metrics=(artefacts.DECIDE_METRICS,),
    shown=f"`{artefacts.decision('<question>')}`",
)
