"""Question: what text do we have, and which of it may nobody train on? Input: files in the user's
formats, or real text read out of pinned wheels. Output: sharded parquet a pool, reference text for
the quality classifier, held-out domains, the drops with reasons, a manifest. Held-out and reference
documents are split off by a hash of the (parent) document before anything else sees them, and
duplicates of held-out text leave the pools. Pools are read batch by batch, staged, and read again
once all held-out text is known. Cost: about 1 s per 10 MB; memory of one shard, and 8 bytes a
held-out word (16 while they are sorted).
"""

import hashlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from stages.curation.duplicates.contamination import Reference
from stages.curation.reading.row_groups import RowGroups, compact
from stages.curation.sample_data.listed import POOLS, WHEELS
from stages.foundation import artefacts
from stages.foundation.errors import ParamsError
from stages.foundation.files import remove_orphans, whole_folder, write_json
from stages.images.pools import ingest as ingest_images
from stages.pools.removal import entries_of
from stages.pools.reworded import Sources, in_order, sources_of
from stages.pools.staged_pools import StagedPool, stage_pool
from stages.settings.pools import ROLES, IngestParams, list_files

log = logging.getLogger("assay")
# a shard ends at the first of them (assumed)
SHARD_DOCUMENTS, SHARD_CHARS = (50_000, 32_000_000)
FOLDER = Path(artefacts.INGEST)


def run(params: IngestParams) -> None:
    """Read every pool, split, decontaminate, and write all of it or nothing."""
    if params.modality == "image":
        ingest_images(params, FOLDER)
        return
    url = any(pool.url is not None for pool in params.pools.values())
    prompts = any(pool.prompt is not None for pool in params.pools.values())
    origins = any(pool.source is not None for pool in params.pools.values())
    removed = entries_of(list_files(params.removed))
    remove_orphans(FOLDER)
    with whole_folder(FOLDER) as folder:
        (folder / "staged").mkdir()
        pools = {
            name: stage_pool(
                name,
                pool,
                params=params,
                path=folder / "staged" / f"{name}.parquet",
                url=url,
                prompts=prompts,
                origins=origins,
                removed=removed,
            )
            for name, pool in params.pools.items()
        }
        sources = sources_of(params, pools)
        known = Reference(_held_out(pools, folder))
        tallies = _written(params, pools, sources, known=known, folder=folder)
        sizes = {
            role: _sum(tally.kept[role] for tally in tallies.values())
            for role in ("reference", "pool")
        }
        sizes["held-out"] = _sum(tally.read["heldout"] for tally in tallies.values())
        for role in ("held-out", "reference", "pool"):
            if not sizes[role]["documents"]:
                raise ParamsError(
                    f"ingest leaves no {role} document; add documents or"
                    " change the fractions"
                )
        shutil.rmtree(folder / "staged")
        _say_unmatched(removed, pools)
        manifest = _manifest(params, pools, tallies)
        write_json(folder / "manifest.json", manifest)
    metrics = {
        f"{role.replace('-', '')}_documents": sizes[role]["documents"]
        for role in ("pool", "reference", "held-out")
    }
    write_json(
        artefacts.INGEST_METRICS,
        metrics | {"contaminated_documents": manifest["total"]["dropped"]["documents"]},
    )


def _say_unmatched(removed: frozenset[str], pools: dict[str, StagedPool]) -> None:
    """A line for entries of removal lists that name no document, of those lists that were given."""
    found = set().union(*(pool.removed for pool in pools.values()))
    if lost := sorted(removed - found):
        log.warning(
            "ingest: %d of %d entries of the removal lists name no document, the first"
            " is %s",
            len(lost),
            len(removed),
            lost[0],
        )


def _held_out(pools: dict[str, StagedPool], folder: Path) -> Iterator[pl.DataFrame]:
    """Write the held-out documents of each pool while they pass by."""
    (folder / "heldout").mkdir()
    for name, pool in pools.items():
        groups = None
        for frame in pool.batches():
            frame = frame.filter(pl.col("role") == "heldout").drop("role")
            if frame.height:
                groups = groups or RowGroups(folder / "heldout" / f"{name}.parquet")
                groups.add(frame)
                yield frame
        if groups is not None:
            groups.close()


