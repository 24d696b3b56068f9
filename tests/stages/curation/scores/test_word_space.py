"""A space of words that is fitted once."""

import numpy as np
import pytest

from stages.curation.reading.documents import documents
from stages.curation.scores.word_space import (
    embed_words,
    fit_space,
    save_space,
    space_embedder,
)
from stages.curation.vectors.embeddings import hashed_words
from stages.curation.vectors.products import unit_rows
from stages.foundation.errors import InputError

WORDS = {
    "sport": "match team goal coach player season league score".split(),
    "money": "bank rate stock bond market price profit loan".split(),
}


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    texts = [
        " ".join(rng.choice(WORDS[topic], 30))
        for topic in ("sport", "money")
        for _ in range(40)
    ]
    return documents(texts, [str(at) for at in range(80)], "p")


def test_a_row_depends_on_its_document_alone(frame, tmp_path):
    save_space(fit_space(frame, 8), tmp_path / "space.npy")
    embed = space_embedder(tmp_path / "space.npy")
    whole = embed(frame)
    assert whole.shape == (80, 8)
    parts = np.concatenate([embed(frame[:3]), embed(frame[3:4]), embed(frame[4:])])
    assert parts.tobytes() == whole.tobytes()


def test_topics_lie_apart_as_in_the_space_of_one_call(frame):
    rows = unit_rows(embed_words(frame, fit_space(frame, 8)))
    other = unit_rows(hashed_words(frame["text"].to_list(), dimensions=8))
    for cosine in (rows @ rows.T, other @ other.T):
        assert cosine[:40, :40].mean() > 0.7 > 0.3 > cosine[:40, 40:].mean()


def test_words_in_another_order_are_the_same_place(frame):
    space = fit_space(frame, 8)
    turned = documents(
        [" ".join(reversed(text.split())) for text in frame["text"]],
        [f"t{at}" for at in range(80)],
        "p",
    )
    assert embed_words(turned, space) == pytest.approx(
        embed_words(frame, space), abs=1e-5
    )


def test_small_samples(frame):
    rows = unit_rows(embed_words(frame[:3], fit_space(frame[:3], 64)))
    assert rows.shape == (3, 3) and (rows @ rows.T)[0, 1] < 0.95
    with pytest.raises(InputError, match="cannot be fitted to 1 documents"):
        fit_space(frame[:1], 64)
