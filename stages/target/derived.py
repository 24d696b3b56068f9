"""What follows from the section `target` where params.yaml does not say it itself.

A key that the file has stands, null included. The proxies follow from a ladder for an hour on two usual cores, so that
every machine reads the same; `assay run --hours` measures the machine and writes what it chose into the file.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from stages.foundation.errors import InputError
from stages.target.ladder import Wanted, ladder, nominal_rate
from stages.target.target import Target, is_budget_of

QUESTION = "data"  # the question over all arms, where none is asked
TITLE = "Which data should be trained on?"
LADDER_KEYS = ("sizes", "budgets_tokens", "regularisations", "control_sizes")
# defaults of the sections arms and arms.questions; curves that an upsampling question trains beside one a tier
DRAWS, RUNS, CURVES = 4, 24, 3
# an arm of these settings keeps everything
UNFILTERED = {
    "keep": 1.0,
    "upweight": None,
    "mixture": None,
    "rules": False,
    "licence": None,
}
JUNK = 0.2  # ours: of the worst tokens, where no arm keeps a part
BEFORE = 10.0  # the answer for a tenth of the target's budget is given too


def with_derived(values: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of the file with what follows from the target; unchanged where there is none, or it is faulty."""
    made = with_questions(values)
    target = _target(made.get("target"))
    if target is None:
        return made
    if _modality(made) == "text":
        made["sweep"] = _proxies(made, target)
    made["arms"] = _draws(made, target)
    made["decide"] = _budgets(made, target)
    return made


def with_questions(values: Mapping[str, Any]) -> dict[str, Any]:
    """The sections with the question over all arms, where none is asked, and with arms.always in every question."""
    made = dict(values)
    arms = _section(made, "arms")
    if arms is None or not isinstance(arms.get("arms"), dict):
        return made
    named = dict(arms["arms"])
    is_own = "questions" not in arms and _target(made.get("target")) is not None
    always = arms.get("always", _references(named) if is_own else {})
    if isinstance(always, Mapping):
        named |= {name: arm for name, arm in always.items() if name not in named}
    asked = {QUESTION: {"title": TITLE, "arms": list(named)}}
    asked = arms.get("questions", asked)
    if isinstance(always, Mapping) and isinstance(asked, Mapping):
        asked = {name: _with_arms(question, always) for name, question in asked.items()}
    made["arms"] = arms | {"arms": named, "questions": asked}
    return made


