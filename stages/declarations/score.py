"""The section `score`, and what its stage reads and writes; its work is stages/score.py."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from stages import images
from stages.curation.names import OWN_SCORES
from stages.curation.score_kinds import AnyPipelineScore
from stages.curation.score_kinds.kind import PipelineScore
from stages.curation.scores.settings import MODEL_FILES, Quality
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import refuse_others
from stages.foundation.stage import Stage
from stages.images.scoring import ImageScoring
from stages.settings.rules import RuleSettings

CARRIED = ("licence",)  # of the pools, for arms to ask for


TAKEN = {
    *CARRIED,
    *OWN_SCORES,
    "id",
    "row",
    "pool",
    "n_chars",
    "n_tokens",
    "cluster",
    "is_first",
    "duplicate",
    "arm",
    "draw",
    "weight",
    "tier",
    "tier_name",
    "text",
    "source",
    "lang",
    "rules_lang",
    "parent",
    "url",
    "group",
    "semantic_of",
    "line_row",
    "line_tokens",
}


def names_are_free(extra: dict[str, AnyPipelineScore]) -> dict[str, AnyPipelineScore]:
    """The columns asked for; ValueError where a name is taken or no plain name."""
    for name in extra:
        if (
            not name.isidentifier()
            or name != name.lower()
            or name in TAKEN
            or name.startswith("_")
        ):
            raise ValueError(
                f"a column cannot be named {name!r}; a name is lower-case letters,"
                f" digits and _ and none of {', '.join(sorted(TAKEN))}"
            )
    return extra


class ScoreParams(RuleSettings):
    seed: int = Field(1, ge=0)
    save_quality: str | None = Field(
        None,
        description=(
            "folder to keep the quality classifier in, with its card, for new data; DVC"
            " does not track it"
        ),
    )
    extra: Annotated[dict[str, AnyPipelineScore], AfterValidator(names_are_free)] = (
        Field({}, description="further score columns by name, for arms to select by")
    )
    folds: int = Field(
        5,
        ge=2,
        le=20,
        description=(
            "parts of the pool; each is scored by a model trained on the others"
        ),
    )
    train_chars: int = Field(
        20_000_000,
        ge=10_000,
        description=(
            "pool characters that the quality classifier and the prototypes learn from"
        ),
    )
    prototypes: int = Field(
        64, ge=2, le=100_000, description="clusters for the difficulty score"
    )

    images: ImageScoring | None = Field(
        None, description="how images are scored, where ingest.modality is image"
    )

    def quality(self) -> Quality:
        return Quality(folds=self.folds, train_chars=self.train_chars, seed=self.seed)


def addresses_are_mapped(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where URL lists are given for pools without addresses: the key and the fault."""
    if params["score"].url_lists is not None and all(
        pool.url is None for pool in params["ingest"].pools.values()
    ):
        return (
            ["score", "url_lists"],
            (
                "needs the addresses of documents; map the column that holds them at"
                " ingest.pools.NAME.url"
            ),
        )
    return None


def folder_is_free(params: dict[str, Any]) -> tuple[list[str], str] | None:
    """Where the quality classifier would be kept in a folder that holds something else."""
    if folder := params["score"].save_quality:
        try:
            refuse_others(folder, MODEL_FILES)
        except InputError as error:
            return ["score", "save_quality"], str(error)
    return None


# kinds of extra scores that train and read no proxy
WITHOUT_PROXY = {"ngram", "function", "column", "saved"}


def unused(params: Mapping[str, Any]) -> list[str]:
    """The trainer where no score asks for it, image proxies where there are no images."""
    kinds = {extra.kind for extra in params["score"].extra.values()}
    parts = list(images.unused_by_texts(params))
    return parts if kinds - WITHOUT_PROXY else [*parts, "stages.proxy.readers"]


def score_inputs(extra: dict[str, PipelineScore]) -> list[str]:
    """Files that the columns read, for DVC."""
    found: set[str] = set()
    for settings in extra.values():
        found |= set(settings.input_files())
        if settings.reads_pack():
            found |= {artefacts.PACKED_POOLS, artefacts.TOKENIZER}
    return sorted(found)


stage = Stage(
    name="score",
    params=ScoreParams,
    question="How good and how hard is every document, and which rules does it break?",
    agrees=lambda params: addresses_are_mapped(params) or folder_is_free(params),
    deps=(artefacts.INGEST,),
    inputs=lambda params: sorted({*score_inputs(params.extra), *params.rule_files()}),
    unused=unused,
    outs=(artefacts.SCORES,),
    tracked=(artefacts.RULE_COUNTS, artefacts.CALIBRATION),
    metrics=(artefacts.SCORE_METRICS,),
)
