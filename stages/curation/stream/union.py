"""Union-find over pairs that arrive in chunks, on a file of parents.

Question: which documents are joined, directly or through others? Input: pairs of ordinals. Output: for each ordinal the
smallest of its component, -1 for one that is in no pair; the order of the pairs does not matter.
Cost: 8 bytes a document, mapped from disk; 2 million pairs a CPU-second (measured).
"""

from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

PARENT = np.dtype("<i8")
SLICE = 1 << 20


def new_parents(path: Path, n: int) -> np.ndarray:
    """A mapped array of n parents, nobody joined yet."""
    if n == 0:
        path.write_bytes(b"")
        return np.zeros(0, dtype=PARENT)
    parents = np.memmap(path, dtype=PARENT, mode="w+", shape=(n,))
    for start in range(0, n, SLICE):
        parents[start : start + SLICE] = -1
    return parents


def unite(parents: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """Join left[i] with right[i], for all i."""
    nodes, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    fresh = nodes[parents[nodes] < 0]
    parents[fresh] = fresh
    roots, slot = np.unique(_roots(parents, nodes), return_inverse=True)
    ends = slot[place]
    graph = coo_array((np.ones(len(left), dtype=np.bool_), (ends[: len(left)], ends[len(left) :])), shape=(len(roots), len(roots)))
    count, component = connected_components(graph, directed=False)
    smallest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(smallest, component, roots)
    parents[roots] = smallest[component]
    parents[nodes] = smallest[component[slot]]


def flatten(parents: np.ndarray) -> None:
    """Let every parent be the root of its component."""
    for start in range(0, len(parents), SLICE):
        part = parents[start : start + SLICE]
        joined = np.flatnonzero(part >= 0)
        part[joined] = _roots(parents, joined + start)


def _roots(parents: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    roots = np.array(parents[nodes])
    while not np.array_equal(above := np.array(parents[roots]), roots):
        roots = above
    return roots
