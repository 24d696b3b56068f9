"""What scores can be asked: settings, bounds and names, without what computes them.

A file of parameters is checked against these by every command, so nothing here imports polars or numpy.
"""

from dataclasses import dataclass

# of the folder of a saved model, see model_card.py
MODEL_FILES = ("card.json", "arrays.npz")
MAX_POINTS = 2000  # assumed: rows of a side of optimal transport that are solved for


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Settings of the classifier."""

    folds: int = 5
    hash_bits: int = 18  # 262,144 weights a fold
    ngram_words: int = 2  # word 1- to 2-grams, as fastText in DCLM
    # measured, news against code, documentation and tweets: AUC .984 at 1e-6 and 1e-5, .983 at
    # 1e-4, best calibrated at 1e-5
    l2: float = 1e-5
    passes: int = 8
    train_chars: int = 50_000_000  # a larger pool is subsampled by hash for training; every document is scored
    bins: int = 10
    seed: int = 0
