"""Difficulties of the images of a pool by the published pruning metrics, for arms to select by.

Question: how hard is every image? Input: pool and held-out images, a model recipe. Output: the
scores table of the pipeline: one column a metric, `difficulty` (the first metric asked for) and
`quality` (its negative: high = typical). Cost: the trainings that the metrics need, see
difficulty.py.
"""

import polars as pl

from stages.curation.sample_data.arrays import stacked
from stages.foundation import artefacts
from stages.foundation.files import whole_file, write_json
from stages.images.difficulty import Scoring, image_difficulty
from stages.images.pools import pooled
from stages.images.scoring import ImageScoring


def score(settings: ImageScoring, seed: int) -> None:
    """Write the scores of every pool image; the tables of the document rules stay empty."""
    from stages.images.device import image_device
    from stages.proxy.images.data import ImageData
    from stages.proxy.images.spec import ImageShape, ImageSpec

    pool, heldout = pooled(), pooled(artefacts.INGESTED_HELD_OUT)
    data = ImageData(
        stacked(pool),
        labels=pool["label"].to_numpy(),
        held_out_pixels=stacked(heldout),
        held_out_labels=heldout["label"].to_numpy(),
    )
    classes = 1 + int(max(pool["label"].max(), heldout["label"].max()))
    _, channels, height, columns = data.pixels.shape
    shape = ImageShape(
        kind=settings.kind,
        width=settings.width,
        depth=settings.depth,
        channels=channels,
        height=height,
        columns=columns,
        n_classes=classes,
    )
    budget = settings.samples - settings.samples % settings.batch_samples
    spec = ImageSpec(
        arm="",
        shape=shape,
        budgets_samples=(budget,),
        batch_samples=settings.batch_samples,
        lr=settings.lr,
        seed=seed,
        data_seed=seed,
    )
    how = Scoring(spec=spec, models=settings.models, prototypes=classes, seed=seed)
    with image_device("auto", "score"):
        found = image_difficulty(settings.metrics, data, how)
    first = pl.Series(found[settings.metrics[0]], dtype=pl.Float64)
    scores = pool.select("id", "pool", "n_chars", "label").with_columns(
        difficulty=first, quality=-first, rules_pass=pl.lit(True)
    )
    scores = scores.with_columns(
        pl.Series(name, found[name], dtype=pl.Float64) for name in settings.metrics
    )
    with whole_file(artefacts.SCORES) as temporary:
        scores.write_parquet(temporary)
    for path in (artefacts.CALIBRATION, artefacts.RULE_COUNTS):
        with whole_file(path) as temporary:
            temporary.write_text("")
    write_json(
        artefacts.SCORE_METRICS,
        {"images": scores.height, "mean_difficulty": round(float(first.mean()), 6)},
    )
