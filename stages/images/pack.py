"""The images of the pools and of each held-out domain as arrays that a sweep maps.

Question: what does a proxy read? Input: ingested images. Output: per folder pixels.npy (n, C, H,
W), labels.npy (n,), and the index of the packed texts (id, start, n_tokens, n_bytes) in which an
image counts as one token. Cost: one copy of the bytes.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.sample_data.arrays import stacked
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import read_json, whole_file, whole_folder, write_json
from stages.images.pools import pooled
from stages.proxy.images.data import ImageData


def pack() -> None:
    """Write data/pack for images; the tokenizer is a file that says so."""
    _write(Path(artefacts.PACKED_POOLS), pooled())
    with whole_folder(artefacts.PACKED_HELD_OUT) as folder:
        for file in sorted(Path(artefacts.INGESTED_HELD_OUT).glob("*.parquet")):
            _write(folder / file.stem, pl.read_parquet(file).sort("id"))
    write_json(artefacts.TOKENIZER, {"modality": "image"})
    heldout = pooled(artefacts.INGESTED_HELD_OUT).with_columns(
        reason=pl.lit("held out")
    )
    dropped = pl.read_parquet(artefacts.INGEST_DROPPED)
    columns = ["id", "pool", "n_chars", "reason"]
    set_aside = pl.concat(
        [heldout.select(columns), dropped.select(columns)]
    ).with_columns(n_tokens=pl.lit(1, dtype=pl.Int32))
    with whole_file(artefacts.SET_ASIDE) as temporary:
        set_aside.write_parquet(temporary)
    n_images = read_json(artefacts.PACKED_POOLS_META)["n_documents"]
    write_json(
        artefacts.PACK_METRICS,
        {"pool_documents": n_images, "pool_tokens": n_images, "bytes_per_token": 0},
    )


def _write(folder: Path, images: pl.DataFrame) -> None:
    pixels = stacked(images)
    if pixels.ndim != 4:
        raise InputError(
            f"images of {folder.name} have shape {list(pixels.shape[1:])}; write them"
            " as channels, height, width"
        )
    with whole_folder(folder) as temporary:
        np.save(temporary / "pixels.npy", pixels)
        np.save(temporary / "labels.npy", images["label"].to_numpy())
        index = images.select(
            "id",
            start=pl.int_range(pl.len(), dtype=pl.Int64),
            n_tokens=pl.lit(1, dtype=pl.Int32),
            n_bytes=pl.col("n_chars").cast(pl.Int32),
        )
        index.write_parquet(temporary / "index.parquet")
        digest = hashlib.sha256(np.ascontiguousarray(pixels).data)
        digest.update(images["label"].to_numpy().tobytes())
        write_json(
            temporary / "meta.json",
            {
                "modality": "image",
                "n_documents": images.height,
                "sha256": digest.hexdigest(),
            },
        )


def opened(arms: Mapping[str, np.ndarray]) -> tuple[ImageData, dict[str, slice], str]:
    """Packed images with these arms, the held-out images of each domain, and a hash of all of them."""
    folders = [
        path
        for path in sorted(Path(artefacts.PACKED_HELD_OUT).iterdir())
        if path.is_dir()
    ]
    parts = [
        (np.load(folder / "pixels.npy"), np.load(folder / "labels.npy"))
        for folder in [Path(artefacts.PACKED_POOLS), *folders]
    ]
    edges = np.cumsum([0, *(len(labels) for _, labels in parts[1:])])
    domains = {
        folder.name: slice(int(low), int(high))
        for folder, low, high in zip(folders, edges, edges[1:], strict=False)
    }
    hashes = "".join(
        read_json(folder / "meta.json")["sha256"]
        for folder in [Path(artefacts.PACKED_POOLS), *folders]
    )
    pixels, labels = parts[0]
    data = ImageData(
        pixels,
        labels,
        held_out_pixels=np.concatenate([pixels for pixels, _ in parts[1:]]),
        held_out_labels=np.concatenate([labels for _, labels in parts[1:]]),
        arms=dict(arms),
    )
    return data, domains, hashes
