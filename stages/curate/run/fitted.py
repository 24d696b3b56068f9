"""Models that a run fits once, before any document is judged, kept in files that every worker
reads.

Question: what do the quality classifier and the n-gram scores learn from? Input: the units of a run
and reference files. Output: one file or folder a model. A sample of the input depends on the
documents alone, so neither units nor workers change a model. Cost: one more read of the input for
each model that learns from it, 3 bytes a sampled character of the classifier (20 million by
default); two n-gram models of 5 million characters each raise a run of 1 GB to 476 MB (measured).
"""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from stages.curate.work.hash_sample import smallest
from stages.curate.work.unit_rows import unit_documents
from stages.curate.work.units import Unit
from stages.curation.reading.readers import read_all
from stages.curation.reading.rows import Columns
from stages.curation.scores.quality import QualityModel, fit_quality
from stages.curation.scores.settings import Quality
from stages.foundation.errors import InputError
from stages.foundation.files import whole_file
from stages.settings.curate import CurateSettings, QualitySettings

QUALITY = "quality.npz"


def fit_models(units: Sequence[Unit], settings: CurateSettings, folder: Path) -> None:
    """Fit what is not there yet."""
    if (
        settings.quality is not None
        and settings.quality.model is None
        and not (folder / QUALITY).exists()
    ):
        _fit_quality(units, settings, asked=settings.quality, path=folder / QUALITY)
    for name, asked in settings.scores.items():
        try:
            asked.fit(partial(sample, units, settings), folder / name)
        except InputError as error:
            raise InputError(f"scores.{name}: {error}") from None


def _fit_quality(
    units: Sequence[Unit],
    settings: CurateSettings,
    asked: QualitySettings,
    path: Path,
) -> None:
    reference = read_all(asked.reference, "reference", columns=Columns(text=asked.text))
    model = fit_quality(
        sample(units, settings, max_chars=asked.train_chars, seed=asked.seed),
        reference,
        asked.model_settings(),
    )
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.savez(
            file,
            weights=model.weights,
            intercepts=model.intercepts,
            **asdict(model.params),
        )


def load_model(path: Path) -> QualityModel:
    """The classifier that was fitted."""
    with np.load(path) as saved:
        params = {
            name: saved[name].item()
            for name in saved.files
            if name not in ("weights", "intercepts")
        }
        return QualityModel(Quality(**params), saved["weights"], saved["intercepts"])


def sample(
    units: Sequence[Unit], settings: CurateSettings, max_chars: int, seed: int
) -> pl.DataFrame:
    """Documents of the input, at most `max_chars` characters of them, drawn by hash."""
    frames = (
        frame
        for unit in units
        for frame in unit_documents(unit, settings, on_bad=lambda bad: None)
    )
    frames = (
        frame.filter(pl.col("n_chars") <= settings.max_doc_chars).with_columns(
            parent="id"
        )
        for frame in frames
    )
    return smallest(frames, max_chars, seed=seed, salt="quality sample")
