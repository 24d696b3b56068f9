"""Every packed document of the pools with what one arm asks of it, in few bytes a document.

Question: which documents are there to choose from? Input: the packed index, clusters and scores. Output: a table
in id order as `arm_view` reads it, ids as 64-bit numbers in place of text. Cost: 40 to 60 bytes a document held,
three times that while tables are joined (measured); 10 million documents take 15 s.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from stages.curation.duplicates.clusters import SHORTENED
from stages.curation.reading.row_groups import batches
from stages.curation.rules.rule_list import named_rules
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.pools.removal import made_of, named_by
from stages.settings.arms import Arm

HEX_DIGITS = 16  # of an id
# columns that hold ids, and those of which only some few values occur
IDS = ("id", "cluster", "bands_cluster")
DUPLICATES = pl.Enum(["exact", "words", "near", "bands"])
# of the clusters' columns, those that a policy asks about
BY_POLICY = {
    "exact": ["duplicate"],
    "words": ["duplicate"],
    "bands": ["bands_cluster"],
    "semantic": ["semantic_of"],
}
ANEW = "run `assay run`, which brings the stages up to date"


def numbers_of(ids: pl.Series) -> np.ndarray:
    """Ids (documents,) as unsigned 64-bit numbers; they order as the ids do.

    >>> numbers_of(pl.Series(["00000000000000ff", "0000000000000100-lines"])).tolist()
    [255, 256]
    """
    digits = "".join(ids.str.slice(0, HEX_DIGITS).to_list())
    return np.frombuffer(bytes.fromhex(digits), ">u8").astype(np.uint64)


def packed_documents(with_ids: bool = True) -> pl.DataFrame:
    """Every row of the packed index: row, shortened, n_tokens, n_bytes and, where asked for, id (number)."""
    parts = []
    for frame in batches(artefacts.PACKED_POOLS_INDEX, ["id", "n_tokens", "n_bytes"]):
        parts.append(
            frame.select(
                *([pl.Series("id", numbers_of(frame["id"]))] if with_ids else []),
                pl.col("id").str.ends_with(SHORTENED).alias("shortened"),
                "n_tokens",
                "n_bytes",
            )
        )
    table = pl.concat(parts, rechunk=True)
    return table.with_row_index("row")


def whole_pool(arm: Arm) -> pl.DataFrame:
    """The documents with what the arm asks of them, and quality for the tiers; ordered by id. Raises InputError where
    the stages' files are of different pools.
    """
    parts = [arm, *([arm.replay.of] if arm.replay else [])]

    def every(columns: Callable[[Arm], list[str]]) -> list[str]:
        return list(dict.fromkeys(name for part in parts for name in columns(part)))

    packed = packed_documents()
    documents = packed.filter(~pl.col("shortened")).drop("shortened", "n_bytes")
    documents = by_id(documents)
    for path, columns in (
        (artefacts.SCORES, every(score_columns)),
        (artefacts.CLUSTERS, ["cluster", "is_first", *every(policy_columns)]),
    ):
        table = by_id(compact_table(path, ["id", *columns]))
        if not table["id"].equals(documents["id"]):
            raise InputError(
                f"{path} and {artefacts.PACKED_POOLS_INDEX} hold different documents"
                f" ({table.height} and {documents.height}); {ANEW}"
            )
        documents = documents.hstack(table.drop("id"))
    by_lines = any(part.dedup == "lines" for part in parts)
    return with_lines(documents, packed) if by_lines else documents


def policy_columns(arm: Arm) -> list[str]:
    """The columns of the clusters that the arm's policy on copies asks about."""
    return BY_POLICY.get(arm.dedup, [])


def clusters_of(question: str) -> pl.DataFrame:
    """Columns id (number) and cluster_name of the documents that a question found clusters of."""
    own = pl.scan_parquet(artefacts.TOPICS).filter(pl.col("question") == question)
    table = own.select("id", cluster_name=pl.col("cluster").cast(pl.Categorical))
    found = table.collect()
    return found.with_columns(id=pl.Series(numbers_of(found["id"])))


def by_id(table: pl.DataFrame) -> pl.DataFrame:
    """The table in the order of its ids; as it is where it is in it, for sorting copies all of it."""
    return table if table["id"].is_sorted() else table.sort("id")


def score_columns(arm: Arm) -> list[str]:
    """The columns of data/score that the arm and the tiers are made from."""
    rules: list[str] = []
    if arm.rules is True:
        rules = ["rules_pass"]
    elif arm.rules is not False:
        rules = [f"pass_{name}" for name in named_rules(arm.rules)]
    licence = (
        ["licence"] if "licence" in pl.read_parquet_schema(artefacts.SCORES) else []
    )
    order = [arm.curriculum.by] if arm.curriculum else []
    return list(dict.fromkeys(["pool", "quality", arm.by, *order, *rules, *licence]))


def compact_table(path: str, columns: Sequence[str]) -> pl.DataFrame:
    """Columns of a table, read batch by batch: ids as numbers, pools and kinds of copies as codes."""
    there = pl.read_parquet_schema(path)
    if lacking := [name for name in columns if name not in there]:
        raise InputError(f"{path} has no column {lacking[0]!r}; {ANEW}")
    pools = pl.Enum(sorted(entry.name for entry in Path(artefacts.POOLS).iterdir()))
    kinds: dict[str, Any] = {
        "pool": pools,
        "duplicate": DUPLICATES,
        "licence": pl.Categorical,
    }
    parts = []
    for frame in batches(path, columns):
        made = [
            pl.Series(name, numbers_of(frame[name]))
            if name in IDS
            else _compact(frame[name], kinds.get(name))
            for name in columns
        ]
        parts.append(pl.DataFrame(made))
    return pl.concat(parts, rechunk=True)


def _compact(column: pl.Series, kind: Any) -> pl.Series:
    if column.name == "semantic_of":  # only whether there is one
        values = column.is_not_null()
        return values.replace_strict({True: True, False: None}).rename(column.name)
    return column.cast(kind) if kind is not None else column


def with_lines(documents: pl.DataFrame, packed: pl.DataFrame) -> pl.DataFrame:
    """Adds line_row and line_tokens of the texts without repeated lines: null where nothing was lost, row -1
    where all of it was.
    """
    lost = compact_table(artefacts.LINE_COPIES, ["id"])
    shorter = packed.filter("shortened").select(
        "id", line_row=pl.col("row").cast(pl.Int64), line_tokens="n_tokens"
    )
    rows = lost.join(shorter, on="id", how="left").with_columns(
        pl.col("line_row").fill_null(-1)
    )
    return documents.join(
        rows, on="id", how="left", maintain_order="left", validate="1:1"
    )


def removed_ids(entries: frozenset[str]) -> np.ndarray:
    """Ids, as numbers, of the ingested documents that entries of removal lists name, and of those made of them."""
    found = [np.empty(0, dtype=np.uint64)]
    parents = [pl.Series("parent", [], dtype=pl.String)]
    files = sorted(Path(artefacts.POOLS).rglob("*.parquet")) if entries else []
    for file in files:
        there = pl.read_parquet_schema(file)
        columns = [name for name in ("id", "parent", "url", "source") if name in there]
        for frame in batches(file, columns):
            named = frame.filter(named_by(frame, entries).is_not_null())
            found.append(numbers_of(named["id"]))
            parents.append(named["parent"].cast(pl.String))
    found.append(numbers_of(made_of(pl.concat(parents), files)["id"]))
    return np.concatenate(found)
