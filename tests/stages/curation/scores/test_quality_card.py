"""A saved classifier scores new data as the fitted one does, better calibrated, and its card says what it is."""

import json
import random

import numpy as np
import polars as pl
import pytest

from stages.curation.reading.documents import documents
from stages.curation.scores.model_card import training_data
from stages.curation.scores.quality import quality_scores
from stages.curation.scores.quality_card import (
    calibration_knots,
    load_quality,
    save_quality,
)
from stages.foundation.errors import InputError

GOOD = [f"good{i}" for i in range(60)]
BAD = [f"bad{i}" for i in range(60)]


def written(share, n, seed, prefix):
    """Texts whose words are `share` good ones; half shares make the classes overlap."""
    rng = random.Random(seed)
    texts = [
        " ".join(
            rng.choice(GOOD if rng.random() < share else BAD)
            for _ in range(rng.randint(8, 20))
        )
        for _ in range(n)
    ]
    return documents(texts, [f"{prefix}{i}" for i in range(n)], prefix)


@pytest.fixture(scope="module")
def fitted():
    pool, reference = written(0.4, 500, 1, "pool"), written(0.6, 300, 2, "reference")
    return pool, reference, quality_scores(pool, reference)


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "quality"
    save_quality(folder, fitted[2], *fitted[:2])
    return folder


def test_it_scores_training_and_new_documents_as_the_fitted_one(fitted, saved):
    again = load_quality(saved)
    for frame in (fitted[0], written(0.5, 50, 3, "new")):
        expected = fitted[2].model.score(frame)
        np.testing.assert_allclose(
            again.score(frame)["score"], expected["score"], atol=1e-5
        )
        assert again.score(frame)["fold"].equals(expected["fold"])


def test_calibrated_chances_are_nearer_to_what_happens(fitted, saved):
    again, bad, good = (
        load_quality(saved),
        written(0.4, 800, 5, "b"),
        written(0.6, 800, 6, "g"),
    )
    both, label = pl.concat([bad, good]), np.repeat([0.0, 1.0], 800)
    scored = again.score(both)

    def gap(column):
        value = scored[column].to_numpy()
        bins = np.minimum((value * 10).astype(int), 9)
        return sum(
            abs(value[bins == b].mean() - label[bins == b].mean()) * (bins == b).mean()
            for b in np.unique(bins)
        )

    assert gap("calibrated") < 0.06 and gap("calibrated") < gap("score")
    order = np.argsort(scored["score"].to_numpy())
    assert (np.diff(scored["calibrated"].to_numpy()[order]) >= -1e-12).all()


def test_the_card_names_the_data_by_hash(fitted, saved):
    card = json.loads((saved / "card.json").read_text())
    assert (
        card["kind"] == "quality"
        and card["trained_on"]["pool"]["hash"]
        == training_data(fitted[0].reverse())["hash"]
    )
    assert (
        card["trained_on"]["reference"]["documents"] == 300
        and len(card["measured_out_of_fold"]["auc_by_fold"]) == 5
    )
    changed = fitted[0].with_columns(
        text=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("x")).otherwise("text")
    )
    assert training_data(changed)["hash"] != card["trained_on"]["pool"]["hash"]


def test_classes_that_do_not_differ_are_calibrated_to_one_half():
    rng = np.random.default_rng(0)
    knots = calibration_knots(rng.uniform(size=3000), rng.uniform(size=1000))
    assert np.interp(0.5, *knots) == pytest.approx(0.5, abs=0.05)


def test_another_model_or_none_is_refused(tmp_path):
    (tmp_path / "card.json").write_text('{"kind": "ngram", "format": 1}')
    with pytest.raises(InputError, match="is of 'ngram', format 1, wanted 'quality'"):
        load_quality(tmp_path)
