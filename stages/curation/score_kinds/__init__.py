"""The kinds of score that a user may ask for by name, in the pipeline and in `assay curate`.

A new kind is one file here, as kind.py describes, and its line in KINDS.
"""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from stages.curation.score_kinds import (
    column,
    command,
    function,
    nearest,
    ngram,
    proxy,
    saved,
    skills,
    transport,
)
from stages.curation.score_kinds.kind import CurateScore, PipelineScore, ScoreKind

KINDS: tuple[ScoreKind, ...] = (
    ngram.KIND,
    proxy.KIND,
    nearest.KIND,
    transport.KIND,
    skills.KIND,
    function.KIND,
    column.KIND,
    command.KIND,
    saved.KIND,
)

if TYPE_CHECKING:
    AnyPipelineScore = PipelineScore
    AnyCurateScore = CurateScore
else:
    AnyPipelineScore = Annotated[
        reduce(or_, (kind.pipeline for kind in KINDS)), Field(discriminator="kind")
    ]
    AnyCurateScore = Annotated[
        reduce(or_, (kind.curate_model for kind in KINDS)), Field(discriminator="kind")
    ]
