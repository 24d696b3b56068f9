"""Likeness to the skills of the reference, by keyphrases and how they go together: high = keep."""

from typing import Literal

import numpy as np
from pydantic import Field

from stages.curation.score_kinds.embedded import WHOLE_POOL
from stages.curation.score_kinds.kind import PipelineScore, ScoreKind, Sources


class PipelineSkills(PipelineScore):
    kind: Literal["skills"]
    skills: int = Field(
        200, ge=1, description="keyphrases of the reference that stand for its skills"
    )
    stop: list[str] = []

    def values(self, sources: Sources) -> np.ndarray:
        from stages.curation.scores.skills import (
            keyphrases,
            phrase_likeness,
            skill_graph,
            skill_scores,
        )

        pool = sources.pool.whole()["text"].to_list()
        reference = sources.reference.whole()["text"].to_list()
        phrases = keyphrases(reference, self.skills, stop=self.stop)
        graph = skill_graph(phrase_likeness(reference, phrases))
        return skill_scores(phrase_likeness(pool, phrases), graph)


KIND = ScoreKind(pipeline=PipelineSkills, curate=WHOLE_POOL)
