"""What is kept of a document to find its copies: a mark and its keys, spilled to sorted runs.

Question: what must the search for copies know? Input: the documents of a unit that no step dropped.
Output: `marks.bin`, one MARK a document in order, `sketches.bin`, its sketch in the same order, and
`keys-*.bin`, its keys in sorted runs (keys of different bands do not meet; that of its words is
odd, others are even), and `shared-*.bin`, two minima to see what many share; where an id column is
mapped also `names-*.bin`, its id, to find one that occurs twice; where repeated lines or paragraphs
are looked for also `lines-*.bin` and `paragraphs-*.bin`, the hash of each with its place. Cost: 55
MB of text a CPU-second (the signatures); 440 bytes a document and 20 a line on disk, one run of
100,000 documents in memory.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from stages.curate.work.sorted_runs import KEY, LINE, MARK, SortedRuns
from stages.curation.duplicates.line_copies import unit_spans
from stages.curation.duplicates.minhash import SHARED, signatures, sketch_matrix
from stages.curation.text.characters import mixed
from stages.settings.curate import CurateSettings, DedupSettings
from stages.settings.curate_searches import RepeatSettings, score_list

RUN_DOCUMENTS = 100_000  # 19 MB of keys
RUN_LINES = 1_000_000  # 20 MB


class CopyKeys:
    """Marks and keys of the documents that are left, spilled to sorted runs."""

    def __init__(self, folder: Path, settings: CurateSettings) -> None:
        self.folder, self.settings, self.row = folder, settings, 0
        self.key_names = key_names(settings.dedup)
        self.keys = SortedRuns(
            folder, "keys", RUN_DOCUMENTS * max(1, len(self.key_names))
        )
        self.near = settings.dedup.policy == "near"
        self.shared = SortedRuns(folder, "shared", RUN_DOCUMENTS * len(SHARED))
        self.names = SortedRuns(folder, "names", RUN_DOCUMENTS)
        self.lines = {
            name: SortedRuns(folder, name, RUN_LINES) for name in repeat_kinds(settings)
        }

    def __enter__(self) -> "CopyKeys":
        self.marks = open(self.folder / "marks.bin", "wb")
        self.sketches = open(self.folder / "sketches.bin", "wb")
        return self

    def add(self, frame: pl.DataFrame, left: pl.Series) -> None:
        rows = (self.row + left.arg_true()).to_numpy().astype(np.uint32)
        self.row += frame.height
        frame = frame.filter(left)
        if frame.is_empty():
            return
        table = signatures(frame, self.settings.dedup.minhash())
        marks = np.zeros(frame.height, dtype=MARK)
        marks["row"], marks["id"] = rows, id_numbers(frame["id"])
        marks["exact"], marks["words"] = (
            table["exact"].to_numpy(),
            table["words"].to_numpy(),
        )
        marks["score"], marks["order"] = _preference(
            frame, marks["exact"], self.settings
        )
        self.marks.write(marks.tobytes())
        if self.settings.id is not None:
            self.names.add(_records(marks["id"], rows))
        for number, name in enumerate(self.key_names):
            keys = _apart(table[name].to_numpy(), number, odd=name == "words")
            self.keys.add(_records(keys, rows))
        if self.near:
            self.sketches.write(sketch_matrix(table).astype("<u8").tobytes())
            for number, name in enumerate(SHARED):
                keys = _apart(table[name].to_numpy(), number, odd=False)
                self.shared.add(_records(keys, rows))
        for kind, runs in self.lines.items():
            for lines in line_records(
                frame["text"],
                rows,
                kind=kind,
                min_chars=repeat_kinds(self.settings)[kind].min_chars,
            ):
                runs.add(lines)

    def __exit__(self, *_: object) -> None:
        for runs in (self.keys, self.names, self.shared, *self.lines.values()):
            runs.close()
        self.marks.close()
        self.sketches.close()


def line_records(
    texts: pl.Series, rows: np.ndarray, kind: str, min_chars: int
) -> Iterator[np.ndarray]:
    """LINE records of the lines (or paragraphs) of at least `min_chars` characters, in the order of the texts."""
    for part, _, hashes, docs, starts, stops in unit_spans(
        texts, kind.removesuffix("s"), min_chars
    ):
        records = np.zeros(len(hashes), dtype=LINE)
        records["key"], records["row"], records["start"], records["stop"] = (
            hashes,
            rows[part][docs],
            starts,
            stops,
        )
        yield records


def repeat_kinds(settings: CurateSettings) -> dict[str, RepeatSettings]:
    """The sections that look below the document."""
    return {
        name: part
        for name in ("lines", "paragraphs")
        if (part := getattr(settings, name)) is not None
    }


def _records(keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    records = np.zeros(len(keys), dtype=KEY)
    records["key"], records["row"] = keys, rows
    return records


def _apart(keys: np.ndarray, number: int, *, odd: bool) -> np.ndarray:
    """Keys that meet no other column's; the lowest bit says whether they are of words."""
    own = mixed(keys ^ mixed(np.full(1, number + 1, dtype=np.uint64)))
    return own | np.uint64(1) if odd else own & ~np.uint64(1)


def key_names(dedup: DedupSettings) -> list[str]:
    """The signature columns that make copies, or candidates, under a policy."""
    bands = dedup.minhash().band_names()
    return {
        "none": [],
        "exact": ["exact"],
        "words": ["exact", "words"],
        "near": ["words", *bands],
        "bands": ["exact", "words", *bands],
    }[dedup.policy]


def id_numbers(ids: pl.Series) -> np.ndarray:
    """The 64 bits of 16 hex characters (D,)."""
    return np.array([int(value, 16) for value in ids], dtype=np.uint64)


def _preference(
    frame: pl.DataFrame, exact: np.ndarray, settings: CurateSettings
) -> tuple[np.ndarray, np.ndarray]:
    """(score, order): of two copies the higher score stays, then the smaller order, then the earlier."""
    if settings.dedup.keep == "first":
        return np.zeros(frame.height), np.zeros(frame.height, dtype=np.uint64)
    return preference(frame, settings.dedup.keep, settings), exact


def preference(frame: pl.DataFrame, keep: str, settings: CurateSettings) -> np.ndarray:
    """How much each document is wanted (D,), by its length or a score; one without a score comes last."""
    if keep == "longest":
        return frame["n_chars"].to_numpy().astype(np.float64)
    wanted = frame[keep].cast(pl.Float64).to_numpy() * (
        1 if score_list(settings)[keep].take == "high" else -1
    )
    return np.where(np.isnan(wanted), -np.inf, wanted)
