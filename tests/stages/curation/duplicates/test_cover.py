"""The cover in blocks is the cover of all close pairs."""

import numpy as np
import pytest

from stages.curation.duplicates.cover import greedy_cover
from stages.curation.duplicates.semantic import Pairs, greedy
from stages.curation.vectors.products import close_pairs, unit_rows


@pytest.mark.parametrize("block_rows", [1, 7, 64, 1000])
@pytest.mark.parametrize("at_least", [0.2, 0.8, 0.97])
def test_blocks_of_any_size_keep_the_same(block_rows, at_least):
    rng = np.random.default_rng(block_rows)
    rows = unit_rows(
        np.repeat(rng.normal(size=(60, 5)), 5, axis=0)
        + 0.15 * rng.normal(size=(300, 5))
    )[rng.permutation(300)]
    keep, twin = greedy_cover(rows, at_least, block_rows=block_rows)
    wanted, wanted_twin = greedy(Pairs(*close_pairs(rows, at_least)), 300, at_least)
    assert 0 < wanted.sum() < 300 and (keep == wanted).all()
    assert (rows * rows[twin]).sum(axis=1) == pytest.approx(
        (rows * rows[wanted_twin]).sum(axis=1), abs=1e-6
    )
    assert (
        keep[twin].all()
        and (twin[~keep] < np.flatnonzero(~keep)).all()
        and (twin[keep] == np.flatnonzero(keep)).all()
    )


def test_many_copies_of_one_row_cost_no_pairs():
    """20,000 copies have 200 million pairs, 4 GB of them."""
    keep, twin = greedy_cover(unit_rows(np.ones((20_000, 8))), 0.99)
    assert keep.sum() == 1 and (twin == 0).all()


def test_rows_of_zeros_are_like_nothing():
    keep, _ = greedy_cover(np.zeros((5, 3), np.float32), 0.5)
    assert keep.all()
