"""The `curate` section of a parameter file: what is read, what is dropped and how copies are found.

The defaults are FineWeb's rules with their published thresholds, near duplicates by 5-word shingles
of which .8 are the same, the longest copy kept; policy bands is what FineWeb does with copies.
Every key can be left out. Sizes of the work (shards, parts) never change what is kept.
"""

from dataclasses import asdict, fields
from typing import Annotated, Any, Literal

from pydantic import Field, create_model, field_validator, model_validator

from stages.curation.duplicates.settings import (
    FINEWEB_BANDS,
    FINEWEB_ROWS,
    NGRAM_WORDS,
    OVERLAP_SHARE,
    Limits,
    MinHash,
)
from stages.curation.names import TOKENISERS
from stages.curation.reading.rows import MAX_ROW_BYTES, Columns
from stages.curation.rules.rule_list import RULES, Thresholds, rule_names
from stages.curation.score_kinds import AnyCurateScore
from stages.curation.score_kinds.function import function_files
from stages.curation.score_kinds.kind import Cut
from stages.curation.scores.settings import Quality
from stages.curation.text.language_codes import model_codes
from stages.foundation.errors import InputError
from stages.foundation.section import Section
from stages.settings.curate_searches import (
    DISTANCES,
    SCORE_NAME,
    RepeatSettings,
    SemanticSettings,
    chooses,
    score_list,
)

RESERVED = (
    "id",
    "source",
    "text",
    "lang",
    "rules_lang",
    "n_chars",
    "reason",
    "failed",
    "duplicate_of",
    "similarity",
    "ordinal",
    "repeated_lines",
    "repeated_paragraphs",
    "repeated_chars",
)

# One field a cut-off, so that a new one of `rules.Thresholds` can be set here without another line.
CUT_OFFS: dict[str, Any] = {
    field.name: (field.type, field.default)
    for field in fields(Thresholds)
    if field.type in (str, int, float | None)
}
ThresholdSettings = create_model("ThresholdSettings", __base__=Section, **CUT_OFFS)


