"""Lines that an earlier document holds already: the policy `lines` of an arm.

Question: what do the documents that near deduplication leaves say that no other says before them?
Input: the pools' shards, the ids of the firsts. Output: the documents that lose a line (or
paragraph), with the text that is left; of equal lines that of the smallest id stays (see
curation/duplicates/line_copies.py). A document that loses everything has an empty text, and no arm of this
policy trains on it. Cost: 24 MB a CPU-second (measured), two passes; 32 bytes and a hash table
entry a line in memory.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from stages.curation.duplicates.line_copies import (
    repeated_units,
    unit_keys,
    without_copies,
)
from stages.curation.reading.documents import SCHEMA
from stages.curation.reading.row_groups import RowGroups, batches
from stages.foundation.files import whole_file
from stages.pools.copies_section import LineParams


def write_shortened(
    shards: Sequence[Path], firsts: pl.DataFrame, params: LineParams | None, path: Path
) -> int:
    """Write the documents that lose something; a file without rows where nobody asks. Their number."""
    with whole_file(path) as temporary:
        groups = RowGroups(temporary, dictionaries=("pool", "lang"))
        groups.add(
            pl.DataFrame(
                schema=SCHEMA | {"units_dropped": pl.Int64, "chars_dropped": pl.Int64}
            )
        )
        if params is not None:
            repeated = repeated_units(
                unit_keys(frame, params.unit, params.min_chars)
                for frame in _texts(shards, firsts)
            )
            for frame in _texts(shards, firsts):
                left = without_copies(
                    frame, repeated, unit=params.unit, min_chars=params.min_chars
                )
                groups.add(left.filter(pl.col("units_dropped") > 0))
        groups.close()
        return groups.documents


def _texts(shards: Sequence[Path], firsts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    for shard in shards:
        for frame in batches(shard, list(SCHEMA)):
            yield frame.join(firsts, on="id", how="semi", maintain_order="left")
