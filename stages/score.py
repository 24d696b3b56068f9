"""Question: how good and how hard is every document, and which rules does it break? Input: pools
and reference text. Output: per document an out-of-fold quality score, a difficulty (distance to the
nearest prototype), every rule's measured value and verdict; a report of what each rule would drop.
Nothing is dropped here: dropping is an arm's choice. `extra` asks for further columns by name
(extra_scores.py), none by default. Models learn from a sample by hash of at most `train_chars`; the
pool goes by in ranges of ids, so memory does not grow with its text
(benchmarks/pipeline_memory.py). Cost: about 1 s per 7 MB, and what the extra columns cost; disk of
two thirds of the text while it runs.
"""

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from stages import images
from stages.curation.names import OWN_SCORES
from stages.curation.pruning_metrics.prototypes import (
    TextPrototypes,
    fit_text_prototypes,
)
from stages.curation.reading.ordered_pool import HeldPool, OrderedPool, ordered_pool
from stages.curation.reading.row_groups import RowGroups, batches, compact
from stages.curation.score_kinds.kind import kind_name
from stages.curation.scores.quality import (
    QualityModel,
    QualityResult,
    fit_sampled,
    in_sample,
    quality_result,
    training_sample,
    training_share,
)
from stages.curation.scores.quality_card import save_quality
from stages.curation.scores.settings import MODEL_FILES, Quality
from stages.declarations.score import CARRIED, ScoreParams
from stages.foundation import artefacts
from stages.foundation.errors import ParamsError
from stages.foundation.files import refuse_others, whole_file, write_json
from stages.images.scores import score as score_images
from stages.images.scoring import ImageScoring
from stages.pool_scores.extra_scores import Scorer, extra_scorer
from stages.pool_scores.rule_columns import RuleColumns, address_column

log = logging.getLogger("assay")
REFERENCE = Path(artefacts.REFERENCE)
WORK = Path(
    artefacts.SCORE_WORK
)  # ranges of the pool while the stage runs; git ignores it


def run(params: ScoreParams) -> None:
    """Rules, quality and difficulty of every pool document, in one table by id."""
    if images.are_pooled():
        score_images(params.images or ImageScoring(), params.seed)
        return
    if params.save_quality:
        refuse_others(params.save_quality, MODEL_FILES)
    shutil.rmtree(WORK, ignore_errors=True)
    try:
        pool = ordered_pool(
            sorted(Path(artefacts.POOLS).rglob("*.parquet")), WORK / "pool"
        )
        rules = RuleColumns(params)
        judge = Judge(params, pool, rules)
        with whole_file(artefacts.SCORES) as temporary:
            quality, passed = judge.write(temporary)
        if params.save_quality and judge.reference is not None:
            save_quality(
                params.save_quality, quality, pool.batches(), judge.reference.batches()
            )
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
    if message := rules.note():
        log.warning("score: %s", message)
    with whole_file(artefacts.CALIBRATION) as temporary:
        quality.calibration.write_csv(temporary)
    with whole_file(artefacts.RULE_COUNTS) as temporary:
        rules.report().write_csv(temporary)
    metrics = {
        "quality_auc": round(quality.auc, 4),
        "quality_auc_worst_fold": round(min(quality.fold_auc), 4),
        "quality_length_correlation": round(quality.length_correlation, 4),
        "rules_pass_fraction": round(passed, 4),
    }
    write_json(artefacts.SCORE_METRICS, metrics)
    log.info(
        "score: quality AUC %.3f (worst fold %.3f), %.0f %% pass all rules",
        quality.auc,
        min(quality.fold_auc),
        100 * metrics["rules_pass_fraction"],
    )


