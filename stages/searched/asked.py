"""The questions of a project with all of their arms: named by a person, or designed for a search."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stages.foundation.errors import ParamsError
from stages.searched.branched import (
    branched,
    described,
    trained_whole,
    trunk_arm,
    twins_of,
)
from stages.settings.arms import Arm, ArmsParams
from stages.settings.questions import Question

Parts = Mapping[str, Mapping[str, float]]  # cluster -> pool -> tokens
NONE: Mapping[str, Parts] = {}


@dataclass(frozen=True)
class Made:
    """What one question designs: its arms, the resamples of those that are not trained on all, and what it says.

    decays: arm -> the arm whose documents its decays read, which is not trained alone.
    """

    arms: dict[str, Arm]
    draws: dict[str, list[int]]
    described: dict[str, Any]
    decays: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """Everything that is trained for the questions.

    params: with the designed arms beside those that are named; questions: as arms.json has them, each with its arms;
    draws: designed arm -> the resamples that it is trained on; decays: as of Made, of all questions.
    """

    params: ArmsParams
    questions: dict[str, dict[str, Any]]
    draws: dict[str, list[int]]
    decays: dict[str, str]


def asked(
    params: ArmsParams,
    pool_tokens: Mapping[str, float],
    parts: Mapping[str, Parts] = NONE,
) -> Asked:
    """The questions with their arms. pool_tokens: pool -> tokens, duplicates removed; parts: of each question over
    clusters what these hold of each pool.

    Raises ParamsError where a question has too few runs, or an arm of the same name is there.
    """
    arms, controls = trained_whole(params)
    draws: dict[str, list[int]] = {}
    decays: dict[str, str] = {}
    questions = {}
    for name, question in params.questions.items():
        questions[name] = question.model_dump()
        if isinstance(question, Question):
            if question.branch is not None:
                _add_branches(name, question, arms, params, questions[name])
                controls |= twins_of(name, question, params)
            continue
        # laws of mixtures, which a project without such a question does not depend on
        from stages.searched.designed import designed

        made = designed(name, question, params, pool_tokens, parts.get(name))
        _require_free(name, made.arms, params)
        arms |= made.arms
        draws |= made.draws
        decays |= made.decays
        own = [arm for arm in made.arms if arm not in made.decays.values()]
        questions[name] |= made.described | {"arms": own}
    # controls of all arms are of those that are named: a designed arm wins or loses by no lead of its own
    every = {"arms": arms, "controls": controls}
    return Asked(params.model_copy(update=every), questions, draws, decays)


def _add_branches(
    name: str,
    question: Question,
    arms: dict[str, Arm],
    params: ArmsParams,
    said: dict[str, Any],
) -> None:
    """Add the arms of a question about branches to `arms`, and to what arms.json says of it."""
    assert question.branch is not None  # whoever asks has looked
    made = branched(name, question, params.arms)
    trunk = trunk_arm(question.branch)
    _require_free(name, made, params)
    arms |= made
    said["arms"] = [arm for arm in made if arm != trunk]
    said["branch"] |= described(name, question.branch)


def _require_free(name: str, made: Iterable[str], params: ArmsParams) -> None:
    """Raises ParamsError where an arm or a control has the name of an arm that the question makes."""
    for arm in made:
        for key, there in (("arms", params.arms), ("controls", params.every_control)):
            if arm in there:
                raise ParamsError(
                    f"arms.{key}.{arm}: the question {name!r} makes an arm of this name;"
                    " give yours another"
                )
