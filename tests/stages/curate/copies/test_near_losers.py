"""Who stays of a component, on links whose answer is known by hand."""

import numpy as np
import pytest

from stages.curate.copies.losers import REASONS
from stages.curate.copies.near_losers import near_losers
from stages.curate.work.sorted_runs import LINK, MEMBER


def component(n, **fields):
    """n members of one component, the earlier preferred, each with words of its own."""
    members = np.zeros(n, dtype=MEMBER)
    for name in ("ordinal", "id", "exact", "words"):
        members[name] = np.arange(n)
    members["id"] += 100
    for name, values in fields.items():
        members[name] = values
    return members


def gone(members, pairs, n_new=100):
    """{ordinal: (ordinal that stays, similarity, reason)}, the same for any order of the records."""
    links = np.array([(0, a, b, similarity) for a, b, similarity in pairs], dtype=LINK)
    rng, found = np.random.default_rng(0), []
    for _ in range(3):
        records = near_losers(
            rng.permutation(members),
            rng.permutation(links),
            n_new=n_new,
            threshold=0.8,
            ids_order=False,
        )
        ids = dict(members[["ordinal", "id"]].tolist())
        assert all(ids[row["winner"]] == row["winner_id"] for row in records)
        found.append(
            {
                int(row["ordinal"]): (
                    int(row["winner"]),
                    pytest.approx(float(row["similarity"])),
                    REASONS[row["reason"]],
                )
                for row in records
            }
        )
    assert found[0] == found[1] == found[2]
    return found[0]


CHAIN = [(0, 1, 0.9), (1, 2, 0.9), (2, 3, 0.9)]


def test_a_chain_keeps_every_second():
    assert gone(component(4), CHAIN) == {1: (0, 0.9, "near"), 3: (2, 0.9, "near")}


def test_the_preferred_document_of_a_chain_takes_its_neighbours():
    members = component(4, score=[0, 5, 0, 0])
    assert gone(members, CHAIN) == {0: (1, 0.9, "near"), 2: (1, 0.9, "near")}


def test_the_most_similar_of_those_that_stay_is_named():
    pairs = [(0, 2, 0.82), (1, 2, 0.95)]
    assert gone(component(3), pairs) == {2: (1, 0.95, "near")}


def test_documents_of_the_same_words_share_the_fate_of_the_preferred():
    """3 has the words of 1, 4 its very text; the three go together with it."""
    members = component(5, words=[0, 1, 2, 1, 1], exact=[0, 1, 2, 3, 1])
    pairs = [(0, 1, 0.9), (1, 3, 1.0), (1, 4, 1.0)]
    assert gone(members, pairs) == {
        1: (0, 0.9, "near"),
        3: (0, 0.9, "words"),
        4: (0, 0.9, "exact"),
    }
    assert gone(members, pairs[1:]) == {3: (1, 1.0, "words"), 4: (1, 1.0, "exact")}


def test_an_old_document_stays_though_another_old_one_is_like_it():
    members = component(3, score=[0, np.inf, np.inf])
    pairs = [(0, 1, 0.9), (1, 2, 0.9)]
    assert gone(members, pairs, n_new=1) == {0: (1, 0.9, "near")}
    pairs = [(0, 2, 0.85), (1, 2, 0.9)]
    assert gone(members, pairs, n_new=1) == {0: (2, 0.85, "near")}


def test_nothing_goes_without_links():
    assert gone(component(3), []) == gone(component(0), []) == {}
