"""What many of the kept documents share, and the largest clusters: what a person should see.

Question: which groups are large? Input: the `shared-*.bin` runs of every unit and the LOSER records.
Output: `shared-*.json` and `clusters-*.json` of a part, each [documents, id of the one that stays,
some ordinals] with the largest first. Cost: 24 bytes a document on disk; one partition in memory.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.curate.copies.edges import grouped, key_range
from stages.curate.copies.losers import REASONS
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import LOSER, chunks
from stages.curation.duplicates.losses import LEAST_DOCUMENTS, MOST_NAMED, WITNESSES
from stages.foundation.files import read_json, write_json

CHUNK = 500_000


@dataclass(frozen=True)
class SharedTask:
    """The largest groups with one minimum, of those that no search has dropped yet."""

    units: Units
    folder: Path
    parts: int

    def __call__(self, part: int) -> int:
        target = self.folder / f"shared-{part:05d}.json"
        if not target.exists():
            write_json(target, self._groups(*key_range(part, self.parts)))
        return part

    def _groups(self, low: int, high: int) -> list[list]:
        records, ordinals = grouped(self.units, "shared-*.bin", low, high)
        gone = [np.zeros(0, dtype=np.int64)]
        for losers in chunks(sorted(self.folder.glob("losers-*.bin")), LOSER, CHUNK):
            gone.append(np.array(losers["ordinal"]))
        left = ~np.isin(ordinals, np.concatenate(gone))
        groups = (
            pl.DataFrame({"key": records["key"][left], "ordinal": ordinals[left]})
            .group_by("key")
            .agg(n=pl.len(), some=pl.col("ordinal").sort().head(WITNESSES))
            .filter(pl.col("n") >= LEAST_DOCUMENTS)
            .sort(["n", "key"], descending=[True, False])
            .head(2 * MOST_NAMED)
        )
        return [[n, "", some] for n, some in groups.select("n", "some").iter_rows()]


def largest_clusters(folder: Path) -> list[list]:
    """[documents that go, id of the one that stays, its ordinal] of the largest clusters of copies.

    The counts of at most CHUNK records are in memory, and of those only clusters that are large.
    """
    copies = [REASONS.index(name) for name in ("exact", "words", "near", "bands")]
    counts: Counter[tuple[int, int]] = Counter()
    for losers in chunks(sorted(folder.glob("losers-*.bin")), LOSER, CHUNK):
        losers = losers[np.isin(losers["reason"], copies)]
        frame = pl.DataFrame(
            {
                name: np.ascontiguousarray(losers[name])
                for name in ("winner_id", "winner")
            }
        )
        large = frame.group_by("winner_id", "winner").len("n").filter(pl.col("n") > 1)
        counts.update({(id_, at): n for id_, at, n in large.iter_rows()})
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        [n, f"{id_:016x}", [ordinal]]
        for (id_, ordinal), n in most[:MOST_NAMED]
        if n >= LEAST_DOCUMENTS
    ]


def most_shared(folder: Path) -> list[list]:
    """The largest groups of all parts."""
    groups = [
        group
        for file in sorted(folder.glob("shared-*.json"))
        for group in read_json(file)
    ]
    return sorted(groups, key=lambda group: -group[0])[: 4 * MOST_NAMED]
