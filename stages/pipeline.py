"""PIPELINE is the only list of stages, in the order in which they run: pack before score, which may read tokens."""

from stages.declarations import (
    arms,
    decide,
    dedup,
    fit,
    ingest,
    pack,
    report,
    score,
    sweep,
    verify,
)
from stages.foundation.stage import Stage

PIPELINE: tuple[Stage, ...] = tuple(
    module.stage
    for module in (
        ingest,
        dedup,
        pack,
        score,
        arms,
        sweep,
        fit,
        decide,
        verify,
        report,
    )
)


def stages_upto(name: str = "") -> tuple[Stage, ...]:
    """The stages in their order, all of them or those up to and with one.

    >>> [stage.name for stage in stages_upto("dedup")], len(stages_upto()) == len(PIPELINE)
    (['ingest', 'dedup'], True)
    """
    if not name:
        return PIPELINE
    names = [stage.name for stage in PIPELINE]
    return PIPELINE[: names.index(name) + 1]
