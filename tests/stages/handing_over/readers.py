"""Each format read back: with what its trainer uses where that is plain, else from its specification."""

import csv
import gzip
import io
import json
import struct

import numpy as np
import pyarrow.parquet as pq
import zstandard


def read_text(folder):
    """Rows of JSON lines in order of the shards."""
    rows = []
    for file in sorted(folder.glob("part-*.jsonl.zst")):
        with open(file, "rb") as handle:
            stream = zstandard.ZstdDecompressor().stream_reader(handle)
            rows += [json.loads(line) for line in io.TextIOWrapper(stream, "utf-8")]
    return rows


def read_nanochat(folder, split):
    """As nanochat's data set does: all parquet files by name, the last for validation; row groups of texts."""
    files = sorted(f for f in folder.iterdir() if f.name.endswith(".parquet"))
    groups = []
    for file in files[:-1] if split == "train" else files[-1:]:
        table = pq.ParquetFile(file)
        groups += [
            table.read_row_group(index).column("text").to_pylist()
            for index in range(table.num_row_groups)
        ]
    return groups


def read_megatron(prefix):
    """Documents of an MMIDIDX version 1 pair by its pointers and lengths; (documents, type)."""
    index = prefix.with_suffix(".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, n_sequences, n_documents = struct.unpack_from("<QBQQ", index, 9)
    assert version == 1
    dtype = {1: np.uint8, 4: np.int32, 5: np.int64, 8: np.uint16}[code]
    at = 34
    lengths = np.frombuffer(index, np.int32, n_sequences, at)
    at += lengths.nbytes
    pointers = np.frombuffer(index, np.int64, n_sequences, at)
    at += pointers.nbytes
    bounds = np.frombuffer(index, np.int64, n_documents, at)
    assert at + bounds.nbytes == len(index)
    tokens = prefix.with_suffix(".bin").read_bytes()
    assert bounds.tolist() == list(range(n_sequences + 1))
    found = [
        np.frombuffer(tokens, dtype, length, pointer)
        for length, pointer in zip(lengths, pointers, strict=True)
    ]
    assert sum(len(document) for document in found) * np.dtype(dtype).itemsize == len(
        tokens
    )
    return found, np.dtype(dtype)


def read_olmo(file, dtype, eos_id):
    """(documents, rows of the bounds): cut by the bounds, which are those that the end marks give."""
    tokens = np.memmap(file, mode="r", dtype=dtype)
    with gzip.open(file.with_suffix("").with_suffix(".csv.gz"), "rt") as handle:
        rows = list(csv.reader(handle))
    bounds = [(int(row[0]), int(row[1])) for row in rows]
    ends = np.flatnonzero(tokens == eos_id) + 1
    assert [end for _, end in bounds] == ends.tolist()
    return [np.array(tokens[low:high]) for low, high in bounds], rows
