"""Likeness to the skills of the reference and to how they go together: high = keep. Skills are
keyphrases that are found, phrases that the user names, or labels in a column of the user's files.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from stages.curation.score_kinds.embedded import WHOLE_POOL
from stages.curation.score_kinds.kind import PipelineScore, ScoreKind, Sources
from stages.foundation.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class PipelineSkills(PipelineScore):
    kind: Literal["skills"]
    skills: int = Field(
        200, ge=1, description="keyphrases of the reference that stand for its skills"
    )
    stop: list[str] = []
    names: list[str] | None = Field(
        None,
        min_length=1,
        exclude_if=lambda names: names is None,
        description="your own skills in place of found ones: words or phrases",
    )
    column: str | None = Field(
        None,
        exclude_if=lambda column: column is None,
        description=(
            "your own skills in place of found ones: a column or key of `files` with a"
            " document's labels, a text or a list of texts"
        ),
    )
    files: dict[str, str] | None = Field(
        None,
        min_length=1,
        exclude_if=lambda files: files is None,
        description=(
            "file or folder by pool, as in ingest; documents of other pools have no"
            " labels"
        ),
    )
    id: str | None = Field(
        None,
        exclude_if=lambda id: id is None,
        description="the id column, if ingest maps one",
    )

    @field_validator("names")
    @classmethod
    def _names_differ(cls, names: list[str] | None) -> list[str] | None:
        lower = [name.strip().lower() for name in names or []]
        if twice := [name for name in lower if lower.count(name) > 1]:
            raise ValueError(f"names {twice[0]!r} twice; name each skill once")
        return names

    @model_validator(mode="after")
    def _one_kind_of_skill(self) -> "PipelineSkills":
        if (self.column is None) != (self.files is None):
            raise ValueError("column and files belong together; give both or neither")
        if self.id is not None and self.column is None:
            raise ValueError("id is for column and files; leave it out")
        own = [key for key in ("names", "column") if getattr(self, key) is not None]
        if len(own) > 1:
            raise ValueError("skills are named by names or by a column; give one")
        found = [key for key in ("skills", "stop") if key in self.model_fields_set]
        if own and found:
            raise ValueError(
                f"{found[0]} is for skills that are found, and {own[0]} names them;"
                " leave one out"
            )
        return self

    def input_files(self) -> list[str]:
        return list((self.files or {}).values())

    def values(self, sources: Sources) -> "np.ndarray":
        from stages.curation.scores.skills import (
            keyphrases,
            named_phrases,
            phrase_likeness,
            skill_graph,
            skill_scores,
        )

        if self.column is not None:
            return self._by_label(sources)
        pool = sources.pool.whole()["text"].to_list()
        reference = sources.reference.whole()["text"].to_list()
        if self.names is not None:
            phrases = named_phrases(self.names, reference)
        else:
            phrases = keyphrases(reference, self.skills, stop=self.stop)
        graph = skill_graph(phrase_likeness(reference, phrases))
        return skill_scores(phrase_likeness(pool, phrases), graph)

    def _by_label(self, sources: Sources) -> "np.ndarray":
        from stages.curation.scores.skills import (
            label_likeness,
            skill_graph,
            skill_scores,
        )

        pool, reference = (
            documents.columns("id", "pool", "source")
            for documents in (sources.pool, sources.reference)
        )
        known = sorted({*pool["pool"], *reference["pool"]})
        if unknown := sorted({*(self.files or {})} - {*known}):
            raise InputError(
                f"files names the pool {unknown[0]!r}; the pools are {', '.join(known)}"
            )
        taught, held = self._labels(reference), self._labels(pool)
        names = sorted({label for own in taught for label in own})
        if not names:
            raise InputError(
                f"no reference document has a label in the column {self.column!r}, so"
                " there are no skills; label the pools that have a reference"
            )
        graph = skill_graph(label_likeness(taught, names))
        return skill_scores(label_likeness(held, names), graph)

    def _labels(self, documents: "pl.DataFrame") -> Sequence[Sequence[str]]:
        """Labels of each document, in its order."""
        from stages.curation.scores.own_scores import column_labels

        found: list[Sequence[str]] = [[]] * documents.height
        rows = documents.with_row_index("row")
        for (name,), part in rows.group_by("pool", maintain_order=True):
            file = (self.files or {}).get(str(name))
            if file is not None:
                labels = column_labels(part, file, str(self.column), id=self.id)
                for row, own in zip(part["row"], labels, strict=True):
                    found[row] = own
        return found


KIND = ScoreKind(pipeline=PipelineSkills, curate=WHOLE_POOL)
