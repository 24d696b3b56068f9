"""The quality classifier kept for new data: weights, the map from score to calibrated chance, and
its card.

Question: how good are documents that came after the training? Input: a fitted `QualityResult`,
later new documents. Output: a folder, later `score` and `calibrated`. A new document is scored by
the model of its own fold, as training documents are, so a document that was trained on never meets
a model that saw it. `calibrated` is the monotone (isotonic) fit of the reference label to the
out-of-fold scores, both classes weighing one half. Cost: 1 MB a fold on disk. Fails on text unlike
both classes: the calibration says nothing about it, and the card's numbers do not hold there.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.scores.model_card import load_model, save_model, training_data
from stages.curation.scores.quality import QualityModel, QualityResult
from stages.curation.scores.settings import Quality

KIND = "quality"


@dataclass(frozen=True, eq=False)
class SavedQuality:
    """A classifier read from disk. `knots` (2, k): scores and the calibrated chances there."""

    model: QualityModel
    knots: np.ndarray
    card: dict

    def score(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns `id`, `score`, `fold`, `calibrated` of documents with `id`, `text`, `parent`."""
        scores = self.model.score(frame)
        return scores.with_columns(
            calibrated=np.interp(scores["score"].to_numpy(), *self.knots)
        )


def calibration_knots(
    pool_scores: np.ndarray, reference_scores: np.ndarray
) -> np.ndarray:
    """The isotonic map (2, k) from score to the chance of being reference text, classes weighing the same."""
    from sklearn.isotonic import IsotonicRegression

    score = np.concatenate([pool_scores, reference_scores])
    label = np.repeat([0.0, 1.0], [len(pool_scores), len(reference_scores)])
    weight = np.repeat(
        [0.5 / max(1, len(pool_scores)), 0.5 / max(1, len(reference_scores))],
        [len(pool_scores), len(reference_scores)],
    )
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(
        score, label, weight
    )
    return np.stack([fitted.X_thresholds_, fitted.y_thresholds_])


def save_quality(
    folder: Path | str,
    result: QualityResult,
    pool: pl.DataFrame | Iterable[pl.DataFrame],
    reference: pl.DataFrame | Iterable[pl.DataFrame],
) -> None:
    """Keep a fitted classifier with what it was trained on (tables, or streams in id order) and how well it did.

    >>> from stages.curation.reading.documents import documents
    >>> from stages.curation.scores.quality import quality_scores
    >>> names = [str(i) for i in range(60)]
    >>> good = [f"minister said the council of town {name} met" for name in names]
    >>> code = [f"def f{name} return self import class" for name in names]
    >>> pool = documents(good[:30] + code[:30], names, "web")
    >>> reference = documents(good[30:], names[30:], "reference")
    >>> save_quality("quality", quality_scores(pool, reference), pool, reference)
    >>> load_quality("quality").score(pool).columns
    ['id', 'score', 'fold', 'calibrated']
    """
    card = {
        "params": asdict(result.model.params),
        "trained_on": {
            "pool": training_data(pool),
            "reference": training_data(reference),
        },
        "measured_out_of_fold": {
            "auc_by_fold": result.fold_auc,
            "length_correlation": result.length_correlation,
        },
        "calibration": result.calibration.to_dicts(),
        "score": (
            "chance of being reference text under equal class weights, not a"
            " probability that a document is good"
        ),
    }
    knots = calibration_knots(
        result.scores["score"].to_numpy(), result.reference_scores["score"].to_numpy()
    )
    model = result.model
    save_model(
        folder,
        KIND,
        card=card,
        arrays={
            "weights": model.weights.astype(np.float32),
            "intercepts": model.intercepts,
            "knots": knots,
        },
    )


def load_quality(folder: Path | str) -> SavedQuality:
    """A classifier saved before.

    The example of `save_quality` loads what it saved.
    """
    card, arrays = load_model(folder, KIND)
    return SavedQuality(
        QualityModel(
            Quality(**card["params"]),
            arrays["weights"].astype(np.float64),
            arrays["intercepts"],
        ),
        arrays["knots"],
        card,
    )
