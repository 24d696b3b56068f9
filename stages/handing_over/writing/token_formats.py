"""Shards of tokens: Megatron's indexed data sets, and flat arrays with document bounds as OLMo-core reads them.

Both hold the tokens of each document with the end mark. Sources: MMIDIDX version 1 as Megatron-LM's
indexed_dataset module reads and writes it; OLMo-core's NumpyFSLDataset, which maps a file without a header as
unsigned integers, and the csv.gz beside it as `dolma tokens` writes it (start, end, id, source, location; no header).
Cost: 300 MB a CPU-second (measured); memory of a slice and 20 bytes a document.
"""

import csv
import gzip
import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

MAGIC, VERSION = b"MMIDIDX\x00\x00", 1
# Megatron's codes of types; it has none for uint32, and no vocabulary reaches the sign
DTYPE_CODES = {np.dtype(np.uint16): 8, np.dtype(np.uint32): 4}
DATA_ARGS = "data_args.txt"


@dataclass(frozen=True)
class Megatron:
    """shard_00000.bin and .idx and so on, and data_args.txt with weights and prefixes for --data-args-path."""

    dtype: np.dtype

    name = "megatron"
    of_tokens = True
    least_shards = 1

    def files(self, shard: int, n_shards: int) -> list[str]:
        return [f"shard_{shard:05d}.bin", f"shard_{shard:05d}.idx"]

    def write(self, paths: list[Path], slices: Iterator[pl.DataFrame]) -> None:
        lengths = write_tokens(paths[0], slices)
        n_tokens = np.concatenate(lengths).astype(np.int32)
        sizes = n_tokens.astype(np.int64) * self.dtype.itemsize
        with open(paths[1], "wb") as file:
            file.write(MAGIC)
            file.write(struct.pack("<QB", VERSION, DTYPE_CODES[self.dtype]))
            file.write(struct.pack("<QQ", len(n_tokens), len(n_tokens) + 1))
            file.write(n_tokens.tobytes())
            file.write((np.cumsum(sizes) - sizes).tobytes())
            file.write(np.arange(len(n_tokens) + 1, dtype=np.int64).tobytes())

    def beside(self, out: Path, facts: dict) -> list[str]:
        """Weight and prefix of every shard, by its tokens; prefixes are relative to the folder of the export."""
        words = [
            f"{tokens} {Path(files[0]).with_suffix('')}"
            for files, tokens in facts["shards"]
        ]
        (out / DATA_ARGS).write_text("\n".join(words) + "\n", "utf-8")
        return [DATA_ARGS]


@dataclass(frozen=True)
class Olmo:
    """part-0-00000.npy and so on, raw arrays whatever the suffix says, with .csv.gz beside each."""

    dtype: np.dtype

    name = "olmo"
    of_tokens = True
    least_shards = 1

    def files(self, shard: int, n_shards: int) -> list[str]:
        return [f"part-0-{shard:05d}.npy", f"part-0-{shard:05d}.csv.gz"]

    def write(self, paths: list[Path], slices: Iterator[pl.DataFrame]) -> None:
        at = 0
        with open(paths[0], "wb") as tokens, open(paths[1], "wb") as file:
            # neither name nor time, so that equal bounds are equal bytes
            with (
                gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed,
                io.TextIOWrapper(packed, "utf-8", newline="") as text,
            ):
                rows = csv.writer(text, lineterminator="\n")
                for frame in slices:
                    _write_content(tokens, frame)
                    ends = at + np.cumsum(frame["n_tokens"].to_numpy().astype(np.int64))
                    starts = [at, *ends[:-1].tolist()]
                    ids, sources = frame["id"], frame["source"]
                    rows.writerows(
                        zip(starts, ends, ids, sources, frame["row"], strict=True)
                    )
                    at = int(ends[-1])

    def beside(self, out: Path, facts: dict) -> list[str]:
        """What OLMo-core must be told of the tokenizer."""
        about = facts["tokenizer"]
        told = {
            "dtype": self.dtype.name,
            "vocab_size": about["vocab_size"],
            "eos_token_id": about["eos_id"],
            "pad_token_id": about["eos_id"],
        }
        (out / "tokenizer_config.json").write_text(json.dumps(told, indent=2) + "\n")
        return ["tokenizer_config.json"]


def write_tokens(path: Path, slices: Iterator[pl.DataFrame]) -> list[np.ndarray]:
    """The tokens back to back; their number by document, an array a slice."""
    lengths = []
    with open(path, "wb") as file:
        for frame in slices:
            _write_content(file, frame)
            lengths.append(frame["n_tokens"].to_numpy())
    return lengths


def _write_content(file: BinaryIO, frame: pl.DataFrame) -> None:
    file.write(b"".join(frame["content"].to_list()))
