import numpy as np
import polars as pl
import pytest

from stages.curation.selecting.class_balance import balance, keep_balanced
from stages.curation.selecting.selection import TAKES
from stages.foundation.errors import InputError


@pytest.fixture
def pool():
    """1,000 rows; class 2 is easy, so keep-hard starves it; class 3 is rare."""
    random = np.random.default_rng(0)
    label = np.repeat([0, 1, 2, 3], [400, 300, 280, 20])
    score = random.random(1000) - 2.0 * (label == 2)
    return pl.DataFrame(
        {
            "id": [f"{i:04d}" for i in random.permutation(1000)],
            "label": label,
            "score": score,
            "n_samples": 1,
        }
    )


@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.7])
def test_every_class_keeps_its_floor_and_the_count_is_exact(pool, take, fraction):
    kept = keep_balanced(pool, fraction, take=take, size="n_samples")
    counts = dict(kept["label"].value_counts().iter_rows())
    assert kept.height == round(1000 * fraction)
    for label, size in ((0, 400), (1, 300), (2, 280), (3, 20)):
        assert counts[label] >= min(size, 0.5 * fraction * 1000 / 4)


def test_the_floor_takes_the_best_of_each_class_and_the_rest_goes_by_score(pool):
    kept = keep_balanced(pool, 0.2, size="n_samples")
    easy = pool.filter(pl.col("label") == 2).sort("score", descending=True).head(25)
    assert set(kept.filter(pl.col("label") == 2)["id"]) == set(easy["id"])
    assert balance(kept["label"]) > balance(
        keep_balanced(pool, 0.2, floor=0.0, size="n_samples")["label"]
    )


def test_without_a_floor_it_is_the_plain_selection(pool):
    from stages.curation.selecting.selection import keep_fraction

    assert keep_balanced(pool, 0.25, floor=0.0, size="n_samples")["id"].equals(
        keep_fraction(pool, 0.25, size="n_samples")["id"]
    )


def test_order_does_not_matter_and_sizes_may_differ(pool):
    frame = pool.with_columns(
        n_tokens=pl.col("score").rank("ordinal").cast(pl.Int64) % 50 + 1
    )
    kept = keep_balanced(frame, 0.3, take="random", seed=2)
    again = keep_balanced(
        frame.sample(fraction=1, shuffle=True, seed=3), 0.3, take="random", seed=2
    )
    assert set(kept["id"]) == set(again["id"])
    assert 0 <= kept["n_tokens"].sum() - 0.3 * frame["n_tokens"].sum() < 50


def test_failure_case_the_floor_keeps_wrong_labels_of_a_rare_class(pool):
    noisy = pool.with_columns(
        label=pl.when(pl.int_range(1000) < 8).then(9).otherwise("label")
    )
    assert (keep_balanced(noisy, 0.1, size="n_samples")["label"] == 9).sum() == 8


def test_balance_is_the_mean_ratio_of_pairs_and_mistakes_are_named(pool):
    assert balance(np.array([0, 0, 1, 1, 2])) == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert balance(np.array([4, 4])) == 1
    with pytest.raises(InputError, match="must lie in 0 to 1"):
        keep_balanced(pool, 30)
    with pytest.raises(InputError, match="2 of 1000 rows have no 'label'"):
        keep_balanced(
            pool.with_columns(label=pl.when(pl.int_range(1000) > 1).then("label")),
            0.3,
            size="n_samples",
        )
