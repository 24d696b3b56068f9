"""Of documents that are alike, which one stays: each that goes is like one that stays.

Question: what goes as a near copy? Input: the members of components and the pairs that are alike.
Output: LOSER records. In order of preference a document goes if it is like one that stayed before
it; one that is like dropped ones only stays. Of documents with the same words the preferred one
stands for all. A document of the index always stays. Cost: 28 bytes a pair that is alike, on disk;
the components of one range are in memory.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.curate.copies.losers import loser_records, preferred, reasons_of
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import (
    ALIKE,
    LINK,
    MEMBER,
    chunks,
    mapped,
    range_of,
    sorted_by_first,
    write_records,
)
from stages.curate.work.union import PARENT
from stages.curation.duplicates.semantic import Pairs, greedy

CHUNK = 500_000


@dataclass(frozen=True)
class LinkTask:
    """The pairs of one file of ALIKE records, sorted by component."""

    parents: Path

    def __call__(self, file: Path) -> Path:
        target = file.with_name(file.name.replace("alike-", "links-"))
        if not target.exists():
            parts = [np.zeros(0, dtype=LINK)]
            for pairs in chunks([file], ALIKE, CHUNK):
                links = np.zeros(len(pairs), dtype=LINK)
                links["root"] = mapped(self.parents, PARENT)[pairs["first"]]
                for name in ("first", "other", "similarity"):
                    links[name] = pairs[name]
                parts.append(links)
            write_records(target, sorted_by_first(np.concatenate(parts)))
        return target


@dataclass(frozen=True)
class NearLoserTask:
    """The documents that go, of the components whose smallest ordinal lies in one of `parts` ranges."""

    units: Units
    folder: Path
    parts: int
    threshold: float
    ids_order: bool

    def __call__(self, part: int) -> int:
        target = self.folder / f"losers-{part:05d}-of-{self.parts:05d}.bin"
        if not target.exists():
            n = self.units.n_all
            low, high = n * part // self.parts, n * (part + 1) // self.parts
            members, links = (
                np.concatenate(
                    [
                        np.zeros(0, dtype=kind),
                        *(
                            range_of(run, kind, low=low, high=high)
                            for run in sorted(self.folder.glob(pattern))
                        ),
                    ]
                )
                for kind, pattern in ((MEMBER, "members-*.bin"), (LINK, "links-*.bin"))
            )
            records = near_losers(
                members,
                links,
                n_new=self.units.n_documents,
                threshold=self.threshold,
                ids_order=self.ids_order,
            )
            write_records(target, records)
        return part


def near_losers(
    members: np.ndarray,
    links: np.ndarray,
    *,
    n_new: int,
    threshold: float,
    ids_order: bool,
) -> np.ndarray:
    """LOSER records by ordinal, of whole components; ordinals from `n_new` on are of an index."""
    members = members[preferred(members, ids_order=ids_order)]
    own = np.arange(len(members))
    words = pl.DataFrame({"words": np.ascontiguousarray(members["words"]), "at": own})
    first = words.select(pl.col("at").first().over("words")).to_series().to_numpy()
    order = np.argsort(members["ordinal"])
    sorted_ordinals = members["ordinal"][order]
    ends = np.stack(
        [
            first[order[np.searchsorted(sorted_ordinals, links[name])]]
            for name in ("first", "other")
        ]
    )
    earlier, later = np.sort(ends, axis=0)
    # an old document goes for nobody; what has the same words is one document here
    counts = (earlier != later) & (members["ordinal"][later] < n_new)
    similarity = links["similarity"].astype(np.float64)[counts]
    pairs = Pairs(earlier[counts], later[counts], similarity)
    _, twin = greedy(pairs, len(members), threshold)
    known = pl.DataFrame(
        {"to": pairs.earlier, "of": pairs.later, "similarity": similarity}
    ).unique(["to", "of"], keep="any")
    alike = (
        pl.DataFrame({"to": twin, "of": own})
        .join(known, on=["to", "of"], how="left", maintain_order="left")["similarity"]
        .fill_null(1.0)
        .to_numpy()
    )
    records = loser_records(
        members, twin[first], alike[first], reasons_of(members, "near")
    )
    return records[records["ordinal"] < n_new]