def _written(
    params: IngestParams,
    pools: dict[str, StagedPool],
    sources: dict[str, Sources],
    *,
    known: Reference,
    folder: Path,
) -> dict[str, "Tally"]:
    """Judge and write all that is not held out, what is reworded after its sources; what each pool holds."""
    tallies = {name: Tally() for name in pools}
    reference, dropped = (
        RowGroups(folder / "reference.parquet"),
        RowGroups(folder / "dropped.parquet"),
    )
    for name in in_order(params.pools):
        shards = Shards(folder / "pools" / name)
        made_of = params.pools[name].source
        for frame in pools[name].batches():
            own_reason = pl.lit(None, dtype=pl.String)
            if made_of is not None:
                frame = sources[made_of.pool].judged(frame)
                own_reason = pl.col("own_reason")
            tallies[name].add(frame)
            frame = frame.filter(pl.col("role") != "heldout")
            frame = frame.with_columns(
                reason=pl.coalesce(own_reason, known.judge(frame)["reason"])
            ).drop("own_reason", strict=False)
            gone, kept = (
                frame.filter(pl.col("reason").is_not_null()),
                frame.filter(pl.col("reason").is_null()).drop("reason"),
            )
            if name in sources:
                sources[name].dropped.update(gone["parent"])
            tallies[name].split(gone, kept)
            dropped.add(gone)
            reference.add(kept.filter(pl.col("role") == "reference").drop("role"))
            shards.add(kept.filter(pl.col("role") == "pool").drop("role"))
        shards.close()
    reference.close()
    dropped.close()
    return tallies


class Shards:
    """The files part-00000.parquet and so on of one pool."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.written = folder, 0
        self.waiting: list[pl.DataFrame] = []

    def add(self, frame: pl.DataFrame) -> None:
        while frame.height:
            room = SHARD_DOCUMENTS - sum(part.height for part in self.waiting)
            self.waiting.append(compact(frame[:room]))
            frame = frame[room:]
            if (
                sum(part.height for part in self.waiting) == SHARD_DOCUMENTS
                or sum(part["n_chars"].sum() for part in self.waiting) >= SHARD_CHARS
            ):
                self.close()

    def close(self) -> None:
        """Write what waits."""
        if self.waiting:
            self.folder.mkdir(parents=True, exist_ok=True)
            pl.concat(self.waiting, rechunk=True).write_parquet(
                self.folder / f"part-{self.written:05d}.parquet"
            )
            self.written, self.waiting = self.written + 1, []


class Tally:
    """What a pool holds by role, what of it was dropped, and a hash of its ids and texts in reading order."""

    def __init__(self) -> None:
        self.read, self.kept = (
            {role: {"documents": 0, "characters": 0} for role in ROLES}
            for _ in range(2)
        )
        self.dropped = {"documents": 0, "characters": 0}
        self.licences: dict[str, int] = {}
        self.digest = hashlib.blake2b(digest_size=8)

    def add(self, frame: pl.DataFrame) -> None:
        for role in ROLES:
            self.read[role] = _sum(
                [self.read[role], _size(frame.filter(pl.col("role") == role))]
            )
        for id_, text in frame.select("id", "text").iter_rows():
            self.digest.update(f"{id_}{text}".encode())

    def split(self, gone: pl.DataFrame, kept: pl.DataFrame) -> None:
        self.dropped = _sum([self.dropped, _size(gone)])
        chosen = kept.filter(pl.col("role") == "pool")["licence"]
        for licence, documents in chosen.value_counts(sort=True).iter_rows():
            self.licences[licence] = self.licences.get(licence, 0) + documents
        for role in ROLES[1:]:
            self.kept[role] = _sum(
                [self.kept[role], _size(kept.filter(pl.col("role") == role))]
            )


def _manifest(
    params: IngestParams, pools: dict[str, StagedPool], tallies: dict[str, Tally]
) -> dict:
    """Per pool: documents and characters by role, drops by reason, where it came from, content hash."""
    entries = {}
    for name, tally in tallies.items():
        extract, whole = params.pools[name].extract, _sum(tally.read.values())
        entries[name] = {
            "origin": _wheels(extract) if extract else params.pools[name].path,
            "licence": params.pools[name].one_licence or "by document",
            "licences": dict(sorted(tally.licences.items())),
            "documents": whole["documents"],
            "removed_documents": sum(pools[name].removed.values()),
            "empty_documents": pools[name].report.empty,
            "characters": whole["characters"],
            "roles": tally.read,
            "dropped": tally.dropped,
            "content_hash": tally.digest.hexdigest(),
        }
    every = list(tallies.values())
    total = {
        "read": _sum(size for tally in every for size in tally.read.values()),
        "kept": _sum(size for tally in every for size in tally.kept.values()),
        "heldout": _sum(tally.read["heldout"] for tally in every),
        "dropped": _sum(tally.dropped for tally in every),
    }
    return {"pools": entries, "total": total}


def _wheels(extract: str) -> list[str]:
    wheels = [WHEELS[name] for name in POOLS[extract].wheels]
    return [f"{wheel.name}=={wheel.version} sha256:{wheel.sha256}" for wheel in wheels]


def _size(frame: pl.DataFrame) -> dict[str, int]:
    return {"documents": len(frame), "characters": int(frame["n_chars"].sum())}


def _sum(sizes) -> dict[str, int]:
    sizes = list(sizes)
    return {
        unit: sum(size[unit] for size in sizes) for unit in ("documents", "characters")
    }
