"""Question: how good and how hard is every document, and which rules does it break?
Input: pools and reference text. Output: per document an out-of-fold quality score, a difficulty (distance
to the nearest prototype), every rule's measured value and verdict; a report of what each rule would drop.
Nothing is dropped here: dropping is an arm's choice. `extra` asks for further columns by name (extra_scores.py), none by
default. Cost: about 1 s per 3 MB, and what the extra columns cost.
"""

import logging
from typing import Annotated

import polars as pl
from pydantic import AfterValidator, Field

from stages.curation.arm_views import OWN_SCORES
from stages.curation.prototypes import prototype_difficulty
from stages.curation.quality import Quality, quality_scores
from stages.curation.quality_card import save_quality
from stages.curation.rules import Thresholds, rule_report, rule_table
from stages.errors import InputError
from stages.extra_scores import ExtraScore, extra_column, score_inputs
from stages.files import whole_file, write_json
from stages.stage import Section, Stage

log = logging.getLogger("assay")
TAKEN = {
    *OWN_SCORES, "id", "row", "pool", "n_chars", "n_tokens", "cluster", "is_first", "duplicate", "arm", "draw", "weight", "tier", "tier_name",
    "text", "source", "lang", "parent",
}  # fmt: skip


def names_are_free(extra: dict[str, ExtraScore]) -> dict[str, ExtraScore]:
    """The columns asked for; ValueError where a name is taken or no plain name."""
    for name in extra:
        if not name.isidentifier() or name != name.lower() or name in TAKEN or name.startswith("_"):
            raise ValueError(f"a column cannot be named {name!r}; a name is lower-case letters, digits and _ and none of {', '.join(sorted(TAKEN))}")
    return extra


class ScoreParams(Section):
    seed: int = Field(1, ge=0)
    save_quality: str | None = Field(None, description="folder to keep the quality classifier in, with its card, for new data; DVC does not track it")
    extra: Annotated[dict[str, ExtraScore], AfterValidator(names_are_free)] = Field({}, description="further score columns by name, for arms to select by")
    folds: int = Field(5, ge=2, le=20, description="parts of the pool; each is scored by a model trained on the others")
    train_chars: int = Field(50_000_000, ge=10_000, description="pool characters the quality classifier learns from")
    prototypes: int = Field(64, ge=2, le=100_000, description="clusters for the difficulty score")
    words: str = Field("datatrove", pattern="^(datatrove|whitespace)$", description="word tokeniser of the document rules")


def run(params: ScoreParams) -> None:
    """Rules, quality and difficulty of every pool document, in one table by id."""
    pool = pl.read_parquet("data/ingest/pools/**/*.parquet").sort("id")
    reference = pl.read_parquet("data/ingest/reference.parquet")
    rules = rule_table(pool, Thresholds(words=params.words))
    quality = quality_scores(pool, reference, Quality(folds=params.folds, train_chars=params.train_chars, seed=params.seed))
    if params.save_quality:
        save_quality(params.save_quality, quality, pool, reference)
    difficulty = prototype_difficulty(pool["text"].to_list(), n_clusters=params.prototypes, seed=params.seed)
    scores = (
        pool.select("id", "pool", "n_chars")
        .with_columns(difficulty=difficulty)
        .join(quality.scores.select("id", quality="score"), on="id", how="left", validate="1:1")
        .join(rules, on="id", how="left", validate="1:1")
    )
    scores = scores.with_columns(extra_columns(params, pool, reference, scores.columns))
    with whole_file("data/score/scores.parquet") as temporary:
        scores.write_parquet(temporary)
    with whole_file("data/score/calibration.csv") as temporary:
        quality.calibration.write_csv(temporary)
    with whole_file("data/score/rules.csv") as temporary:
        rule_report(rules, pool).write_csv(temporary)
    metrics = {
        "quality_auc": round(quality.auc, 4),
        "quality_auc_worst_fold": round(min(quality.fold_auc), 4),
        "quality_length_correlation": round(quality.length_correlation, 4),
        "rules_pass_fraction": round(float(scores["rules_pass"].mean()), 4),
    }
    write_json("data/metrics/score.json", metrics)
    log.info("score: quality AUC %.3f (worst fold %.3f), %.0f %% pass all rules", quality.auc, min(quality.fold_auc), 100 * metrics["rules_pass_fraction"])


def extra_columns(params: ScoreParams, pool: pl.DataFrame, reference: pl.DataFrame, taken: list[str]) -> list[pl.Series]:
    """The columns asked for, in the order of params."""
    columns = []
    for name, settings in params.extra.items():
        if name in taken:
            raise InputError(f"params.yaml: score.extra.{name}: a document rule has this name; choose another")
        columns.append(extra_column(name, settings, pool, reference, params.seed))
        log.info("score: %s (%s), %d of %d documents without", name, settings.kind, columns[-1].null_count(), len(pool))
    return columns


stage = Stage(
    run=run,
    params=ScoreParams,
    question="How good and how hard is every document, and which rules does it break?",
    deps=("data/ingest",),
    inputs=lambda params: score_inputs(params.extra),
    outs=("data/score/scores.parquet",),
    tracked=("data/score/rules.csv", "data/score/calibration.csv"),
    metrics=("data/metrics/score.json",),
)
