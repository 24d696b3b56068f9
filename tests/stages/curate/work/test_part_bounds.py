from itertools import pairwise

import numpy as np
import pytest

from stages.curate.work.numbering import Units
from stages.curate.work.part_bounds import part_bounds
from stages.curate.work.staged import CHARS

SIZES = [3, 3, 3, 3, 20, 1]


@pytest.mark.parametrize("cuts", [[6], [2, 4], [0, 6], [1, 1, 1, 3]])
def test_parts_begin_at_multiples_of_characters_for_any_units(tmp_path, cuts):
    starts = np.cumsum([0, *cuts])
    folders = []
    for number, (first, last) in enumerate(pairwise(starts)):
        folder = tmp_path / str(number)
        folder.mkdir()
        np.array(SIZES[first:last], CHARS).tofile(folder / "chars.bin")
        folders.append(folder)
    units = Units(tuple(folders), tuple(starts.tolist()), len(folders))
    # documents begin at 0, 3, 6, 9, 12 and 32 characters
    assert part_bounds(units, 6) == [0, 2, 4, 5, 6]
    assert part_bounds(units, 1000) == [0, 6]
