"""What a question that was searched for hands over: its proposal as an arm over the whole pools, written with repeats.

Question: which documents, how often, so that the trainer reads what was proposed? A mixture becomes weights by pool
and the tokens of the target, a curve over tiers the very uses that it names. Both are written out, not left as weights.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stages.foundation.errors import InputError, ParamsError, RefusedError
from stages.handing_over.choosing.whole_pool import ANEW
from stages.presentation.phase_names import of_phase
from stages.searched.asked import asked
from stages.searched.compared import mixed_tokens
from stages.searched.record import Decision, SearchedRecord, values_of
from stages.settings.arms import Arm, ArmsParams

# passes after which another adds little: the half-life of repeats is about 15 epochs (Muennighoff et al. 2023, R_D*)
KNOWN_PASSES = 16.0


def arm_of(
    record: SearchedRecord,
    name: str,
    edges: Sequence[float],
    *,
    made: Mapping[str, Any],
    phase: str | None = None,
) -> Arm:
    """One of SEARCHED_ARMS as an arm, in a phase of the schedule where it has a mixture for each.

    edges: kept fractions between the tiers of the record; made: data/arms/arms.json. Raises InputError where a phase
    is named that there is not, or none where there are two.
    """
    require_phase(record, phase)
    question = record.question.name
    clusters_of = question if "parts" in made["questions"][question] else None
    values = values_of(record, name)
    if record.kind == "mixture":
        values = of_phase(values, phase) if phase else values
        shares = {pool: share for pool, share in values.items() if share > 0}
        total = math.fsum(shares.values())
        mixture = {part: share / total for part, share in shares.items()}
        return Arm(mixture=mixture, clusters_of=clusters_of)
    ends = [*edges, 1.0]
    return Arm(uses=dict(zip(ends, values.values(), strict=True)))


def require_phase(record: SearchedRecord, phase: str | None) -> None:
    """InputError unless a phase is named where the record has a mixture for each, and there alone."""
    name = record.question.name
    if record.phases is None and phase is not None:
        raise InputError(
            f"--phase {phase}: {name} has one answer for the whole run; leave it out"
        )
    if record.phases is not None and phase not in record.phases:
        raise InputError(
            f"{name} has a mixture for each phase; say which with --phase"
            f" {' or --phase '.join(record.phases)}"
        )


def tokens_of(
    record: SearchedRecord, made: Mapping[str, Any], phase: str | None = None
) -> float | None:
    """Tokens of the pack to write: of a mixture those of the target; None: as many as its weights or uses make.

    made: data/arms/arms.json, with the tokens of the pools as ingested. Where the target has larger or smaller pools,
    documents are written as often, over all of them, as they would be there.
    """
    if record.kind != "mixture" or record.target is None:
        return None
    there = record.target.pool_tokens
    ingested, question = made["pool_tokens"], made["questions"][record.question.name]
    here = mixed_tokens(question, ingested, ingested)
    part = record.phases[phase] if record.phases and phase else 1.0
    return part * record.target.n_tokens * sum(here.values()) / sum(there.values())


def most_uses(record: Decision, arm: Arm) -> dict[str, float] | None:
    """Part of a mixture -> passes that something is known of: those of the proxies, or KNOWN_PASSES.

    None for anything else: a curve names its uses itself.
    """
    if not isinstance(record, SearchedRecord) or arm.mixture is None:
        return None
    read = {part: repeats.proxy_passes for part, repeats in record.repetition.items()}
    return {part: max(KNOWN_PASSES, read.get(part, 0.0)) for part in arm.mixture}


def require_question(
    record: SearchedRecord, params: ArmsParams, made: Mapping[str, Any]
) -> None:
    """RefusedError where the question is not what it was when its arms were designed. made: data/arms/arms.json."""
    name = record.question.name
    known = made["questions"].get(name)
    now = None
    if name in params.questions:
        alone = params.model_copy(update={"questions": {name: params.questions[name]}})
        try:
            parts = {name: known["parts"]} if known and "parts" in known else {}
            now = asked(alone, made["pool_tokens"], parts).questions[name]
        except ParamsError:  # a question that cannot be designed any more has changed
            now = None
    if known is None or now is None or _settings(known) != _settings(now):
        raise RefusedError(
            f"the question {name} is not what it was when it was decided (params:"
            f" arms.questions.{name}); {ANEW}"
        )


def _settings(question: Mapping[str, Any]) -> dict[str, Any]:
    """What decides of a question: all but its title."""
    return {key: value for key, value in question.items() if key != "title"}
