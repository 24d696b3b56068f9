"""The skill graph finds documents of the reference's skills, spreads to what goes with them, and falls for a hub."""

import random

import numpy as np
import pytest

from stages.curation.scores.skills import (
    embedding_likeness,
    keyphrases,
    phrase_likeness,
    skill_graph,
    skill_scores,
)
from stages.foundation.errors import InputError

MATHS = (
    "integral theorem matrix vector equation polynomial proof lemma algebra derivative"
    " tensor kernel manifold axiom scalar modulus".split()
)
COOKING = "butter oven flour onion garlic simmer roast saucepan recipe whisk".split()
FILLER = ["".join(random.Random(i).choices("aeioukrstlmn", k=6)) for i in range(600)]


def written(words, n, seed, extra=""):
    rng = random.Random(seed)
    return [
        " ".join(rng.choices(words, k=8) + rng.choices(FILLER, k=20)) + extra
        for _ in range(n)
    ]


@pytest.fixture(scope="module")
def hidden():
    """40 texts on mathematics hidden among 260 on cooking and nothing; the reference is mathematics."""
    pool = written(MATHS, 40, 1) + written(COOKING, 160, 2) + written(FILLER, 100, 3)
    return pool, written(MATHS, 60, 4)


def scores_of(pool, reference, **options):
    phrases = keyphrases(reference, 30, **options)
    return (
        skill_scores(
            phrase_likeness(pool, phrases),
            skill_graph(phrase_likeness(reference, phrases) > 0),
        ),
        phrases,
    )


def test_the_hidden_skills_are_found(hidden):
    scores, phrases = scores_of(*hidden)
    assert (np.argsort(-scores)[:40] < 40).mean() > 0.8
    assert len(set(phrases) & set(MATHS)) >= 5 and not set(phrases) & set(COOKING)


def test_the_graph_counts_documents_and_pairs():
    graph = skill_graph(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 2]]))
    np.testing.assert_allclose(
        graph * graph[2, 2] ** -1, [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    )
    np.testing.assert_allclose(skill_scores(np.eye(3), graph), graph.sum(axis=1))


def test_a_skill_that_goes_with_common_ones_counts_more_than_a_lone_one():
    lone_or_linked = skill_graph(
        np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0]])
    )
    scores = skill_scores(np.array([[0, 1.0, 0], [0, 0, 1.0]]), lone_or_linked)
    assert scores[0] > scores[1]  # both skills are in two reference documents


def test_embeddings_will_do_and_weak_likeness_is_cut():
    likeness = embedding_likeness(np.array([[1.0, 0.01], [0.0, 2.0]]), np.eye(2))
    np.testing.assert_allclose(
        skill_scores(likeness, np.diag([0.25, 0.75])), [0.25, 0.75], rtol=1e-3
    )


def test_failure_a_phrase_that_goes_with_everything_wins_unless_it_is_left_out(hidden):
    pool, reference = hidden
    reference = written(MATHS, 60, 4, " trademark notice")[:28] + reference[28:]
    boilerplate = ["trademark notice"] * 10
    scores, _ = scores_of(pool + boilerplate, reference)
    assert (np.argsort(-scores)[:10] >= 300).all()
    scores, phrases = scores_of(
        pool + boilerplate, reference, stop=["trademark", "notice", "trademark notice"]
    )
    assert "trademark" not in phrases and (np.argsort(-scores)[:40] < 40).mean() > 0.8


def test_mistakes_are_named(hidden):
    with pytest.raises(InputError, match="share no phrase"):
        keyphrases(["one text"])
    with pytest.raises(InputError, match="no reference document holds a skill"):
        skill_graph(np.zeros((3, 2)))
    with pytest.raises(InputError, match="likeness has 2 skills, the graph 3"):
        skill_scores(np.eye(2), np.eye(3))
