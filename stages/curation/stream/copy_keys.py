"""What is kept of a document to find its copies: a mark and its keys, spilled to sorted runs.

Question: what must the search for copies know? Input: the documents of a unit that no step dropped. Output: `marks.bin`,
one MARK a document in order, and `keys-*.bin`, its keys in sorted runs (keys of different bands do not meet); where an id
column is mapped also `names-*.bin`, its id, to find one that occurs twice.
Cost: 55 MB of text a CPU-second (the signatures); 240 bytes a document on disk, one run of 100,000 documents in memory.
"""

from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.characters import mixed
from stages.curation.minhash import signatures
from stages.curation.stream.settings import CurateSettings
from stages.curation.stream.sorted_runs import KEY, MARK, sorted_by_first, write_records

RUN_DOCUMENTS = 100_000  # 19 MB of keys


class CopyKeys:
    """Marks and keys of the documents that are left, spilled to sorted runs."""

    def __init__(self, folder: Path, settings: CurateSettings) -> None:
        self.folder, self.settings = folder, settings
        self.row, self.held, self.keys, self.names, self.runs = 0, 0, [], [], 0

    def __enter__(self) -> "CopyKeys":
        self.marks = open(self.folder / "marks.bin", "wb")
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
        marks["exact"], marks["words"] = table["exact"].to_numpy(), table["words"].to_numpy()
        marks["score"], marks["order"] = _preference(frame, marks["exact"], self.settings)
        self.marks.write(marks.tobytes())
        if self.settings.id is not None:
            self.names.append(_records(marks["id"], rows))
        for number, name in enumerate(key_names(table.columns, self.settings.dedup.policy)):
            self.keys.append(_records(mixed(table[name].to_numpy() ^ mixed(np.full(1, number + 1, dtype=np.uint64))), rows))
        self.held += frame.height
        if self.held >= RUN_DOCUMENTS:
            self._spill()

    def _spill(self) -> None:
        for kind, held in (("keys", self.keys), ("names", self.names)):
            if held:
                write_records(self.folder / f"{kind}-{self.runs:04d}.bin", sorted_by_first(np.concatenate(held)))
        self.held, self.keys, self.names, self.runs = 0, [], [], self.runs + 1

    def __exit__(self, *_: object) -> None:
        self._spill()
        self.marks.close()


def _records(keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    records = np.zeros(len(keys), dtype=KEY)
    records["key"], records["row"] = keys, rows
    return records


def key_names(columns: list[str], policy: str) -> list[str]:
    """The signature columns that make copies under a policy."""
    return {"none": [], "exact": ["exact"], "words": ["exact", "words"]}.get(policy, [name for name in columns if name != "id"])


def id_numbers(ids: pl.Series) -> np.ndarray:
    """The 64 bits of 16 hex characters (D,)."""
    return np.array([int(value, 16) for value in ids], dtype=np.uint64)


def _preference(frame: pl.DataFrame, exact: np.ndarray, settings: CurateSettings) -> tuple[np.ndarray, np.ndarray]:
    """(score, order): of two copies the higher score stays, then the smaller order, then the earlier."""
    keep = settings.dedup.keep
    if keep == "first":
        return np.zeros(frame.height), np.zeros(frame.height, dtype=np.uint64)
    if keep in ("quality", "own_score"):
        return frame[keep].to_numpy(), exact
    return frame["n_chars"].to_numpy().astype(np.float64), exact
