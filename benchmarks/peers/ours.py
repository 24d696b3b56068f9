"""Our side of `curation_peers`: `python ours.py rules|minhash|exact FOLDER [WORKERS]`. Prints one JSON object."""

import json
import sys
from multiprocessing import get_context
from pathlib import Path

import polars as pl


def read(file: Path) -> pl.DataFrame:
    return pl.read_parquet(file, columns=["id", "text"])


def judged(file: Path) -> int:
    from stages.curation.rules.rules import rule_table

    return int(rule_table(read(file), rules="fineweb")["rules_pass"].sum())


def signed(file: Path) -> pl.DataFrame:
    from stages.curation.duplicates.minhash import signatures

    return signatures(read(file))


def main(what: str, folder: str, workers: int = 1) -> dict:
    files = sorted(Path(folder).glob("*.parquet"))
    pool = get_context("spawn").Pool(workers) if workers > 1 else None
    each = pool.imap if pool else map
    if what == "rules":
        kept = sum(each(judged, files))
    elif what == "minhash":
        from stages.curation.duplicates.clusters import duplicates

        table = duplicates(
            pl.concat(each(signed, files)), texts=lambda ids: map(read, files)
        )
        kept = int(table["keep"].sum())
    else:
        from stages.curation.duplicates.clusters import exact_duplicates

        kept = int(exact_duplicates(map(read, files))["keep"].sum())
    return {"kept": kept}


if __name__ == "__main__":
    print(
        json.dumps(
            main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
        )
    )