def _references(named: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The unfiltered arm and a junk arm, less those that are there. named: the arms of the file."""
    known = [dict(arm) if isinstance(arm, Mapping) else {} for arm in named.values()]
    found: dict[str, dict[str, Any]] = {}
    if not any({**UNFILTERED, **arm} == UNFILTERED for arm in known):
        found["unfiltered"] = {}
    if not any(arm.get("take") == "low" for arm in known):
        strictest = min([_keep(arm) for arm in known] or [1.0])
        keep = strictest if strictest < 1 else JUNK
        found["junk"] = {"keep": keep, "take": "low"}
    return {name: arm for name, arm in found.items() if name not in named}


def _with_arms(question: Any, always: Mapping[str, Any]) -> Any:
    """A question with these arms at the end of its own; as it is where it is faulty."""
    if not isinstance(question, Mapping) or not isinstance(question.get("arms"), list):
        return question
    more = [name for name in always if name not in question["arms"]]
    return {**question, "arms": [*question["arms"], *more]}


def wanted_ladder(values: Mapping[str, Any], target: Target, **changes: Any) -> Wanted:
    """What a ladder for these sections must do. changes: further fields of Wanted."""
    arms = _section(values, "arms") or {}
    named = arms.get("arms")
    settings = [arm for arm in (named or {}).values() if isinstance(arm, Mapping)]
    twins = [
        control
        for control in (arms.get("controls") or {}).values()
        if isinstance(control, Mapping) and control.get("kind") == "same"
    ]
    given = dict(_section(values, "sweep") or {})
    if "draws" in arms:
        given["draws"] = arms["draws"]
    wanted = Wanted(
        target=target,
        keep=min([_keep(arm) for arm in settings] or [1.0]),
        n_arms=max(1, len(named or {}) + len(twins) + _designed(arms)),
        passes=target.stated_passes,
        given=given,
    )
    return replace(wanted, **changes)


def _designed(arms: Mapping[str, Any]) -> int:
    """About how many arms a resample has of the questions whose arms are designed."""
    questions, draws = arms.get("questions"), arms.get("draws", DRAWS)
    asked = questions.values() if isinstance(questions, Mapping) else ()
    total = 0
    for question in asked:
        kind = question.get("kind") if isinstance(question, Mapping) else None
        runs, tiers = (
            (question.get("runs", RUNS), question.get("tiers", ())) if kind else (0, ())
        )
        if kind == "mixture" and isinstance(runs, int) and isinstance(draws, int):
            total += -(-runs // max(draws, 1))
        elif kind == "upsampling":
            total += CURVES + len(tiers if isinstance(tiers, list) else ())
    return total


def _keep(arm: Mapping[str, Any]) -> float:
    """Kept fraction of an arm; 1 where it is no fraction, which the section's own check refuses."""
    keep = arm.get("keep", 1.0)
    usable = isinstance(keep, int | float) and 0 < keep <= 1
    return float(keep) if usable else 1.0


def _section(values: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """A section as a mapping, empty where it is left out; None where it is something else."""
    found = values.get(name, {})
    return dict(found) if isinstance(found, Mapping) else None


def _target(stated: Any) -> Target | None:
    """The target; None where it is left out or faulty, which the check of the whole file says."""
    if not isinstance(stated, Mapping):
        return None
    try:
        return Target.model_validate(dict(stated))
    except ValidationError:
        return None


def _modality(values: Mapping[str, Any]) -> str:
    return str((_section(values, "ingest") or {}).get("modality", "text"))


def _proxies(values: Mapping[str, Any], target: Target) -> Any:
    """The section `sweep` with sizes, budgets and settings of a ladder, and repetition as at the target."""
    sweep = _section(values, "sweep")
    if sweep is None:
        return values["sweep"]
    if all(key in sweep for key in (*LADDER_KEYS, "pool_passes")):
        # what is watched is carried to the target
        own = {"target": dict(values["target"])} if sweep.get("watch") else {}
        return own | sweep
    made = {"pool_passes": "target", "target": dict(values["target"])} | sweep
    if all(key in sweep for key in LADDER_KEYS):
        return made
    try:
        found = ladder(wanted_ladder(values, target), nominal_rate)
    except (InputError, ArithmeticError, TypeError, ValueError, KeyError):
        # something given is faulty, which the section's own check says
        found = ladder(wanted_ladder(values, target, given={}), nominal_rate)
    return found.settings() | made


def _draws(values: Mapping[str, Any], target: Target) -> Any:
    """The section `arms`, which sizes a resample for the target's repetition unless draw_tokens is given."""
    arms, sweep = _section(values, "arms"), _section(values, "sweep")
    if arms is None or sweep is None:
        return values["arms"]
    budgets = sweep.get("budgets_tokens")
    known = isinstance(budgets, list) and budgets and isinstance(budgets[-1], int)
    if "draw_tokens" in arms or not known:
        return arms
    own = {"draw_tokens": None, "largest_budget": sweep["budgets_tokens"][-1]}
    return own | {"target": dict(values["target"])} | arms


def _budgets(values: Mapping[str, Any], target: Target) -> Any:
    """The section `decide`, which answers for the target."""
    decide = _section(values, "decide")
    if decide is None:
        return values["decide"]
    asked = decide.get("target_flops", [target.n_flops / BEFORE])
    if not isinstance(asked, list) or not all(
        isinstance(x, int | float) for x in asked
    ):
        return decide
    if not any(is_budget_of(target, flops) for flops in asked):
        asked = sorted([*asked, target.n_flops])
    made = decide | {"target_flops": asked, "target": dict(values["target"])}
    if made.get("n_params") is None:
        made["n_params"] = round(target.params)
    return made
