"""`assay run --until p_best=0.95 --max-flops X`: after each decision the advised runs are added and trained.

What was added stands in params.yaml under sweep.added, which the sweep depends on; taken out there, it is not read any
more. So a loop that was killed goes on where it was, and X counts all that is written there.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.commands.project.ladder import edited
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import remove_orphans
from stages.pipeline import PIPELINE
from stages.proxy.specs.shape import LADDER, Shape
from stages.settings.params import Sections, load_params
from stages.settings.questions import Question
from stages.settings.sweep import AddedRun
from stages.target.target import PER_PARAM_TOKEN, is_budget_of

if TYPE_CHECKING:
    from stages.decision.at_budgets import Target
    from stages.decision.record import DecisionRecord, NextRun

GOAL = re.compile(r"p_best=(0?\.\d+)")
LAST = "decide"  # what comes after it is done once, at the end


@dataclass(frozen=True)
class Until:
    """The goal: P(best) at the target, for at most so many FLOPs of added runs."""

    p_best: float
    max_flops: float


def until_of(text: str | None, max_flops: float | None) -> Until | None:
    """What --until and --max-flops ask for; None for nothing. InputError where it is half of it, or another goal."""
    if text is None and max_flops is None:
        return None
    if text is None or max_flops is None:
        raise InputError(
            "--until and --max-flops belong together; give --until p_best=0.95"
            " --max-flops 1e15"
        )
    found = GOAL.fullmatch(text.strip())
    if found is None or not 0.5 < float(found[1]) < 1:
        raise InputError(
            f"--until {text}: must be p_best= and a number between 0.5 and 1, as in"
            " p_best=0.95"
        )
    return Until(float(found[1]), max_flops)


@dataclass(frozen=True)
class Standing:
    """One question: its answer at the target, the run that is advised, the arms that are dropped."""

    name: str
    answer: "Target"
    run: "NextRun | None"
    dropped: dict[str, float]
    p_best: float


def standing_of(record: "DecisionRecord", params: Sections) -> Standing:
    """Where a decision stands at the target."""
    target = params["decide"].target
    answer = next(each for each in record.targets if is_budget_of(target, each.flops))
    share = answer.p_best[answer.best]
    return Standing(
        record.question.name,
        answer,
        run=record.next_run,
        dropped=record.dropped,
        p_best=share if record.sureness is None else min(share, record.sureness),
    )


def require_target(params: Sections, params_file: Path) -> None:
    """InputError where there is nothing that P(best) could be of, or proxies of images."""
    if params["decide"].target is None:
        raise InputError(
            f"{params_file}: --until asks for P(best) at the target; add a section"
            " `target`, or give --target-params 1e9 --target-tokens 2e10"
        )
    if params["ingest"].modality != "text":
        raise InputError(f"{params_file}: --until adds runs to text alone")


def follow(params_file: Path, until: Until, bring: Callable[[str], int]) -> int:
    """Decide, add, train and decide again until the goal is reached, the FLOPs are used up or nothing helps.

    bring: brings all stages up to the one named up to date, and gives an exit code. The code of the last round.
    """
    remove_orphans(params_file)
    code = bring(LAST)
    while code == 0:
        params = load_params(params_file, PIPELINE)
        now = standings(params)
        runs, why = next_additions(now, until, params)
        if not runs:
            print(why, flush=True)
            break
        add(params_file, runs)
        code = bring(LAST)
        if code == 0:
            for line in round_lines(
                now, standings(params), n_added=len(params["sweep"].added)
            ):
                print(line, flush=True)
    return code


def standings(params: Sections) -> list[Standing]:
    """Every question between arms as its record on disk says; a mixture that is searched for has no next run."""
    from stages.decision.record import read_decision

    names = [
        name
        for name, question in params["arms"].questions.items()
        if isinstance(question, Question) and question.branch is None
    ]
    return [
        standing_of(read_decision(artefacts.decision(name)), params) for name in names
    ]


def next_additions(
    now: Sequence[Standing], until: Until, params: Sections
) -> tuple[list[AddedRun], str]:
    """The runs to add, one a question that is open, and why there are none."""
    from stages.laws.deciding.hopeless import enough

    if not now:
        return [], "until: no question between arms is asked, so there is no P(best)"
    look = 1 + len(params["sweep"].added)
    goal = enough(until.p_best, look)
    open_ones = [each for each in now if each.p_best < goal]
    said = ", ".join(f"{each.name} {each.p_best:.3f}" for each in now)
    if not open_ones:
        return [], f"until: P(best) at the target is {said}, at least {goal:g}"
    helped = [each for each in open_ones if each.run is not None]
    if not helped:
        return [], (
            f"until: no run of these sizes and budgets would make it surer; P(best) at the"
            f" target is {said}, wanted {goal:g}"
        )
    spent = spent_flops(params)
    left = until.max_flops - spent
    runs: dict[AddedRun, float] = {}
    for each in helped:
        assert each.run is not None
        if each.run.flops <= left:
            added = added_run(each.run)
            left -= 0 if added in runs else each.run.flops
            runs[added] = each.run.flops
    if not runs:
        least = min(each.run.flops for each in helped if each.run)
        return [], (
            f"until: {spent:.3g} of {until.max_flops:.3g} FLOPs are used up and the next run"
            f" costs {least:.3g}; P(best) at the target is {said}, wanted {goal:g}"
        )
    return list(runs), ""


def added_run(run: "NextRun") -> AddedRun:
    """The advised run as an entry of sweep.added. InputError where no proxy has its size."""
    named = {Shape.named(name).n_params: name for name in LADDER}
    if round(run.n_params) not in named:
        raise InputError(
            f"until: no proxy of {run.n_params:,.0f} parameters is known by name; add"
            " the run to sweep.added by hand"
        )
    setting = {
        name: value
        for name, value in (
            ("weight_decay", run.weight_decay),
            ("dropout", run.dropout),
        )
        if value is not None
    }
    return AddedRun(
        arm=run.arm,
        size=named[round(run.n_params)],
        tokens=round(run.n_tokens_seen),
        **setting,
    )


def spent_flops(params: Sections) -> float:
    """FLOPs (6ND) of all that was added, on every resample."""
    return sum(
        PER_PARAM_TOKEN
        * Shape.named(run.size).n_params
        * run.tokens
        * params["arms"].draws
        for run in params["sweep"].added
    )


def add(params_file: Path, runs: Sequence[AddedRun]) -> None:
    """Write the runs to sweep.added; comments and all other keys of the file stay."""

    def change(document: Any) -> None:
        from ruamel.yaml.comments import CommentedMap

        if not document.get("sweep"):
            document["sweep"] = CommentedMap()
        if not document["sweep"].get("added"):
            document["sweep"]["added"] = []
        for run in runs:
            entry = CommentedMap(run.model_dump())
            entry.fa.set_flow_style()
            document["sweep"]["added"].append(entry)

    edited(params_file, change)


def round_lines(
    before: Sequence[Standing], after: Sequence[Standing], n_added: int
) -> list[str]:
    """A line a question that was open: the run, its cost, P(best) before and after, arms that need no more runs."""
    lines = []
    for old, new in zip(before, after, strict=True):
        if old.run is None:
            continue
        run = old.run
        dropped = f"; dropped: {', '.join(new.dropped)}" if new.dropped else ""
        lines.append(
            f"round {n_added + 1}: {run.arm}, {run.n_params:,.0f} parameters,"
            f" {run.n_tokens_seen:,.0f} tokens, {run.n_runs} runs, {run.flops:.2e} FLOPs:"
            f" {new.name}: {new.answer.best}, P(best) {old.p_best:.3f} before,"
            f" {new.p_best:.3f} after{dropped}"
        )
    return lines
