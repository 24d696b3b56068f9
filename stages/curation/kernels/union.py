"""The compiled loops behind `dedup` and the search for copies: union-find to the smallest member.

Input: an array of parents, -1 for a node in no pair yet, and pairs of nodes, or keys. Output: the
array, in which no parent is larger than its node; after `flatten` every parent is the smallest of
its component. The order of the pairs does not matter. Cost: 29 million pairs a CPU-second
(measured).
"""

import numpy as np

from stages.curation.kernels.hashing import MULTIPLIER
from stages.curation.kernels.loops import Loop
from stages.curation.kernels.types import INT64, INT64S, UINT64S, Part


@Part
def _root(parents, node):
    if parents[node] < 0:
        parents[node] = node
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@Part
def _joined(parents, one, other):
    one, other = _root(parents, one), _root(parents, other)
    if one < other:
        parents[other] = one
    else:
        parents[one] = other


@Loop
def join(parents: INT64S, left: INT64S, right: INT64S, n_pairs: INT64):
    """Join left[i] with right[i], for all i."""
    for pair in range(n_pairs):
        _joined(parents, left[pair], right[pair])


def join_equal(parents: np.ndarray, keys: np.ndarray) -> None:
    """Join all nodes with equal keys (n,)."""
    bits = max(4, (2 * len(keys) - 1).bit_length())
    _join_equal(parents, keys, len(keys), bits, np.full(1 << bits, -1, dtype=np.int64))


@Loop
def _join_equal(parents: INT64S, keys: UINT64S, n: INT64, bits: INT64, table: INT64S):
    mask, shift = (1 << bits) - 1, np.uint64(64 - bits)
    for node in range(n):
        slot = np.int64((keys[node] * MULTIPLIER) >> shift)
        while table[slot] >= 0 and keys[table[slot]] != keys[node]:
            slot = (slot + 1) & mask
        if table[slot] >= 0:
            _joined(parents, table[slot], node)
        else:
            table[slot] = node


@Loop
def flatten(parents: INT64S, n: INT64):
    """Let every parent be the root of its component; parents come before their children."""
    for node in range(n):
        if parents[node] >= 0:
            parents[node] = parents[parents[node]]
