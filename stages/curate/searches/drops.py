"""What the searches over the whole input drop: LOSER records on disk, their reasons, and the documents that are left.

Question: which documents are still there, and why did the others go? Input: the runs of LOSER records that the searches
before wrote, `losers-*.bin`, sorted by ordinal. Output: those of a range of documents; the documents that are left, in
batches that depend on the documents alone, so that whatever is computed on a batch does not depend on shards.
Cost: a read of the staged columns asked for, 330 MB a CPU-second.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from stages.curate.copies.losers import REASONS as COPIES
from stages.curate.work.numbering import Units
from stages.curate.work.sorted_runs import (
    LOSER,
    chunks,
    mapped,
    range_of,
    sorted_by_first,
    write_records,
)
from stages.curate.work.staged import staged_rows
from stages.curation.reading.storage import disk_errors
from stages.foundation.files import whole_file
from stages.settings.curate import CurateSettings
from stages.settings.curate_searches import shares

BATCH_DOCUMENTS, BATCH_CHARS = 512, 4_000_000  # assumed
CHUNK = 500_000


def search_steps(settings: CurateSettings) -> dict[str, list[str]]:
    """Step of the ledger -> its reasons, in the order of the searches."""
    return {
        "copies": [f"duplicate_{name}" for name in COPIES],
        "semantic": ["duplicate_semantic", "typical"],
        "shares": [f"not_best_{name}" for name in shares(settings)],
        "lines": ["repeated_lines", "repeated_paragraphs"],
    }


def reason_names(settings: CurateSettings) -> list[str]:
    """The reason that a number in a LOSER record means."""
    return [name for names in search_steps(settings).values() for name in names]


def write_drops(
    target: Path,
    ordinals: np.ndarray,
    reason: int | np.ndarray,
    winners: np.ndarray | int = 0,
) -> None:
    """LOSER records of one reason; `winners` are the ids of what stays in their place, 0 for none."""
    records = np.zeros(len(ordinals), dtype=LOSER)
    records["ordinal"], records["winner_id"], records["reason"] = (
        ordinals,
        winners,
        reason,
    )
    records["winner"], records["similarity"] = -1, np.nan
    write_records(target, sorted_by_first(records))


def drops(folder: Path, low: int, high: int) -> np.ndarray:
    """LOSER records with low <= ordinal < high, as far as there are."""
    return np.concatenate(
        [
            np.zeros(0, dtype=LOSER),
            *(
                range_of(run, LOSER, low=low, high=high)
                for run in sorted(folder.glob("losers-*.bin"))
            ),
        ]
    )


def write_gone(folder: Path, n_documents: int, target: Path) -> None:
    """One byte a document, 1 for one that a search has dropped so far."""
    if target.exists() or n_documents == 0:
        return
    with disk_errors(target), whole_file(target) as temporary:
        gone = np.memmap(temporary, dtype=np.uint8, mode="w+", shape=(n_documents,))
        for records in chunks(sorted(folder.glob("losers-*.bin")), LOSER, CHUNK):
            gone[records["ordinal"]] = 1


def is_gone(file: Path, ordinals: np.ndarray) -> np.ndarray:
    """Of these documents, by what `write_gone` wrote (n,) bool."""
    return (
        mapped(file, np.dtype("u1"))[ordinals].astype(np.bool_)
        if len(ordinals)
        else np.zeros(0, dtype=np.bool_)
    )


def left(
    units: Units, folder: Path, low: int, high: int, columns: list[str] | None = None
) -> Iterator[tuple[np.ndarray, pl.DataFrame]]:
    """(ordinals, documents) that no step and no search has dropped, low <= ordinal < high;
    `columns` must hold reason.
    """
    gone = drops(folder, low, high)["ordinal"]
    for start, frame in staged_rows(units, low, high=high, columns=columns):
        ordinals = np.arange(start, start + frame.height)
        stays = frame["reason"].is_null().to_numpy() & ~np.isin(ordinals, gone)
        yield ordinals[stays], frame.filter(stays)


def even_batches(
    parts: Iterable[tuple[np.ndarray, pl.DataFrame]],
) -> Iterator[tuple[np.ndarray, pl.DataFrame]]:
    """The same documents in batches that end at 512 of them or 4 million characters, wherever the parts ended."""
    ordinals, frame = np.zeros(0, dtype=np.int64), None
    for more, part in parts:
        ordinals, frame = (
            np.concatenate([ordinals, more]),
            part if frame is None else pl.concat([frame, part]),
        )
        while (end := _batch_end(frame["n_chars"].to_numpy())) is not None:
            yield ordinals[:end], frame[:end]
            ordinals, frame = ordinals[end:], frame[end:]
    if frame is not None and frame.height:
        yield ordinals, frame


def _batch_end(chars: np.ndarray) -> int | None:
    full = int(np.searchsorted(np.cumsum(chars), BATCH_CHARS)) + 1
    end = min(full, BATCH_DOCUMENTS)
    return end if end <= len(chars) else None
