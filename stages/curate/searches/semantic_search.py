"""Semantic copies over everything that is left: clusters on disk, one at a time in memory
(SemDeDup, D4).

Question: which documents say what another one says? Input: the vectors of every block. Output:
LOSER records with the copy that stays. Centres are trained on the rows of the smallest id hashes;
each block is sorted by cluster; then clusters are searched one by one as in semantic.py, with the
same rank: by distance to the centre, by hash or by a score, then by id. A cluster of more than
`LARGEST` rows is clustered again, on a sample of it, into parts of about half that; a part that is
still larger is cut by the distance to its centre. Copies on two sides of a border are not found:
fewer clusters find more. Cost: clusters x columns x 2 operations a document, and the cover of each
cluster; memory a few times the sample or one cluster, 32 MB.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from stages.curate.searches.best_share import value_records
from stages.curate.searches.drops import is_gone, write_drops
from stages.curate.searches.embedding import hashed_ids
from stages.curate.work.sorted_runs import (
    mapped,
    range_of,
    sorted_by_first,
    vector_dtype,
    write_records,
)
from stages.curation.duplicates.cover import greedy_cover
from stages.curation.vectors.place import Cost, clusters_cost, nearest_cost
from stages.curation.vectors.products import nearest
from stages.curation.vectors.spherical import cluster_count, spherical_kmeans
from stages.foundation.files import whole_file
from stages.settings.curate_searches import SemanticSettings

TRAIN_BYTES = 32_000_000  # of rows that centres are trained on, at most 256 a cluster
# rows of a cluster that are searched together (assumed: its products are 1.6e11 operations at most
# at 64 columns)
LARGEST = 50_000
LARGEST_BYTES = 32_000_000
# reads or maps VECTOR records: only one part of them is held
Rows = Callable[[], np.ndarray]


def largest(columns: int) -> int:
    """Rows that are searched together."""
    return max(2, min(LARGEST, LARGEST_BYTES // (4 * columns)))


def search_cost(n_rows: int, columns: int, asked: SemanticSettings) -> Cost:
    """Of clusters, twice where what is typical goes, and of the cover, at most: where no row is a copy."""
    n_clusters = min(asked.clusters or cluster_count(n_rows), n_rows)
    clusters = clusters_cost(
        n_rows, columns, n_clusters, n_sample=sample_size(n_clusters, columns)
    )
    again = clusters if asked.keep_diverse is not None else Cost(0, 0, 0)
    in_cluster = n_rows / n_clusters / 2  # kept before a row, were all of one size
    return clusters + again + nearest_cost(n_rows, columns, in_cluster)


def sample_size(n_clusters: int, columns: int) -> int:
    """Rows that centres are trained on."""
    return min(256 * n_clusters, max(n_clusters, TRAIN_BYTES // (4 * columns)))


def train_centres(
    parts: Sequence[Rows],
    n_clusters: int | None,
    seed: int,
    device: str,
    gone: Path | None = None,
) -> np.ndarray:
    """Centres (k, d) of VECTOR records, trained on those of the smallest id hashes; one part is mapped at a time."""
    columns = parts[0]().dtype["vector"].shape[0]
    n = sum(len(_rows_left(part(), gone)) for part in parts)
    clusters = min(n_clusters or cluster_count(n), n)
    drawn = _drawn(
        parts,
        sample_size(clusters, columns),
        seed=seed,
        gone=gone,
    )
    rows = np.concatenate(
        [
            part()["vector"][drawn["row"][drawn["part"] == number]]
            for number, part in enumerate(parts)
        ]
    )
    with threadpool_limits(1):
        return spherical_kmeans(
            rows,
            [f"{name:016x}" for name in drawn["id"].tolist()],
            min(clusters, len(rows)),
            seed=seed,
            device=device,
        ).centres


def _rows_left(part: np.ndarray, gone: Path | None) -> np.ndarray:
    return (
        np.flatnonzero(~is_gone(gone, np.array(part["ordinal"])))
        if gone
        else np.arange(len(part))
    )


def _drawn(
    parts: Sequence[Rows], size: int, seed: int, gone: Path | None
) -> np.ndarray:
    """(part, row, id) of the rows of the smallest hashes of (seed, id), in the order of the parts;
    an id counts once.
    """
    drawn = np.zeros(
        0, dtype=[("hash", "<u8"), ("id", "<u8"), ("part", "<u4"), ("row", "<i8")]
    )
    for number, open_ in enumerate(parts):
        part = open_()
        rows = _rows_left(part, gone)
        more = np.zeros(len(rows), dtype=drawn.dtype)
        more["id"], more["part"], more["row"] = part["id"][rows], number, rows
        more["hash"] = hashed_ids(more["id"], seed)
        drawn = sorted_by_first(np.concatenate([drawn, more]))
        drawn = drawn[
            np.diff(drawn["hash"], prepend=drawn["hash"][:1] + np.uint64(1)) != 0
        ][:size]
    return drawn[np.lexsort((drawn["row"], drawn["part"]))]


def write_centres(
    files: Sequence[Path],
    asked: SemanticSettings,
    target: Path,
    gone: Path | None = None,
) -> None:
    if not target.exists():
        parts = [
            partial(np.load, file, mmap_mode="r")
            for file in files
            if len(np.load(file, mmap_mode="r"))
        ]
        with whole_file(target) as temporary, open(temporary, "wb") as file:
            np.save(
                file,
                train_centres(
                    parts,
                    asked.clusters,
                    seed=asked.seed,
                    device=asked.device,
                    gone=gone,
                ),
            )


@dataclass(frozen=True)
class AssignTask:
    """The rows of one block, sorted by the nearest centre; and how many each centre has."""

    folder: Path
    asked: SemanticSettings

    def __call__(self, block: int) -> int:
        target, sizes = (
            self.folder / f"assigned-{block:05d}.bin",
            self.folder / f"sizes-{block:05d}.bin",
        )
        if not target.exists():
            rows, centres = (
                np.load(self.folder / f"vectors-{block:05d}.npy"),
                np.load(self.folder / "centres.npy"),
            )
            if len(rows):
                with threadpool_limits(1):
                    rows["cluster"], rows["cosine"] = nearest(
                        np.ascontiguousarray(rows["vector"]),
                        centres,
                        self.asked.device,
                    )
            write_records(
                sizes,
                np.bincount(rows["cluster"], minlength=len(centres)).astype("<u4"),
            )
            write_records(target, sorted_by_first(rows))
        return block


def cluster_ranges(folder: Path, columns: int) -> list[tuple[int, int]]:
    """Ranges of consecutive clusters that are searched in one task: at most `largest` rows, or one cluster."""
    total = np.add.reduce(
        [mapped(file, np.dtype("<u4")) for file in folder.glob("sizes-*.bin")],
        axis=0,
        dtype=np.int64,
    )
    ranges, first, held = [], 0, 0
    for cluster, size in enumerate(total.tolist()):
        if held and held + size > largest(columns):
            ranges.append((first, cluster))
            first, held = cluster, 0
        held += size
    return [*ranges, (first, len(total))]


@dataclass(frozen=True)
class ClusterTask:
    """The semantic copies in one range of clusters."""

    folder: Path  # of the sorted vectors
    losers: Path
    asked: SemanticSettings
    columns: int
    reason: int
    ranges: tuple[tuple[int, int], ...]

    def __call__(self, part: int) -> int:
        target = self.losers / f"losers-semantic-{part:05d}.bin"
        if not target.exists():
            found = [(np.zeros(0, np.int64), np.zeros(0, np.uint64))]
            with threadpool_limits(1):
                for rows in self._groups(*self.ranges[part]):
                    found.append(copies(rows, self.asked))
            ordinals, winners = (
                np.concatenate(column) for column in zip(*found, strict=True)
            )
            write_drops(target, ordinals, reason=self.reason, winners=winners)
        return part

    def _groups(self, low: int, high: int) -> Iterator[np.ndarray]:
        """VECTOR records that are searched together."""
        kind = vector_dtype(self.columns)
        parts = [
            partial(range_of, run, kind, low, high)
            for run in sorted(self.folder.glob("assigned-*.bin"))
        ]
        if self._size(low, high) > largest(self.columns):
            yield from _split(
                [part for part in parts if len(part())],
                self.asked,
                largest(self.columns),
            )
            return
        rows = sorted_by_first(np.concatenate([part() for part in parts]))
        yield from np.split(
            rows, np.flatnonzero(np.diff(rows["cluster"].astype(np.int64))) + 1
        )

    def _size(self, low: int, high: int) -> int:
        return int(
            sum(
                mapped(file, np.dtype("<u4"))[low:high].sum()
                for file in self.folder.glob("sizes-*.bin")
            )
        )


def _split(
    parts: list[Rows], asked: SemanticSettings, limit: int
) -> Iterator[np.ndarray]:
    """The rows of one cluster that is too large, in pieces of at most `limit`; one part is read at a time."""
    n = sum(len(part()) for part in parts)
    centres = train_centres(
        parts, -(-2 * n // limit), seed=asked.seed, device=asked.device
    )
    near = [
        nearest(np.ascontiguousarray(part()["vector"]), centres, asked.device)
        for part in parts
    ]
    for cluster in range(len(centres)):
        rows = [np.flatnonzero(index == cluster) for index, _ in near]
        size = sum(map(len, rows))
        if 0 < size <= limit:
            yield np.concatenate(
                [part()[own] for part, own in zip(parts, rows, strict=True)]
            )
        elif size:
            yield from _sliced(
                parts,
                rows,
                cosines=[
                    cosine[own] for (_, cosine), own in zip(near, rows, strict=True)
                ],
                limit=limit,
            )


def _sliced(
    parts: list[Rows], rows: list[np.ndarray], cosines: list[np.ndarray], limit: int
) -> Iterator[np.ndarray]:
    """Rows in slices of neighbours by the cosine to their centre."""
    of_part = np.repeat(np.arange(len(parts)), list(map(len, rows)))
    place, ids = (
        np.concatenate(rows),
        np.concatenate(
            [part()["id"][own] for part, own in zip(parts, rows, strict=True)]
        ),
    )
    order = np.lexsort((ids, np.round(np.concatenate(cosines).astype(np.float64), 6)))
    for first in range(0, len(order), limit):
        chosen = order[first : first + limit]
        yield np.concatenate(
            [
                part()[np.sort(place[chosen[of_part[chosen] == at]])]
                for at, part in enumerate(parts)
            ]
        )


def copies(rows: np.ndarray, asked: SemanticSettings) -> tuple[np.ndarray, np.ndarray]:
    """(ordinals, ids of the copies that stay) of the documents of one cluster that go."""
    # copies differ by rounding alone
    cosine = np.round(rows["cosine"].astype(np.float64), 6)
    wanted = {
        "hard": cosine,
        "easy": -cosine,
        "random": hashed_ids(rows["id"], asked.seed),
    }.get(asked.keep, -rows["score"])
    rows = rows[np.lexsort((rows["ordinal"], rows["id"], wanted))]
    keep, twin = greedy_cover(
        np.ascontiguousarray(rows["vector"]), 1 - asked.eps, device=asked.device
    )
    return rows["ordinal"][~keep], rows["id"][twin[~keep]]


@dataclass(frozen=True)
class TypicalTask:
    """Cosines to the new centres of the rows of one block that are left, as VALUE records: the farthest first (D4)."""

    folder: Path
    losers: Path
    asked: SemanticSettings

    def __call__(self, block: int) -> int:
        target = self.losers / f"values-_typical-{block:05d}.bin"
        if not target.exists():
            rows = np.load(self.folder / f"vectors-{block:05d}.npy")
            rows = rows[~is_gone(self.folder / "gone.bin", rows["ordinal"])]
            cosine = np.zeros(0)
            if len(rows):
                with threadpool_limits(1):
                    cosine = nearest(
                        np.ascontiguousarray(rows["vector"]),
                        np.load(self.folder / "again.npy"),
                        self.asked.device,
                    )[1]
            write_records(
                target,
                value_records(
                    np.round(cosine.astype(np.float64), 6),
                    rows["ordinal"],
                    weights=np.ones(len(rows)),
                    take="low",
                ),
            )
        return block
