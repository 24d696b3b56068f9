"""What a kind of score is: its settings in the pipeline and in `assay curate`, and what computes it there.

A kind is one file of this folder that ends in `KIND = ScoreKind(...)`, and one line in KINDS of `__init__`.
The pipeline reads `score.extra.NAME: {kind: ...}`, `assay curate` reads `scores.NAME: {kind: ...}`;
both find the kind there and ask it for the column, so nothing else is to be written. A required setting
names an example (`Field(examples=[...])`): the tests of all kinds run on it. These files declare: every command
that reads params.yaml imports them, so what computes, with polars and numpy, is imported where it is called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model, model_validator

from stages.foundation.section import Section

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from stages.curation.reading.ordered_pool import Documents

Scorer = Callable[["pl.DataFrame"], "pl.Series"]
# (most characters, seed) -> documents of the input, drawn by hash
Sample = Callable[[int, int], "pl.DataFrame"]


@dataclass(frozen=True)
class Proxies:
    """What trained proxies can say of documents; curation itself knows no proxies.

    difficulty(pool, reference, measure=, train_on=, min_tokens=, seed=, size=, tokens=, context=): (n,).
    embeddings(pool, reference, seed=, size=, tokens=, context=): two arrays (n, d).
    """

    difficulty: "Callable[..., np.ndarray]"
    embeddings: "Callable[..., tuple[np.ndarray, np.ndarray]]"


@dataclass(frozen=True)
class Sources:
    """What a score of the pipeline may read."""

    pool: "Documents"
    reference: "Documents"
    seed: int
    proxies: Proxies


class PipelineScore(Section):
    """A section of `score.extra`. A kind gives `scorer`, or `values` where it needs all documents."""

    def input_files(self) -> list[str]:
        """Files and folders of the user that the column depends on."""
        return []

    def reads_pack(self) -> bool:
        """Whether the packed pools and their tokenizer are read too."""
        return False

    def values(self, sources: Sources) -> "np.ndarray | pl.Series":
        """The column of the whole pool (n,), in the order of the ids; NaN or null where there is none."""
        raise NotImplementedError(f"{type(self).__name__} has no scorer and no values")

    def scorer(
        self, sources: Sources
    ) -> "Callable[[pl.DataFrame], np.ndarray | pl.Series]":
        """What gives a table of pool documents its column (rows of the table,)."""
        import polars as pl

        table = sources.pool.columns("id").with_columns(
            value=pl.Series(self.values(sources), dtype=pl.Float64, nan_to_null=True)
        )
        return lambda frame: _looked_up(frame, table)


def _looked_up(frame: "pl.DataFrame", table: "pl.DataFrame") -> "pl.Series":
    """The values of these documents; `table` is sorted by id."""
    import polars as pl

    first, last = pl.lit(frame["id"].min()), pl.lit(frame["id"].max())
    near = table.filter(pl.col("id").is_between(first, last))
    found = frame.select("id").join(near, on="id", how="left", maintain_order="left")
    return found["value"]


class Cut(Section):
    """Which scores stay."""

    keep_above: float | None = Field(
        None, description="documents that score lower are dropped; null only scores"
    )
    keep_below: float | None = Field(
        None, description="documents that score higher are dropped"
    )
    keep: float | None = Field(
        None,
        gt=0,
        lt=1,
        description=(
            "share of the characters that stays, best first, of what the searches for"
            " copies left; who ties with the last stays too"
        ),
    )
    skip: float = Field(
        0.0,
        ge=0,
        lt=1,
        description=(
            "share that is passed over first: skip 0.25 and keep 0.5 is the middle half"
        ),
    )
    take: Literal["high", "low"] = Field(
        "high", description="the better end: for `keep`, and of two copies"
    )

    @model_validator(mode="after")
    def _in_order(self) -> "Cut":
        if self.skip and (self.keep is None or self.skip + self.keep > 1):
            raise ValueError(
                f"skip {self.skip:g} needs a keep of at most {1 - self.skip:g}"
            )
        if (
            self.keep_above is not None
            and self.keep_below is not None
            and self.keep_above > self.keep_below
        ):
            raise ValueError(
                f"keep_above {self.keep_above:g} is above keep_below"
                f" {self.keep_below:g}, so nothing would stay; swap them"
            )
        return self

    def code_files(self) -> list[str]:
        """Python files of the user that decide the number, as found from the working folder."""
        return []


class CurateScore(Cut):
    """A section of `scores` of `assay curate`. A kind gives `scorer`, and `fit` where it learns first."""

    def text_files(self) -> list[str]:
        """Files of documents that are read beside the input."""
        return []

    def model_folders(self) -> list[str]:
        """Folders of saved models, each with a card.json."""
        return []

    def extra_columns(self) -> list[str]:
        """Columns of the input that must be carried along."""
        return []

    def fit(self, sample: Sample, folder: Path) -> None:
        """Write to `folder` what `scorer` reads, unless it is there; nothing by default."""

    def scorer(self, folder: Path | None) -> Scorer:
        """What gives a table of documents its column; None: nothing was fitted, and it is not called."""
        raise NotImplementedError(f"{type(self).__name__} has no scorer")


@dataclass(frozen=True, kw_only=True)
class ScoreKind:
    """One kind of score. `curate` is its settings in `assay curate`, or in one line why it has none."""

    pipeline: type[PipelineScore]
    curate: type[CurateScore] | str

    @property
    def name(self) -> str:
        """What users write as `kind`."""
        return kind_name(self.pipeline)

    @property
    def curate_model(self) -> type[Section]:
        """The settings in `assay curate`; of a kind without them a section that says why."""
        return (
            _refusing(self.name, self.curate)
            if isinstance(self.curate, str)
            else self.curate
        )


def kind_name(model: type[Section]) -> str:
    """The one value that `kind` may have; TypeError where the model has no such field."""
    field = model.model_fields.get("kind")
    names: tuple[Any, ...] = getattr(field and field.annotation, "__args__", ())
    if len(names) != 1:
        raise TypeError(f"{model.__name__} needs a field kind: Literal['its name']")
    return names[0]


def _refusing(name: str, reason: str) -> type[Section]:
    def refuse(_: Any) -> Any:
        raise ValueError(f"assay curate has no scores of kind {name}: {reason}")

    validators: dict[str, Any] = {"refuse": model_validator(mode="before")(refuse)}
    kind: Any = (Literal[name], ...)
    return create_model(
        f"No{name.capitalize()}",
        __base__=Section,
        __validators__=validators,
        kind=kind,
    )
