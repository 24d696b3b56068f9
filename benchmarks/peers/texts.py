"""Inputs of `curation_peers`, from the pinned wheels of the demo: 2,000 mixed documents, and all
pools in shards.

The large input is every pool but tweets and message catalogues, four times, the last three with the
words of each line in another order: real words, but neither the same texts nor the same shingles.
Each is written in the format that each tool reads.
"""

import gzip
import json
from pathlib import Path

import polars as pl

from stages.curation.sample_data.wheels import read_pool

MIXED = {
    "news": 406,
    "wiki": 94,
    "speech_en": 300,
    "docstrings": 400,
    "apidocs": 400,
    "code": 200,
    "speech_de": 100,
    "i18n": 100,
}
POOLS = (
    "news",
    "speech_en",
    "speech_de",
    "speech_es",
    "speech_nl",
    "wiki",
    "apidocs",
    "docstrings",
    "code",
)
MAX_CHARS = 60_000  # a longer document would be a tenth of the small input
SHARDS = 4


def mixed_documents(wheels: str) -> pl.DataFrame:
    """2,000 documents, the smallest ids of each pool (ids are hashes)."""
    parts = [
        read_pool(name, wheels).filter(pl.col("n_chars") < MAX_CHARS).sort("id").head(n)
        for name, n in MIXED.items()
    ]
    return pl.concat(parts).select("id", "text", "pool")


def near_documents(wheels: str) -> pl.DataFrame:
    """The first 8,000 descriptions of one programming interface: templated text, full of near duplicates."""
    return read_pool("apidocs", wheels).select("id", "text").head(8000)


def all_documents(wheels: str) -> pl.DataFrame:
    return (
        pl.concat([read_pool(name, wheels) for name in POOLS])
        .select("id", "text")
        .sort("id")
    )


def reordered(text: str, how: int) -> str:
    """The text with the words of each line in another order."""
    lines = (line.split(" ") for line in text.split("\n"))
    orders = (
        lambda w: w,
        lambda w: w[::-1],
        lambda w: w[::2] + w[1::2],
        lambda w: (w[::2] + w[1::2])[::-1],
    )
    return "\n".join(" ".join(orders[how](words)) for words in lines)


def write(folder: Path, frame: pl.DataFrame, copies: int = 1) -> dict:
    """Writes parquet shards (zstd), and for one copy jsonl and gzipped jsonl; returns their folders
    and the megabytes of text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for how in range(copies):
        part = (
            frame.with_columns(
                pl.Series("text", [reordered(text, how) for text in frame["text"]]),
                id=pl.col("id") + f"-{how}",
            )
            if how
            else frame
        )
        for shard in range(SHARDS):
            part[shard::SHARDS].write_parquet(folder / f"{how}{shard}.parquet")
    if copies == 1:
        rows = [
            json.dumps({"id": id, "text": text, "source": "wheels"}, ensure_ascii=False)
            for id, text in frame.select("id", "text").rows()
        ]
        (folder / "jsonl").mkdir(exist_ok=True)
        (folder / "jsonl/all.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
        (folder / "dolma/documents").mkdir(parents=True, exist_ok=True)
        with gzip.open(
            folder / "dolma/documents/all.jsonl.gz",
            "wt",
            encoding="utf-8",
            compresslevel=3,
        ) as target:
            target.write("\n".join(rows) + "\n")
    return {
        "folder": folder,
        "mb": copies * int(frame["text"].str.len_bytes().sum()) / 1e6,
        "documents": copies * frame.height,
    }