class Judge:
    """What gives documents their scores: models fitted on a sample, ready for one range of ids after the other."""

    def __init__(
        self, params: ScoreParams, pool: OrderedPool, rules: RuleColumns
    ) -> None:
        self.params, self.pool, self.rules = params, pool, rules
        self.share = training_share(pool.n_chars, params.quality())
        address_column(first := next(pool.batches()).head(1), params)
        taken = [
            "id",
            "pool",
            "n_chars",
            *OWN_SCORES,
            *rules.of(first, count=False).columns,
        ]
        self.reference = (
            ordered_pool([REFERENCE], WORK / "reference")
            if params.extra or params.save_quality
            else None
        )
        self.model, self.prototypes, self.of_sample = self._fitted()
        self.extras = extra_scorers(params, pool, reference=self.reference, taken=taken)

    def _fitted(self) -> tuple[QualityModel, TextPrototypes, np.ndarray]:
        settings = self.params.quality()
        sample = training_sample(self.pool, settings)
        model = fit_sampled(sample, training_reference(settings), settings)
        return model, *fit_text_prototypes(
            sample["text"].to_list(),
            n_clusters=self.params.prototypes,
            seed=self.params.seed,
        )

    def write(self, path: Path) -> tuple[QualityResult, float]:
        """The table; how far to trust the quality score, and the fraction of documents that pass all rules."""
        scores, sizes, passed, at = [], [], 0, 0
        groups = RowGroups(path, dictionaries=("pool", "licence", "first_failed"))
        for frame in self.pool.batches():
            learned = in_sample(frame, self.share, self.params.quality())
            difficulty = self._difficulty(
                frame, learned, self.of_sample[at : at + learned.sum()]
            )
            at += int(learned.sum())
            quality = self.model.score(frame)
            rules = self.rules.of(frame)
            carried = [name for name in CARRIED if name in frame.columns]
            table = frame.select("id", "pool", "n_chars", *carried).with_columns(
                difficulty=difficulty, quality=quality["score"]
            )
            table = pl.concat([table, rules.drop("id")], how="horizontal")
            groups.add(table.with_columns(scorer(frame) for scorer in self.extras))
            passed += int(rules["rules_pass"].sum())
            scores.append(quality.select("score", pl.col("fold").cast(pl.Int8)))
            sizes.append(frame.select(pl.col("pool").cast(pl.Categorical), "n_chars"))
        groups.close()
        reference = pl.concat(
            self.model.score(frame).drop("id") for frame in batches(REFERENCE)
        )
        return quality_result(
            self.model,
            pl.concat(scores),
            reference_scores=reference,
            pool=pl.concat(sizes),
        ), passed / max(1, groups.documents)

    def _difficulty(
        self, frame: pl.DataFrame, learned: pl.Series, known: np.ndarray
    ) -> np.ndarray:
        """Documents that the prototypes were learned from keep what they were given there."""
        values = np.empty(frame.height, dtype=known.dtype)
        values[learned.to_numpy()] = known
        if not learned.all():
            values[~learned.to_numpy()] = self.prototypes.difficulty(
                frame["text"].filter(~learned).to_list()
            )
        return values


def training_reference(settings: Quality) -> pl.DataFrame:
    """The reference text that is learned from, sorted by id, without holding the rest."""
    share = training_share(
        sum(int(frame["n_chars"].sum()) for frame in batches(REFERENCE, ["n_chars"])),
        settings,
    )
    return pl.concat(
        compact(frame.filter(in_sample(frame, share, settings)))
        for frame in batches(REFERENCE)
    ).sort("id")


def extra_scorers(
    params: ScoreParams, pool: Any, reference: Any, taken: list[str]
) -> list[Scorer]:
    """What gives the columns asked for, in the order of params."""
    scorers = []
    for name, settings in params.extra.items():
        if name in taken:
            raise ParamsError(
                f"score.extra.{name}: a document rule has this name; choose another"
            )
        scorers.append(
            extra_scorer(
                name, settings, pool=pool, reference=reference, seed=params.seed
            )
        )
        log.info("score: %s (%s)", name, kind_name(type(settings)))
    return scorers


def extra_columns(
    params: ScoreParams, pool: pl.DataFrame, reference: pl.DataFrame, taken: list[str]
) -> list[pl.Series]:
    """The columns asked for, of a pool that is held in memory."""
    return [
        scorer(pool)
        for scorer in extra_scorers(
            params, HeldPool(pool), reference=HeldPool(reference), taken=taken
        )
    ]
