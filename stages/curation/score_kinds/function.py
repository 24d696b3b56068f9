"""What a function of the user says: it gets a list of texts and returns as many numbers."""

from collections.abc import Callable
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

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

NAME = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


def function_files(function: str) -> list[str]:
    """The file of `module:function`, where it is found from the working folder."""
    module = function.partition(":")[0]
    file = Path(*module.split(".")).with_suffix(".py")
    return [file.as_posix()] if file.is_file() else []


class PipelineFunction(PipelineScore):
    kind: Literal["function"]
    function: str = Field(
        pattern=NAME,
        description="module:function; a list of texts in, as many numbers out",
        examples=["my_scores:rate"],
    )

    def input_files(self) -> list[str]:
        return function_files(self.function)

    def scorer(self, sources: Sources) -> "Callable[[pl.DataFrame], np.ndarray]":
        from stages.curation.scores.own_scores import function_scores

        return lambda frame: function_scores(frame["text"], self.function)


class CurateFunction(CurateScore):
    kind: Literal["function"]
    function: str = Field(
        pattern=NAME,
        description="module:function, from a list of texts to as many numbers",
        examples=["my_scores:rate"],
    )

    def code_files(self) -> list[str]:
        return function_files(self.function)

    def scorer(self, folder: Path | None) -> Scorer:
        import polars as pl

        from stages.curation.scores.own_scores import function_scores

        return lambda frame: pl.Series(function_scores(frame["text"], self.function))


KIND = ScoreKind(pipeline=PipelineFunction, curate=CurateFunction)
