"""Every pruning metric on real digits with planted wrong labels and planted blends of two digits."""

import numpy as np
import pytest

from stages.curation.sample_data.arrays import stacked
from stages.curation.sample_data.image_pools import read_images
from stages.foundation.errors import InputError
from stages.images.difficulty import METRICS, Scoring, image_arms, image_difficulty
from stages.images.scoring import METRIC_NAMES
from stages.proxy.images.data import ImageData
from stages.proxy.images.spec import ImageShape, ImageSpec

N, WRONG, BLENDS = 500, 30, 30


@pytest.fixture(scope="module")
def planted():
    """Digits; rows 0-29 carry a wrong label, rows 30-59 are half a digit of another class."""
    frame = read_images("digits", "unused")
    random = np.random.default_rng(0)
    order = random.permutation(frame.height)
    pixels, labels = (
        stacked(frame)[order].astype(np.float32),
        frame["label"].to_numpy()[order],
    )
    held_pixels, held_labels = pixels[N : N + 300], labels[N : N + 300]
    pixels, labels = pixels[:N].copy(), labels[:N].copy()
    labels[:WRONG] = (labels[:WRONG] + random.integers(1, 10, WRONG)) % 10
    for row in range(WRONG, WRONG + BLENDS):
        other = next(
            i for i in random.permutation(np.arange(100, N)) if labels[i] != labels[row]
        )
        pixels[row] = (pixels[row] + pixels[other]) / 2
    return ImageData(pixels, labels, held_pixels, held_labels)


@pytest.fixture(scope="module")
def scores(planted):
    shape = ImageShape("mlp", 32, 1, 1, 8, 8, 10)
    spec = ImageSpec(
        arm="", shape=shape, budgets_samples=(9600,), batch_samples=32, lr=0.01
    )
    residual = ImageSpec(
        arm="",
        shape=ImageShape("residual", 4, 1, 1, 8, 8, 10),
        budgets_samples=(6400,),
        batch_samples=32,
        lr=0.01,
    )
    how = Scoring(
        spec=spec, models=8, subset_models=48, others=(residual,), prototypes=10
    )
    return image_difficulty(list(METRICS), planted, how)


def auc(score, planted, plain=np.arange(WRONG + BLENDS, N)):
    """Chance that a planted row scores above a plain one; ties count half."""
    above = score[planted][:, None] - score[plain][None]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


@pytest.mark.parametrize(
    ("metric", "wrong", "blend"),
    [
        ("el2n", (0.95, 1), 0.8),
        ("grand", (0.9, 1), 0.6),
        ("forgetting", (0.9, 1), 0.8),
        ("margin", (0.35, 0.65), 0.75),
        ("active_learning", (0.35, 0.65), 0.7),
        ("ddd", (0.95, 1), 0.75),
        ("memorisation", (0.75, 1), 0.6),
        ("influence_sum_abs", (0.55, 1), 0.4),
        ("class_prototypes", (0.85, 1), 0.6),
        ("prototypes", (0.35, 0.85), 0.6),
    ],
)
def test_planted_rows_are_hard(scores, metric, wrong, blend):
    """Those that read labels put wrong labels first; those that do not are nearly blind to them;
    all find the blends.
    """
    score = scores[metric]
    assert score.shape == (N,) and np.isfinite(score).all()
    assert wrong[0] <= auc(score, np.arange(WRONG)) <= wrong[1]
    assert auc(score, np.arange(WRONG, WRONG + BLENDS)) >= blend


def test_random_knows_nothing(scores):
    assert abs(auc(scores["random"], np.arange(WRONG + BLENDS)) - 0.5) < 0.12


def test_failure_case_the_largest_influence_is_mostly_noise_with_few_models(scores):
    assert auc(scores["influence_max"], np.arange(WRONG, WRONG + BLENDS)) < 0.7


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_arms_are_of_equal_count_and_starve_no_class(planted, scores, fraction):
    arms = image_arms(planted, scores["el2n"], fraction)
    assert {len(rows) for rows in arms.values()} == {round(N * fraction)} and set(
        arms
    ) == {"keep_hard", "keep_easy", "middle", "random"}
    assert all(
        np.bincount(planted.labels[rows], minlength=10).min()
        >= 0.5 * fraction * N / 10 - 1
        for rows in arms.values()
    )
    means = {arm: scores["el2n"][rows].mean() for arm, rows in arms.items()}
    assert means["keep_easy"] < min(means["middle"], means["random"]) and means[
        "keep_hard"
    ] > max(means["middle"], means["random"])


def test_unknown_metrics_are_named(planted):
    with pytest.raises(
        InputError, match="no pruning metric 'luck'; known are el2n, grand"
    ):
        image_difficulty(["luck"], planted, None)
    assert len(METRICS) == 12
    assert tuple(METRICS) == METRIC_NAMES
