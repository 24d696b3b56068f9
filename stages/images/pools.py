"""Image pools: read, split into pool and held-out images, and searched for exact copies.

Question: which images are there, and which may nobody train on? Input: image pools by name, or
parquet files of arrays. Output: the files that the ingest and dedup stages give for text, with
arrays in place of texts; `n_chars` is the bytes of an image. Images whose bytes a held-out image
has leave the pools. Cost: seconds; the images are held in memory.
"""

from pathlib import Path

import numpy as np
import polars as pl
import xxhash

from stages.curation.duplicates.clusters import duplicates
from stages.curation.reading.documents import document_id, uniform
from stages.curation.reading.named_files import find_files
from stages.curation.sample_data.arrays import SCHEMA, stacked
from stages.curation.sample_data.image_pools import read_images
from stages.foundation import artefacts
from stages.foundation.errors import InputError, ParamsError
from stages.foundation.files import whole_file, whole_folder, write_json
from stages.pools.line_copies import write_shortened
from stages.settings.pools import ROLES, IngestParams, Pool


def ingest(params: IngestParams, folder: Path) -> None:
    """Write the pools, the held-out images, what was dropped, and the manifest."""
    pools = {name: _read(name, pool, params) for name, pool in params.pools.items()}
    images = pl.concat(pools.values())
    stacked(images)  # of one shape and dtype, or an error
    heldout = images.filter(role="heldout")
    rest = images.filter(role="pool").with_columns(
        reason=pl.when(pl.col("hash").is_in(heldout["hash"].implode())).then(
            pl.lit("exact")
        )
    )
    dropped, kept = (
        rest.filter(pl.col("reason").is_not_null()),
        rest.filter(pl.col("reason").is_null()),
    )
    for role, frame in (("held-out", heldout), ("pool", kept)):
        if frame.is_empty():
            raise ParamsError(
                f"ingest leaves no {role} image; add images or change the fractions"
            )
    with whole_folder(folder) as temporary:
        (temporary / "heldout").mkdir()
        for (name,), frame in kept.group_by("pool", maintain_order=True):
            (temporary / "pools" / name).mkdir(parents=True)
            frame.drop("role", "reason", "hash").write_parquet(
                temporary / "pools" / name / "part-00000.parquet"
            )
        for (name,), frame in heldout.group_by("pool", maintain_order=True):
            frame.drop("role", "hash").write_parquet(
                temporary / "heldout" / f"{name}.parquet"
            )
        dropped.drop("hash").write_parquet(temporary / "dropped.parquet")
        write_json(
            temporary / "manifest.json",
            _manifest(params, pools, kept=kept, heldout=heldout, dropped=dropped),
        )
    metrics = {
        "pool_documents": kept.height,
        "reference_documents": 0,
        "heldout_documents": heldout.height,
        "contaminated_documents": dropped.height,
    }
    write_json(artefacts.INGEST_METRICS, metrics)


def _read(name: str, pool: Pool, params: IngestParams) -> pl.DataFrame:
    if pool.images is not None:
        frame = read_images(pool.images, params.wheel_cache)
    else:
        assert pool.path is not None  # Pool: it has a path where it has nothing else
        frame = _own(pool.path, name)
    frame = frame.with_columns(
        id=pl.Series([document_id(name, source) for source in frame["source"]]),
        pool=pl.lit(name),
    )
    hashes = pl.Series(
        [xxhash.xxh3_64_intdigest(array) for array in frame["array"]], dtype=pl.UInt64
    )
    role = np.where(
        uniform(params.seed, frame["id"], "split") < pool.heldout, "heldout", "pool"
    )
    return frame.select(list(SCHEMA)).with_columns(
        n_chars=pl.col("array").bin.size().cast(pl.Int64),
        role=pl.Series(role),
        hash=hashes,
    )


def _own(path: str | list[str], name: str) -> pl.DataFrame:
    """The user's arrays; a row's source is its file and place unless it brings one."""
    parts = []
    for file in find_files(path)[0]:
        if file.kind != "parquet":
            raise InputError(
                f"{file.path}: images are read from parquet files of arrays; see"
                " stages/curation/sample_data/arrays.py"
            )
        frame = pl.read_parquet(file.path)
        if missing := {"array", "shape", "dtype", "label"} - set(frame.columns):
            raise InputError(
                f"{file.path}: no column {sorted(missing)[0]!r}; an image pool needs"
                " array, shape, dtype and label"
            )
        if frame["label"].null_count():
            raise InputError(
                f"{file.path}: {frame['label'].null_count()} images of pool {name!r}"
                " have no label; give each one from 0"
            )
        place = pl.Series(
            [f"{file.name}:{row}" for row in range(1, frame.height + 1)],
            dtype=pl.String,
        )
        own = {
            "source": place if "source" not in frame.columns else frame["source"],
            "id": place,
            "pool": pl.lit(name),
            "n_samples": pl.lit(1),
        }
        parts.append(
            frame.with_columns(**own).select(
                pl.col(column).cast(kind) for column, kind in SCHEMA.items()
            )
        )
    return pl.concat(parts)


def _manifest(
    params: IngestParams,
    pools: dict[str, pl.DataFrame],
    kept: pl.DataFrame,
    heldout: pl.DataFrame,
    dropped: pl.DataFrame,
) -> dict:
    entries = {
        name: {
            "origin": params.pools[name].images or params.pools[name].path,
            "licence": "public" if params.pools[name].images else "yours",
            "documents": frame.height,
            "empty_documents": 0,
            "characters": int(frame["n_chars"].sum()),
            "roles": {role: _size(frame.filter(role=role)) for role in ROLES},
            "dropped": _size(dropped.filter(pool=name)),
            "content_hash": xxhash.xxh3_64_hexdigest(
                frame["hash"].to_numpy().tobytes()
            ),
        }
        for name, frame in pools.items()
    }
    total = {
        "read": _size(pl.concat(pools.values())),
        "kept": _size(kept),
        "heldout": _size(heldout),
        "dropped": _size(dropped),
    }
    return {"modality": "image", "pools": entries, "total": total}


def _size(frame: pl.DataFrame) -> dict[str, int]:
    return {"documents": frame.height, "characters": int(frame["n_chars"].sum())}


def pooled(folder: str = artefacts.POOLS) -> pl.DataFrame:
    """The images of all pools, in id order."""
    return pl.read_parquet(sorted(Path(folder).rglob("*.parquet"))).sort("id")


def dedup() -> None:
    """Clusters of images with the same bytes."""
    pool = pooled()
    hashes = pl.Series(
        [xxhash.xxh3_64_intdigest(array) for array in pool["array"]], dtype=pl.UInt64
    )
    clusters = duplicates(
        pl.DataFrame({"id": pool["id"], "exact": hashes}), "exact"
    ).rename({"keep": "is_first", "reason": "duplicate"})
    write_shortened([], pl.DataFrame(), params=None, path=Path(artefacts.LINE_COPIES))
    with whole_file(artefacts.CLUSTERS) as temporary:
        clusters.write_parquet(temporary)
    write_json(
        artefacts.DEDUP_METRICS,
        {
            "exact_duplicates": int(clusters["duplicate"].is_not_null().sum()),
            "words_duplicates": 0,
            "near_duplicates": 0,
        },
    )
