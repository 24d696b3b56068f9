"""Takes repeated lines and paragraphs out of documents, and counts them.

Question: what of these documents repeats, and what is left of them? Input: documents and the REPEAT records of the last
search. Output: `repeated_lines` and `repeated_paragraphs` (how many of a document's are to go), `repeated_chars` (the
characters of both, each counted once, with their newlines), and where they are cut the text and `n_chars` without them.
Cost: linear in the characters of the documents that lose something.
"""

from pathlib import Path

import numpy as np
import polars as pl

from stages.curate.searches.copy_keys import repeat_kinds
from stages.curate.work.sorted_runs import REPEAT, range_of
from stages.curation.text.spans import without_spans
from stages.settings.curate import CurateSettings

FAR = np.int64(1) << 40  # more than a text has characters


def repeat_columns(settings: CurateSettings) -> list[str]:
    """The columns that are added."""
    kinds = repeat_kinds(settings)
    return [*(f"repeated_{kind}" for kind in kinds), "repeated_chars"] if kinds else []


def repeats_of(
    folder: Path, settings: CurateSettings, search: str, low: int, high: int
) -> dict[str, np.ndarray]:
    """REPEAT records of each kind with low <= ordinal < high, by document and place."""
    found = {}
    for kind in repeat_kinds(settings):
        runs = [
            range_of(run, REPEAT, low=low, high=high)
            for run in sorted(folder.glob(f"repeats-{search}-{kind}-*.bin"))
        ]
        records = np.concatenate([np.zeros(0, dtype=REPEAT), *runs])
        found[kind] = records[np.lexsort((records["start"], records["ordinal"]))]
    return found


def judged_lines(
    frame: pl.DataFrame,
    found: dict[str, np.ndarray],
    settings: CurateSettings,
    looked_at: np.ndarray,
) -> pl.DataFrame:
    """The documents (with `ordinal`) with the columns of `repeat_columns`, null where not
    `looked_at`; those that are kept without what is cut.
    """
    if not found:
        return frame
    ordinals, chars = frame["ordinal"].to_numpy(), frame["n_chars"].to_numpy()
    columns = {
        f"repeated_{kind}": covered([records], ordinals, chars)[0]
        for kind, records in found.items()
    }
    columns["repeated_chars"] = covered(list(found.values()), ordinals, chars)[1]
    seen = pl.Series(looked_at)
    frame = frame.with_columns(
        pl.when(seen).then(pl.Series(name, values, dtype=pl.Int64)).alias(name)
        for name, values in columns.items()
    )
    if cut := [
        records for kind, records in found.items() if repeat_kinds(settings)[kind].cut
    ]:
        kept = frame["reason"].is_null().to_numpy()
        texts = cut_texts(
            frame["text"],
            ordinals,
            [records[np.isin(records["ordinal"], ordinals[kept])] for records in cut],
        )
        frame = frame.with_columns(texts, n_chars=texts.str.len_chars().cast(pl.Int64))
    return frame


def cut_texts(
    texts: pl.Series, ordinals: np.ndarray, found: list[np.ndarray]
) -> pl.Series:
    """The texts of these documents without what repeats in them."""
    docs, starts, stops = _spans(found, ordinals)
    if not len(docs):
        return texts
    return pl.Series(
        texts.name,
        without_spans(texts.to_list(), docs, starts=starts, stops=stops),
        dtype=pl.String,
    )


def covered(
    found: list[np.ndarray], ordinals: np.ndarray, chars: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(how many repeats, how many characters of them) in each of these documents of `chars` characters (n,)."""
    docs, starts, stops = _spans(found, ordinals)
    lengths = np.minimum(stops, chars[docs]) - starts
    return np.bincount(docs, minlength=len(ordinals)), np.bincount(
        docs, weights=lengths, minlength=len(ordinals)
    ).astype(np.int64)


def _spans(
    found: list[np.ndarray], ordinals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(place in `ordinals`, start, stop), rising; a line in a paragraph that is there is left out.
    `ordinals` rise, as those of the records do.
    """
    bounds = [
        (
            np.searchsorted(records["ordinal"], [ordinals[0], ordinals[-1] + 1])
            if len(ordinals)
            else (0, 0)
        )
        for records in found
    ]
    records = np.concatenate(
        [
            np.zeros(0, dtype=REPEAT),
            *(
                records[first:stop]
                for records, (first, stop) in zip(found, bounds, strict=True)
            ),
        ]
    )
    records = records[np.isin(records["ordinal"], ordinals)]
    docs, starts, stops = (
        np.searchsorted(ordinals, records["ordinal"]),
        records["start"].astype(np.int64),
        records["stop"].astype(np.int64),
    )
    order = np.lexsort((-stops, starts, docs))
    docs, starts, stops = docs[order], starts[order], stops[order]
    reach = np.maximum.accumulate(docs * FAR + stops) if len(docs) else stops
    outer = np.ones(len(docs), dtype=np.bool_)
    outer[1:] = (docs * FAR + stops)[1:] > reach[:-1]
    return docs[outer], starts[outer], stops[outer]
