"""A quality classifier learned from a hash sample of the input, kept in a file that every worker reads.

Question: which documents resemble the reference text? Input: the units of a run and reference files. Output: the model
as one npz file. The sample depends on the documents alone, so neither units nor workers change the model.
Cost: one more read of the input, about 3 bytes a sampled character (20 million by default).
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.documents import uniform
from stages.curation.quality import Quality, QualityModel, fit_quality
from stages.curation.readers import read_all
from stages.curation.rows import Columns
from stages.curation.stream.settings import CurateSettings
from stages.curation.stream.unit_rows import unit_documents
from stages.curation.stream.units import Unit
from stages.files import whole_file


def train(units: Sequence[Unit], settings: CurateSettings, path: Path) -> None:
    """Fit on the sample and the reference, and write the model."""
    asked = settings.quality
    reference = read_all(asked.reference, "reference", columns=Columns(text=asked.text))
    model = fit_quality(sample(units, settings, asked.train_chars), reference, asked.model_settings())
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, weights=model.weights, intercepts=model.intercepts, **asdict(model.params))


def load_model(path: Path) -> QualityModel:
    """The model that `train` wrote."""
    with np.load(path) as saved:
        params = {name: saved[name].item() for name in saved.files if name not in ("weights", "intercepts")}
        return QualityModel(Quality(**params), saved["weights"], saved["intercepts"])


def sample(units: Sequence[Unit], settings: CurateSettings, max_chars: int) -> pl.DataFrame:
    """Documents of the smallest hashes, at most `max_chars` characters of them, held in at most twice that."""
    kept, bound = [], 1.0
    for unit in units:
        for frame in unit_documents(unit, settings, on_bad=lambda bad: None):
            frame = frame.filter(pl.col("n_chars") <= settings.max_doc_chars)
            frame = frame.with_columns(parent="id", _u=pl.Series(uniform(settings.quality.seed, frame["id"], "quality sample"), dtype=pl.Float64))
            kept.append(frame.filter(pl.col("_u") < bound))
            if sum(part["n_chars"].sum() for part in kept) > 2 * max_chars:
                kept = [_smallest(kept, max_chars)]
                bound = kept[0]["_u"].max()
    return _smallest(kept, max_chars).drop("_u")


def _smallest(parts: list[pl.DataFrame], max_chars: int) -> pl.DataFrame:
    together = pl.concat(parts).sort("_u", "id")
    return together.filter(pl.col("n_chars").cum_sum() <= max(max_chars, together["n_chars"][0] if together.height else 0))
