"""What a command of the user says: 1 for a document that it passes, 0 for one that it fails."""

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
from stages.foundation import artefacts
from stages.foundation.section import Section

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from stages.curation.scores.command_checks import CommandCheck


class Command(Section):
    kind: Literal["command"]
    command: list[str] = Field(
        min_length=1,
        description=(
            "program and arguments; it reads the text of one document, and exit code 0"
            " passes it"
        ),
        examples=[["grep", "-q", "kernel"]],
    )
    seconds: float = Field(
        10.0, gt=0, le=3600, description="a check that takes longer fails its document"
    )
    memory_mb: int = Field(1024, ge=16, description="most address space of a check")
    jobs: int = Field(2, ge=1, le=256, description="checks at a time")

    def check(self) -> "CommandCheck":
        from stages.curation.scores.command_checks import CommandCheck

        return CommandCheck(
            command=tuple(self.command),
            seconds=self.seconds,
            memory_mb=self.memory_mb,
            jobs=self.jobs,
        )

    def passed(self, frame: "pl.DataFrame") -> "np.ndarray":
        """1 or 0 for each document (n,)."""
        kept = Path(artefacts.CHECKS) / "verdicts.sqlite"
        return self.check().verdicts(frame["text"].to_list(), kept)


class PipelineCommand(Command, PipelineScore):
    def input_files(self) -> list[str]:
        return [part for part in self.command if Path(part).is_file()]

    def scorer(self, sources: Sources) -> "Callable[[pl.DataFrame], np.ndarray]":
        self.check()  # a command that is not there is said before any work
        return self.passed


class CurateCommand(Command, CurateScore):
    def code_files(self) -> list[str]:
        return [part for part in self.command if Path(part).is_file()]

    def scorer(self, folder: Path | None) -> Scorer:
        import polars as pl

        self.check()
        return lambda frame: pl.Series(self.passed(frame))


KIND = ScoreKind(pipeline=PipelineCommand, curate=CurateCommand)
