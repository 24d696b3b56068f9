"""PIPELINE is the only list of stages, in the order in which they run: pack before score, which may read tokens."""

from stages import (
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

PIPELINE = tuple(
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
