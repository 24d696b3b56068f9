"""A number that the input holds; a document without one has no score."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stages.curation.score_kinds.kind import (
    CurateScore,
    PipelineScore,
    ScoreKind,
    Scorer,
    Sources,
)
from stages.foundation.errors import InputError

if TYPE_CHECKING:
    import polars as pl


class PipelineColumn(PipelineScore):
    kind: Literal["column"]
    column: str = Field(examples=["stars"])
    files: dict[str, str] = Field(
        min_length=1,
        description=(
            "file or folder by pool, as in ingest; pools not named have no score and"
            " come last"
        ),
        examples=[{"web": "stars.jsonl"}],
    )
    id: str | None = Field(None, description="the id column, if ingest maps one")

    def input_files(self) -> list[str]:
        return list(self.files.values())

    def values(self, sources: Sources) -> "pl.Series":
        import polars as pl

        pool = sources.pool.columns("id", "pool", "source")
        if unknown := sorted(set(self.files) - set(pool["pool"])):
            raise InputError(
                f"files names the pool {unknown[0]!r}; the pools are"
                f" {', '.join(sorted(set(pool['pool'])))}"
            )
        parts = [
            part.select("id", value=pl.Series(self._scores(part, name)))
            for (name,), part in pool.group_by("pool", maintain_order=True)
            if name in self.files
        ]
        ids = pool.select("id")
        return ids.join(pl.concat(parts), on="id", how="left", maintain_order="left")[
            "value"
        ]

    def _scores(self, documents: "pl.DataFrame", pool: str):
        from stages.curation.scores.own_scores import column_scores

        file = self.files[pool]
        return column_scores(documents, file, self.column, id=self.id)


class CurateColumn(CurateScore):
    """A number that the input holds; a row without one has no score."""

    kind: Literal["column"]
    column: str = Field(
        description="column or key, also named in extra", examples=["stars"]
    )

    def extra_columns(self) -> list[str]:
        return [self.column]

    def scorer(self, folder: Path | None) -> Scorer:
        return lambda frame: _numbers(frame, self.column)


def _numbers(frame: "pl.DataFrame", column: str) -> "pl.Series":
    """The numbers of an extra column; null where the row has none."""
    import polars as pl

    values = frame[column].cast(pl.Float64, strict=False)
    wrong = values.is_null() | ~values.is_finite().fill_null(True)
    bad = frame.filter(frame[column].is_not_null() & wrong)
    if bad.height:
        raise InputError(
            f"{bad['source'][0]}: column {column!r} holds {bad[column][0][:30]!r}, not"
            " a number; mend the row"
        )
    return values


KIND = ScoreKind(pipeline=PipelineColumn, curate=CurateColumn)
