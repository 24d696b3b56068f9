"""The largest groups, counted by hand, whatever the pieces in which they lie on disk."""

import numpy as np

from stages.curate.copies.losers import REASONS
from stages.curate.copies.shared_texts import (
    SharedTask,
    largest_clusters,
    most_shared,
)
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import KEY, LOSER, sorted_by_first, write_records


def losers(winners, reason="near"):
    """As many documents as winners, in order."""
    records = np.zeros(len(winners), dtype=LOSER)
    records["ordinal"] = np.arange(len(winners))
    records["winner"], records["winner_id"] = winners, np.array(winners) + 16
    records["reason"] = REASONS.index(reason)
    return records


def test_the_largest_clusters_are_those_of_all_files_together(tmp_path):
    write_records(tmp_path / "losers-0.bin", losers([50] * 8 + [60] * 30 + [70] * 9))
    write_records(tmp_path / "losers-1.bin", losers([50] * 8))
    write_records(tmp_path / "losers-id-0.bin", losers([80] * 99, reason="id"))
    assert largest_clusters(tmp_path) == [
        [30, f"{60 + 16:016x}", [60]],
        [16, f"{50 + 16:016x}", [50]],
    ]


def test_groups_of_what_stays_are_found(tmp_path):
    """Two units; 30 documents hold key 5, of which 12 went, and 9 hold key 7, too few to name."""
    starts = (0, 40, 80)
    folders = (tmp_path / "a", tmp_path / "b")
    for folder, rows in zip(folders, (range(10, 30), range(10)), strict=True):
        folder.mkdir()
        keys = [(5, row) for row in rows] + [(7, 39 - row) for row in range(5)]
        records = np.array(keys[: len(rows) + (5 if folder.name == "a" else 4)], KEY)
        write_records(folder / "shared-0000.bin", sorted_by_first(records))
    write_records(tmp_path / "losers-0.bin", losers([0] * 22))
    for parts in (1, 3):
        for part in range(parts):
            SharedTask(Units(folders, starts, 2), tmp_path, parts)(part)
        assert most_shared(tmp_path) == [[18, "", [22, 23, 24, 25]]]
        for file in tmp_path.glob("shared-*.json"):
            file.unlink()
