"""Pairs in any order and in any chunks give the same components."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stages.curate.work.union import flatten, new_parents, unite


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_components_are_those_of_the_whole_graph(tmp_path, chunk):
    rng = np.random.default_rng(chunk)
    left, right = rng.integers(0, 500, 260), rng.integers(0, 500, 260)
    _, label = connected_components(
        coo_array((np.ones(260), (left, right)), shape=(500, 500)), directed=False
    )
    smallest = np.full(label.max() + 1, 500)
    np.minimum.at(smallest, label, np.arange(500))
    parents = new_parents(tmp_path / "parents", 500)
    for start in range(0, 260, chunk):
        unite(parents, left[start : start + chunk], right[start : start + chunk])
    flatten(parents)
    joined = np.isin(np.arange(500), np.concatenate([left, right]))
    assert (parents[joined] == smallest[label][joined]).all() and (
        parents[~joined] == -1
    ).all()


def test_no_documents_and_no_pairs(tmp_path):
    assert len(new_parents(tmp_path / "none", 0)) == 0
    parents = new_parents(tmp_path / "some", 3)
    unite(parents, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    flatten(parents)
    assert parents.tolist() == [-1, -1, -1]
