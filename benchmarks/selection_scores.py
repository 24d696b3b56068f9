"""What each further score tells apart on real pools, and what it costs.

python benchmarks/selection_scores.py [FOLDER] [DOCUMENTS]. FOLDER is an ingest folder (default
data/ingest) whose reference comes from some of its pools: a document of such a pool is "like the
target". Per score: CPU seconds, area under the ROC curve for like against the rest (of keep-order:
difficulties count from low), target share of the best 10 % of characters, and the rank correlation
with length inside a pool. Random is 0.5 and the target's share. DOCUMENTS (6,000) are drawn by
hash.
"""

import json
import platform
import sys
import time

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from stages.curation.reading.documents import uniform
from stages.curation.scores.quality import quality_scores
from stages.curation.scores.settings import Quality
from stages.curation.selecting.selection import keep_fraction
from stages.foundation.errors import InputError
from stages.score import ScoreParams, extra_columns

KINDS = {
    "perplexity, word 3-grams of the reference": ({"kind": "ngram"}, -1),
    "perplexity, character 5-grams of the reference": (
        {"kind": "ngram", "unit": "character", "order": 5},
        -1,
    ),
    "perplexity, word 3-grams of the pool's other half": (
        {"kind": "ngram", "train_on": "pool"},
        -1,
    ),
    "RDS+, hashed words": ({"kind": "nearest"}, 1),
    "GOT-D, hashed words": ({"kind": "transport", "max_points": 1000}, 1),
    "skill graph, keyphrases": ({"kind": "skills"}, 1),
}


def machine() -> dict[str, str]:
    """What the figures hold for."""
    with open("/proc/cpuinfo") as file:
        model = next(
            line.split(":")[1].strip() for line in file if line.startswith("model name")
        )
    return {
        "cpu": model,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "polars": pl.__version__,
    }


def judged(pool: pl.DataFrame, values: pl.Series, like: np.ndarray) -> dict[str, float]:
    """Area, target share of the best tenth, correlation with length."""
    filled = values.fill_null(float(values.min()) - 1)
    frame = pool.with_columns(score=filled)
    best = keep_fraction(frame, 0.1, size="n_chars")["id"].implode()
    chosen = frame.with_columns(like=pl.Series(like)).filter(pl.col("id").is_in(best))
    share = float((chosen["like"] * chosen["n_chars"]).sum() / chosen["n_chars"].sum())
    within = (
        frame.group_by("pool")
        .agg(pl.corr("score", "n_chars", method="spearman"), pl.len())
        .filter(pl.col("score").is_not_nan())
    )
    length = float((within["score"] * within["len"]).sum() / within["len"].sum())
    return {
        "auc": round(float(roc_auc_score(like, filled)), 4),
        "target_share_best_tenth": round(share, 4),
        "length_correlation": round(length, 3),
    }


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else "data/ingest"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 6000
    pool = pl.read_parquet(f"{folder}/pools/**/*.parquet")
    pool = (
        pool.with_columns(_u=uniform(0, pool["id"], "benchmark"))
        .sort("_u")
        .head(count)
        .drop("_u")
        .sort("id")
    )
    reference = pl.read_parquet(f"{folder}/reference.parquet").sort("id")
    like = pool["pool"].is_in(reference["pool"].unique().to_list()).to_numpy()
    results = {}
    start = time.process_time()
    quality = quality_scores(pool, reference, Quality()).scores["score"]
    results["quality classifier"] = {
        "cpu_s": round(time.process_time() - start, 2),
        **judged(pool, quality, like),
    }
    for name, (settings, sign) in KINDS.items():
        start = time.process_time()
        try:
            column = extra_columns(
                ScoreParams(extra={"x": settings}), pool, reference, []
            )[0]
        except InputError as error:
            print(f"{name}: {error}")
            continue
        results[name] = {
            "cpu_s": round(time.process_time() - start, 2),
            **judged(pool, sign * column, like),
        }
    results["random"] = {
        "cpu_s": 0.0,
        **judged(pool, pl.Series(uniform(1, pool["id"], "random")), like),
    }
    megabytes = float(pool["text"].str.len_bytes().sum()) / 1e6
    print(
        f"{pool.height} documents, {megabytes:.1f} MB, {like.mean():.1%} of documents"
        " like the target"
    )
    print(f"{'':52}{'CPU s':>8}{'AUC':>9}{'best tenth':>12}{'length':>9}")
    for name, row in results.items():
        print(
            f"{name:52}{row['cpu_s']:8.2f}{row['auc']:9.4f}{row['target_share_best_tenth']:12.3f}{row['length_correlation']:9.3f}"
        )
    print(
        json.dumps(
            {
                "documents": pool.height,
                "megabytes": megabytes,
                "scores": results,
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
