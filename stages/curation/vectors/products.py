"""Products of unit vectors in blocks: which centre is nearest, which pairs are close; on CPU or on a torch device.

Question: what is like what? Input: unit rows (n, d) float32. Output: indices and cosines. These two products are all
that clustering and semantic deduplication spend time on, so they alone know a device: "cpu" multiplies with numpy,
any other name ("cuda", "cuda:1") with torch on that device, 32-bit throughout. place.py chooses, and says how results
may differ.
Cost: memory of one block of `BLOCK_CELLS` cosines, 64 MB; 2 n k d operations for n rows against k centres.
"""

from collections.abc import Iterator

import numpy as np

from stages.foundation.errors import InputError

BLOCK_CELLS = 1 << 24  # cosines at once (assumed)
ROUNDING = 1e-6  # measured: cosines of equal float32 rows of 64 to 768 columns miss 1 by up to 4e-7


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32 (n, d). A row of zeros stays zero: it is like nothing, not even itself."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or not vectors.size:
        raise InputError(
            f"embeddings must be a table of rows and columns, got shape {vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise InputError(
            f"embedding of row {row} is not finite; leave that document out or mend its"
            " embedding"
        )
    out = np.empty_like(vectors)
    for part in blocks(
        len(vectors), 16 * vectors.shape[1]
    ):  # the 64-bit copies of all rows at once would be four times the rows
        length = np.linalg.norm(vectors[part].astype(np.float64), axis=1, keepdims=True)
        out[part] = vectors[part] / np.where(length > 0, length, 1.0)
    return out


def nearest(
    rows: np.ndarray, centres: np.ndarray, device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Index of the centre with the largest cosine to each row, and that cosine: (n,) int64, (n,)
    float32. Ties go to the lower index.
    """
    product = _product(centres, device)
    index, cosine = np.empty(len(rows), np.int64), np.empty(len(rows), np.float32)
    for block in blocks(len(rows), len(centres)):
        index[block], cosine[block] = _largest(product(rows[block]))
    return index, cosine


def has_card() -> bool:
    """Whether torch is installed and sees a GPU; its import takes a second or two."""
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of rows whose products with all columns fit into a block."""
    step = max(1, BLOCK_CELLS // max(1, n_columns))
    for first in range(0, n_rows, step):
        yield slice(first, first + step)


def _largest(similar) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(similar, np.ndarray):
        index = similar.argmax(axis=1)
        return index, similar[np.arange(len(similar)), index]
    cosine, index = similar.max(dim=1)
    return index.cpu().numpy(), cosine.cpu().numpy()


def close_pairs(
    rows: np.ndarray, at_least: float, device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All (earlier, later, cosine) of pairs of rows whose cosine is `at_least` that, up to
    rounding; sorted by later, then earlier.
    """
    parts = list(_pairs_by_block(rows, at_least - ROUNDING, device))
    later, earlier, cosine = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return earlier, later, cosine


def _pairs_by_block(
    rows: np.ndarray, above: float, device: str
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    product = _product(rows, device)
    for place in blocks(len(rows), len(rows)):
        first, similar = place.start, product(rows[place])
        if isinstance(similar, np.ndarray):
            later, earlier = np.nonzero(similar >= above)
            cosine = similar[later, earlier]
        else:
            found = (similar >= above).nonzero(as_tuple=True)
            cosine = similar[found].cpu().numpy()
            later, earlier = (part.cpu().numpy() for part in found)
        before = earlier < later + first
        yield later[before] + first, earlier[before], cosine[before]


def _product(columns: np.ndarray, device: str):
    """A function of a block of rows that returns its cosines to all `columns` (rows, columns) on the device."""
    if device == "cpu":
        return lambda block: block @ columns.T
    import torch

    try:
        there = torch.from_numpy(columns).to(device).T
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {device!r} cannot be used ({str(error).splitlines()[0]}); use cpu"
        ) from None
    return lambda block: torch.from_numpy(block).to(device) @ there
