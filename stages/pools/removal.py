"""Documents that must go: lists of ids, addresses or places, and which documents they name.

Input: the text files of `ingest.removed`, an entry a line, and data/removed.jsonl, which `assay remove` keeps. An entry
names a document by its id or that of the whole document it is a passage of, by its address (where the pool maps `url`),
by its source, or by the user's own id (where the pool maps `id`). Cost: 2 million documents a CPU-second.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from stages.curation.reading.row_groups import batches
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import content_hash

LIST = Path(artefacts.REMOVED)
NAMES = ("id", "parent", "url", "source")


def entries_of(files: Iterable[str]) -> frozenset[str]:
    """All entries of the lists. Raises InputError where one cannot be read or has none."""
    found: set[str] = set()
    for file in files:
        if Path(file) == LIST:
            found |= {line["entry"] for line in kept_lines()}
        else:
            found |= read_entries(file)
    return frozenset(found)


def read_entries(file: Path | str) -> set[str]:
    """The entries of a text file, one a line, blanks around them left out.

    >>> _ = Path("gone.txt").write_text("http://a.example/#top\\n\\n da6879dca4c4bb2e \\n")
    >>> sorted(read_entries("gone.txt"))
    ['da6879dca4c4bb2e', 'http://a.example/#top']
    """
    try:
        lines = Path(file).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: cannot read the removal list ({error}); give a UTF-8 text file"
            " with one id or address a line"
        ) from None
    if not (found := {line.strip() for line in lines} - {""}):
        raise InputError(
            f"{file}: the removal list has no entry; give one id or address a line, or"
            " leave it out"
        )
    return found


def kept_lines() -> list[dict[str, Any]]:
    """What `assay remove` noted of each entry, in order. Raises InputError where the file is damaged."""
    if not LIST.is_file():
        return []
    lines = []
    for number, text in enumerate(LIST.read_text("utf-8").splitlines(), start=1):
        try:
            value = json.loads(text)
            assert isinstance(value["entry"], str)
        except (ValueError, KeyError, TypeError, AssertionError):
            raise InputError(
                f'{LIST}:{number}: names no entry; write {{"entry": ID}} or take the'
                " line out"
            ) from None
        lines.append(value)
    return lines


def entries_hash(entries: frozenset[str]) -> str:
    """Changes with the entries; empty for none."""
    return content_hash(sorted(entries)) if entries else ""


def named_by(frame: pl.DataFrame, entries: frozenset[str]) -> pl.Series:
    """The entry that names each document (documents,), null for none. frame: id, parent, source and maybe url."""
    known = pl.Series(sorted(entries), dtype=pl.String)
    names = [pl.col(name) for name in NAMES if name in frame.columns]
    names += [whole_source(), own_id()]
    found = [pl.when(name.is_in(known.implode())).then(name) for name in names]
    return frame.select(pl.coalesce(found).alias("entry")).to_series()


def made_of(parents: pl.Series, files: Iterable[Path]) -> pl.DataFrame:
    """Columns id, pool, origin of the documents that were made of others by rewording them. parents: ids of whole
    documents; files: document tables.
    """
    parts = [pl.DataFrame(schema=dict.fromkeys(("id", "pool", "origin"), pl.String))]
    wanted = parents.unique().implode()
    for file in files:
        if "origin" not in pl.read_parquet_schema(file):
            continue
        for frame in batches(file, ["id", "pool", "origin"]):
            made = frame.filter(pl.col("origin").is_in(wanted))
            parts.append(made.select(pl.all().cast(pl.String)))
    return pl.concat(parts)


def whole_source() -> pl.Expr:
    """The source of the whole document that a passage was cut from."""
    return (
        pl.when(pl.col("id") != pl.col("parent"))
        .then(pl.col("source").str.replace(r"/\d+$", ""))
        .otherwise("source")
    )


def own_id() -> pl.Expr:
    """The user's own id of a document, which stands behind the file; its source where the pool maps none."""
    return whole_source().str.replace(r"^[^#]*#", "")