class DedupSettings(Section):
    policy: Literal["none", "exact", "words", "near", "bands"] = Field(
        "near",
        description=(
            "near: what is like the one that stays; bands: whatever one band joins,"
            " unverified and through chains, as FineWeb"
        ),
    )
    keep: str = Field(
        "longest",
        description="which copy of a cluster stays: longest, first, or the best by a score"
        " (quality, own_score, a name of scores);"
        " ties go to the smaller hash of the text, `first` to input order",
    )
    threshold: float = Field(
        0.8,
        ge=0.3,
        le=1,
        description="Jaccard similarity of shingles from which documents are near copies",
    )
    shingle_words: int = Field(5, ge=1, le=50, description="words a shingle")
    bands: int = Field(
        20, ge=1, le=256, description="bands of the hash; 14 for policy bands"
    )
    rows: int = Field(
        6,
        ge=1,
        le=64,
        description=(
            "rows a band; pairs of similarity s meet, and are then compared, with"
            " probability 1-(1-s^rows)^bands; 8 for policy bands"
        ),
    )
    seed: int = Field(1, ge=0)
    warn_lost: float = Field(
        0.5, gt=0, le=1, description="share of the documents lost as copies: warn"
    )
    warn_cluster: float = Field(
        0.05, gt=0, le=1, description="share of the documents in one cluster: warn"
    )
    warn_shared: float = Field(
        0.05,
        gt=0,
        le=1,
        description="share of the documents, copies removed, that hold one text: warn",
    )

    @model_validator(mode="before")
    @classmethod
    def _as_fineweb(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("policy") == "bands":
            return {"bands": FINEWEB_BANDS, "rows": FINEWEB_ROWS} | value
        return value

    @model_validator(mode="after")
    def _meets(self) -> "DedupSettings":
        if self.policy == "near" and (fault := self.minhash().fault()):
            raise ValueError(fault)
        return self

    def minhash(self) -> MinHash:
        return MinHash(
            shingle_words=self.shingle_words,
            bands=self.bands,
            rows=self.rows,
            seed=self.seed,
            threshold=self.threshold,
        )

    def limits(self) -> Limits:
        return Limits(
            lost=self.warn_lost, cluster=self.warn_cluster, shared=self.warn_shared
        )


class DecontaminateSettings(Section):
    files: list[str] = Field(
        min_length=1, description="evaluation files, in any format that is read"
    )
    text: str = Field("text", description="their column or key that holds the text")
    ngram_words: int = Field(NGRAM_WORDS, ge=2, le=100)
    overlap_share: float = Field(
        OVERLAP_SHARE,
        gt=0,
        le=1,
        description=(
            "a document with this share of its n-grams in the files is dropped; copies"
            " of a whole file's text always are"
        ),
    )


class QualitySettings(Cut):
    reference: list[str] = Field(
        [],
        description=(
            "files of text that you want more of; a classifier is trained on them and a"
            " sample of the input"
        ),
    )
    model: str | None = Field(
        None,
        description=(
            "folder of a classifier that was saved before, in place of a reference"
        ),
    )
    text: str = Field("text", description="their column or key that holds the text")
    keep_above: float | None = Field(
        None,
        ge=0,
        le=1,
        description="documents that score lower are dropped; null only scores",
    )
    train_chars: int = Field(
        20_000_000,
        ge=10_000,
        description=(
            "characters of the input, drawn by hash, that the classifier learns from"
        ),
    )
    folds: int = Field(5, ge=2, le=20)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _one_source(self) -> "QualitySettings":
        if bool(self.reference) == (self.model is not None):
            raise ValueError(
                "needs exactly one of reference (files to learn from) and model (a"
                " saved classifier)"
            )
        return self

    def model_settings(self) -> Quality:
        return Quality(folds=self.folds, train_chars=self.train_chars, seed=self.seed)


class UrlListSettings(Section):
    """Text files, one entry a line."""

    domains: str | None = None
    urls: str | None = None
    words: str | None = None
    soft_words: str | None = None
    substrings: str | None = None


class ScorerSettings(Cut):
    function: str = Field(
        description="module:function, from a list of texts to as many numbers"
    )

    def code_files(self) -> list[str]:
        return function_files(self.function)


class CurateSettings(Section):
    text: str = Field("text", description="column or key that holds the text")
    id: str | None = Field(
        None,
        description=(
            "column or key with a name that is unique in the whole input; ids then do"
            " not depend on files"
        ),
    )
    lang: str | None = Field(None, description="column or key that holds the language")
    extra: list[str] = Field(
        [],
        description="columns or keys carried into the output as text, for example url",
    )
    pool: str = Field(
        "curated",
        description="goes into each id, so that two inputs have different ones",
    )
    rules: str | list[str] = Field(
        "fineweb", description="a rule set, rules by name in order, or [] for none"
    )
    thresholds: ThresholdSettings = ThresholdSettings()
    drop_nul: bool = Field(True, description="drop documents that hold a NUL character")
    max_doc_chars: int = Field(
        5_000_000,
        ge=1_000,
        description=(
            "a longer document is dropped unmeasured: rules take 40 bytes a character"
        ),
    )
    max_row_bytes: int = Field(
        MAX_ROW_BYTES,
        ge=1_000,
        description=(
            "a longer row is not held in memory: the quarantine file says where it"
            " stands and how it begins"
        ),
    )
    clean: Literal["c4", "refinedweb"] | None = Field(
        None,
        description=(
            "cut lines out of the text as these do, before the rules look at it"
        ),
    )
    url_lists: UrlListSettings | None = Field(
        None, description="drop by URL; needs `url` among the extra columns"
    )
    bad_words: str | None = Field(
        None, description="file of words, one a line, that drop a document"
    )
    languages: list[str] = Field(
        [],
        description=(
            "wanted languages, codes of ISO 639 or BCP 47 in any case (en, eng, en-US);"
            " other documents are dropped, and these below min_lang_score"
        ),
    )
    mask_pii: bool = Field(
        False, description="mask e-mail and public IP addresses in what is kept"
    )
    scorer: ScorerSettings | None = None
    scores: dict[Annotated[str, Field(pattern=SCORE_NAME)], AnyCurateScore] = Field(
        {}, description="further columns of numbers by name"
    )
    dedup: DedupSettings = DedupSettings()
    semantic: SemanticSettings | None = Field(
        None,
        description="drop documents that say the same as another; after the copies",
    )
    lines: RepeatSettings | None = Field(
        None, description="take out lines that stand in the input before; last of all"
    )
    paragraphs: RepeatSettings | None = Field(
        None, description="the same for what stands between blank lines"
    )
    decontaminate: DecontaminateSettings | None = None
    quality: QualitySettings | None = None
    shard_mb: float = Field(
        64,
        ge=0.001,
        description=(
            "input a unit of work, megabytes as stored; a killed run loses at most one"
            " a worker"
        ),
    )
    part_chars: int = Field(
        256_000_000,
        ge=1_000,
        description="characters of input behind one part of the output",
    )

    @field_validator("rules")
    @classmethod
    def _known(cls, value: str | list[str]) -> str | list[str]:
        try:
            names = rule_names(value)
        except InputError as error:
            raise ValueError(str(error)) from None
        if asked := [name for name in names if RULES[name].needs]:
            raise ValueError(
                f"rule {asked[0]} is switched on by the key {RULES[asked[0]].needs};"
                " leave it out here"
            )
        return value

    @model_validator(mode="after")
    def _together(self) -> "CurateSettings":
        if self.url_lists is not None and "url" not in self.extra:
            raise ValueError("url_lists needs the column url; add it to extra")
        for name, part in self.scores.items():
            if name in (*self.extra, *RESERVED, "quality", "own_score"):
                raise ValueError(
                    f"scores.{name} would replace a column of the output; give it"
                    " another name"
                )
            for column in part.extra_columns():
                if column not in self.extra:
                    raise ValueError(
                        f"scores.{name} needs the column {column}; add it to extra"
                    )
        if (
            self.semantic is not None
            and self.semantic.column is not None
            and self.semantic.column not in self.extra
        ):
            raise ValueError(
                f"semantic needs the column {self.semantic.column}; add it to extra"
            )
        return self._choosers()

    def _choosers(self) -> "CurateSettings":
        """What copies are chosen by must be there."""
        for section, part, others in (
            ("dedup", self.dedup, ("first",)),
            ("semantic", self.semantic, DISTANCES),
        ):
            if part is None or part.keep in others or chooses(self, part.keep):
                continue
            if cure := {"quality": "quality", "own_score": "scorer"}.get(part.keep):
                raise ValueError(
                    f"{section}.keep: {part.keep} needs the section {cure}; add it or"
                    " keep the longest"
                )
            known = ", ".join(["longest", *others, *score_list(self)])
            raise ValueError(
                f"{section}.keep: {part.keep} is neither a way to choose nor a score of"
                f" this run; known are {known}"
            )
        return self

    @field_validator("languages")
    @classmethod
    def _codes(cls, value: list[str]) -> list[str]:
        try:
            return model_codes(value)
        except InputError as error:
            raise ValueError(str(error)) from None

    @field_validator("thresholds")
    @classmethod
    def _tokeniser(cls, value: Any) -> Any:
        if value.words not in TOKENISERS:
            raise ValueError(f"words must be one of {', '.join(TOKENISERS)}")
        return value

    def columns(self) -> Columns:
        return Columns(
            text=self.text, id=self.id, lang=self.lang, extra=tuple(self.extra)
        )

    def other_files(self) -> tuple[list[str], list[str]]:
        """(files of documents, single files) that are read beside the input."""
        texts = [
            *(self.decontaminate.files if self.decontaminate else ()),
            *(self.quality.reference if self.quality else ()),
        ]
        models = []
        for part in self.scores.values():
            texts += part.text_files()
            models += part.model_folders()
        if self.quality and self.quality.model:
            models.append(self.quality.model)
        single = [
            *(
                self.url_lists.model_dump(exclude_none=True).values()
                if self.url_lists
                else ()
            ),
            *([self.bad_words] if self.bad_words else ()),
        ]
        single += [f"{folder}/card.json" for folder in models]
        for part in score_list(self).values():
            single += part.code_files()
        if self.semantic is not None and self.semantic.folder is not None:
            single += (
                [f"{self.semantic.folder}/modules.json"]
                if self.semantic.embed == "sentence"
                else [f"{self.semantic.folder}/card.json", self.semantic.tokenizer]
            )
        return texts, single

    def rule_thresholds(self) -> Thresholds:
        return Thresholds(**self.thresholds.model_dump())


def looked_at(settings: CurateSettings) -> list[tuple[str, str]]:
    """(key, extra column) of each setting that drops or scores by a column of the input."""
    found = [("url_lists", "url")] if settings.url_lists is not None else []
    for name, part in settings.scores.items():
        found += [(f"scores.{name}", column) for column in part.extra_columns()]
    if settings.semantic is not None and settings.semantic.column is not None:
        found.append(("semantic.column", settings.semantic.column))
    return found


def result_settings(settings: CurateSettings) -> dict[str, Any]:
    """The settings that decide what is kept, for a hash; thresholds as the published defaults plus what was set."""
    tree = settings.model_dump()
    tree["thresholds"] = asdict(settings.rule_thresholds())
    return tree
