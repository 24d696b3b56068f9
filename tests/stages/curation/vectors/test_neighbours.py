import numpy as np
import pytest

from stages.curation.vectors.neighbours import neighbours, recall
from stages.foundation.errors import InputError


def points(n, seed, d=16):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_exact_neighbours_are_those_of_the_full_table(monkeypatch):
    from stages.curation.vectors import products as vectors

    monkeypatch.setattr(vectors, "BLOCK_CELLS", 30 * 400)
    queries, table = points(50, 0), points(400, 1)
    index, cosine = neighbours(queries, table, 5)
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)  # noqa: E731
    full = unit(queries) @ unit(table).T
    np.testing.assert_array_equal(index, np.argsort(-full, axis=1)[:, :5])
    np.testing.assert_allclose(cosine, np.sort(full, axis=1)[:, ::-1][:, :5], atol=1e-6)


def test_the_graph_finds_nearly_all_and_the_same_twice():
    pytest.importorskip("faiss", reason="the extra `neighbours` is not installed")
    table, queries = points(4000, 1), points(200, 0)
    exact, _ = neighbours(queries, table, 10, "exact")
    found, cosine = neighbours(queries, table, 10, "hnsw")
    assert recall(found, exact) > 0.97
    assert (np.diff(cosine, axis=1) <= 0).all()
    np.testing.assert_array_equal(found, neighbours(queries, table, 10, "hnsw")[0])


def test_a_wish_that_cannot_be_met_is_named():
    with pytest.raises(InputError, match="cannot find 9 neighbours"):
        neighbours(points(2, 0), points(5, 1), 9)


def test_ties_go_to_the_lower_index():
    table = np.repeat(points(5, 2), 4, axis=0)
    index, _ = neighbours(table[[8]], table, 3)
    assert index.tolist() == [[8, 9, 10]]
