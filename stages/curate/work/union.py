"""Union-find over pairs that arrive in chunks, on a file of parents.

Question: which documents are joined, directly or through others? Input: pairs of ordinals. Output: for each ordinal the
smallest of its component, -1 for one that is in no pair; the order of the pairs does not matter.
Cost: 8 bytes a document, mapped from disk; 29 million pairs a CPU-second (measured).
"""

from pathlib import Path

import numpy as np

from stages.curation.kernels import union as union_kernel

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
    union_kernel.join(
        parents, np.ascontiguousarray(left), np.ascontiguousarray(right), len(left)
    )


def flatten(parents: np.ndarray) -> None:
    """Let every parent be the root of its component."""
    union_kernel.flatten(parents, len(parents))
