"""Shards of text: JSON lines for anybody, parquet for `datasets`, parquet as nanochat reads it.

Each format names its files and writes one shard from slices of at most 1,024 documents with the columns id, text,
source (the pool), tier and, where weights are not yet written as repeats, weight. Cost: 60 MB a CPU-second (JSON
lines, zstd), 90 MB (parquet, zstd); memory of a slice.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

ZSTD_LEVEL = 3
KINDS = {"weight": pa.float64()}  # all other columns are text


@dataclass(frozen=True)
class JsonLines:
    """part-00000.jsonl.zst and so on: one JSON object a line."""

    name = "text"
    of_tokens = False
    least_shards = 1

    def files(self, shard: int, n_shards: int) -> list[str]:
        return [f"part-{shard:05d}.jsonl.zst"]

    def write(self, paths: list[Path], slices: Iterator[pl.DataFrame]) -> None:
        compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        with open(paths[0], "wb") as file, compressor.stream_writer(file) as stream:
            for frame in slices:
                lines = io.BytesIO()
                frame.write_ndjson(lines)
                stream.write(lines.getbuffer())

    def beside(self, out: Path, facts: dict) -> list[str]:
        return []


@dataclass(frozen=True)
class HuggingFace:
    """train-00000-of-00002.parquet and a card, as `datasets.load_dataset` finds them."""

    name = "hf"
    of_tokens = False
    least_shards = 1

    def files(self, shard: int, n_shards: int) -> list[str]:
        return [f"train-{shard:05d}-of-{n_shards:05d}.parquet"]

    def write(self, paths: list[Path], slices: Iterator[pl.DataFrame]) -> None:
        write_parquet(paths[0], slices)

    def beside(self, out: Path, facts: dict) -> list[str]:
        """The card; its YAML block names the split's files."""
        (out / "README.md").write_text(card(facts), "utf-8")
        return ["README.md"]


@dataclass(frozen=True)
class Nanochat:
    """shard_00000.parquet and so on with the column text; nanochat validates on the last and trains on the others.

    Its ranks take row groups in turn, so these are small.
    """

    name = "nanochat"
    of_tokens = False
    least_shards = 2

    def files(self, shard: int, n_shards: int) -> list[str]:
        return [f"shard_{shard:05d}.parquet"]

    def write(self, paths: list[Path], slices: Iterator[pl.DataFrame]) -> None:
        write_parquet(paths[0], (frame.select("text") for frame in slices))

    def beside(self, out: Path, facts: dict) -> list[str]:
        return []


def write_parquet(path: Path, slices: Iterator[pl.DataFrame]) -> None:
    """One row group a slice."""
    writer = None
    try:
        for frame in slices:
            schema = pa.schema(
                [(name, KINDS.get(name, pa.string())) for name in frame.columns]
            )
            writer = writer or pq.ParquetWriter(
                path,
                schema,
                compression="zstd",
                use_dictionary=[name for name in ("source", "tier") if name in frame],
                write_statistics=False,
            )
            table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)
            writer.write_table(table, row_group_size=table.num_rows)
    finally:
        if writer is not None:
            writer.close()


def card(facts: dict) -> str:
    """README.md of a data set: the YAML block of configurations, then what it is in words."""
    licences = "".join(
        f"- {name}: {count:,} documents\n" for name, count in facts["licences"].items()
    )
    groups = "".join(
        f"| {row['source']} | {row['tier']} | {row['documents']:,} | {row['tokens']:,} |"
        f" {row['weight']:g} | {row['uses']:g} |\n"
        for row in facts["groups"]
    )
    return (
        "---\n"
        "configs:\n"
        "- config_name: default\n"
        "  data_files:\n"
        "  - split: train\n"
        '    path: "train-*.parquet"\n'
        f"pretty_name: {json.dumps(facts['label'], ensure_ascii=False)}\n"
        "---\n\n"
        f"# {facts['label']}\n\n"
        f"The arm `{facts['arm']}` of the question `{facts['question']}`"
        f" ({facts['title']}), written by `assay export`. What it was decided on stands"
        " in manifest.json.\n\n"
        "| source | tier | documents written | tokens | weight | uses |\n"
        "|---|---|---|---|---|---|\n"
        f"{groups}\nLicences:\n\n{licences}"
    )
