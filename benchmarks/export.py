"""Speed and memory of `assay export` on pools of a given size: python benchmarks/export.py [--gb G ...]
[--formats text megatron nanochat] [--folder DIR] [--no-kill].

The pools are made here: two of them, documents of 2,000 characters on average cut out of made-up text, with packed
tokens (one for every four bytes), clusters, scores and a decision as the stages leave them, so that the export alone
is measured. Each format is a run of the command line in its own process, its resident memory read five times a
second. Each is then run again into another folder, killed with SIGKILL at a random moment while it reads and again
while it writes shards, and resumed; all bytes must be equal. Needs a disk of about four times the largest size.
"""

import argparse
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from curate_memory import ROOT, measured

from stages.curation.reading.documents import document_id
from stages.decision.record import read_decision
from stages.foundation.files import file_hash, write_json
from stages.foundation.sealed import write_sealed
from stages.pools.tokens import train_tokenizer
from stages.proxy.tokens.packed import write_packed

MEAN_CHARS, SHARD_DOCUMENTS = 2000, 16_000
POOLS = {"crawl": 0.8, "manual": 0.2}
ARMS = {"upweight_20": {"keep": 0.2, "upweight": 0.5}, "keep_100": {"keep": 1.0}}


def made_up_text(n_chars: int, rng: np.random.Generator) -> str:
    """Words of which few are common, as in real text."""
    letters = np.array(list("etaoinshrdlucmfwypvbgkqjxz"))
    words = [
        "".join(rng.choice(letters[: rng.integers(6, 26)], rng.integers(2, 10)))
        for _ in range(30_000)
    ]
    ranks = np.minimum(rng.zipf(1.3, n_chars // 5), len(words)) - 1
    return " ".join([words[rank] for rank in ranks])[:n_chars]


def write_project(folder: Path, n_bytes: int) -> None:
    """A project whose stages up to `decide` look done."""
    rng = np.random.default_rng(0)
    corpus = made_up_text(20_000_000, rng)
    here = Path.cwd()
    folder.mkdir(parents=True)
    os.chdir(folder)
    try:
        ids, pools, sizes = [], [], []
        for pool, share in POOLS.items():
            _write_pool(pool, int(share * n_bytes), corpus, rng, ids, pools, sizes)
        _write_tables(np.array(ids), np.array(pools), np.array(sizes), rng, corpus)
    finally:
        os.chdir(here)


def _write_pool(pool, n_bytes, corpus, rng, ids, pools, sizes) -> None:
    target = Path("data/ingest/pools") / pool
    target.mkdir(parents=True)
    written = number = 0
    while written < n_bytes:
        lengths = (rng.exponential(MEAN_CHARS - 100, SHARD_DOCUMENTS) + 100).astype(int)
        starts = rng.integers(0, len(corpus) - lengths.max(), SHARD_DOCUMENTS)
        texts = [corpus[a : a + n] for a, n in zip(starts, lengths, strict=True)]
        sources = [f"{number}:{i}" for i in range(SHARD_DOCUMENTS)]
        names = [document_id(pool, source) for source in sources]
        frame = pl.DataFrame({"id": names, "text": texts}).with_columns(
            pool=pl.lit(pool),
            source=pl.Series(sources),
            lang=pl.lit(None, pl.String),
            n_chars=pl.Series(lengths),
            parent=pl.Series(names),
        )
        frame.write_parquet(target / f"part-{number:05d}.parquet")
        ids += names
        pools += [pool] * SHARD_DOCUMENTS
        sizes += lengths.tolist()
        written, number = written + int(lengths.sum()), number + 1


def _write_tables(ids, pools, sizes, rng, corpus) -> None:
    tokenizer = train_tokenizer(iter([corpus[:2_000_000]]), 4096)
    Path("data/pack").mkdir(parents=True)
    tokenizer.save("data/pack/tokenizer.json")
    tokens = rng.integers(1, 4096, 1_000_000).astype(np.uint16)
    write_packed(
        "data/pack/pools",
        (
            (name, tokens[i % 900_000 : i % 900_000 + size // 4], int(size))
            for i, (name, size) in enumerate(zip(ids, sizes, strict=True))
        ),
        vocab_size=4096,
        eos_id=0,
    )
    order = np.argsort(ids)
    ids, pools = ids[order], pools[order]
    table = pl.DataFrame({"id": ids})
    scores = table.with_columns(
        pool=pl.Series(pools), quality=pl.Series(rng.random(len(ids)))
    )
    clusters = table.with_columns(
        cluster="id",
        is_first=pl.Series(rng.random(len(ids)) < 0.9),
        duplicate=pl.lit(None, pl.String),
    )
    for name, frame in (("score/scores", scores), ("dedup/clusters", clusters)):
        Path(f"data/{name}.parquet").parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(f"data/{name}.parquet")
    empty = {"id": pl.String, "text": pl.String}
    pl.DataFrame(schema=empty).write_parquet("data/dedup/lines.parquet")
    known = {"content_hash": "0", "licence": "yours"}
    write_json("data/ingest/manifest.json", {"pools": dict.fromkeys(POOLS, known)})
    _write_question()


def _write_question() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["ingest"]["pools"] = {
        name: {"path": "raw", "heldout": 0.1, "reference": 0.1} for name in POOLS
    }
    params["fit"]["domain"] = "crawl"
    params["arms"]["arms"] = ARMS
    params["arms"]["controls"] = {}
    params["arms"]["questions"]["filter"]["arms"] = list(ARMS)
    Path("params.yaml").write_text(yaml.safe_dump(params))
    Path("raw").mkdir()
    from stages.settings.arms import ArmsParams, tier_names

    arms = ArmsParams(**params["arms"])
    write_sealed(
        "data/arms/arms.json",
        {
            "arms": {name: arm.model_dump() for name, arm in arms.arms.items()},
            "tiers": tier_names(arms.tier_edges),
        },
    )
    record = read_decision(ROOT / "data/decisions/filter.json")
    record.model_copy(
        update={
            "labels": {name: name for name in ARMS},
            "provenance": record.provenance.model_copy(update={"dvc": {}}),
        }
    ).write("data/decisions/filter.json")


def command(out: Path, format_: str, tokens: int | None) -> list[str]:
    words = ["flows.cli", "export", "filter", "--arm", "upweight_20", "--json"]
    words += ["--format", format_, "--out", str(out)]
    return words + (["--tokens", str(tokens)] if tokens else [])


def killed_twice(folder: Path, words: list[str], out: Path, seconds: float) -> int:
    """Run, kill while pools are read and while shards are written, run to the end; how often it was killed."""
    rng, kills = random.Random(0), 0
    for low, high in ((0.2, 0.5), (0.7, 0.9)):
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds * rng.uniform(low, high) / (1 + kills))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += not (out / "manifest.json").exists()
        process.wait()
    measured(words, folder, stdout=subprocess.DEVNULL)
    return kills


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file_hash(file) for file in sorted(folder.iterdir())}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gb", nargs="+", type=float, default=[0.3, 1.0])
    parser.add_argument(
        "--formats", nargs="+", default=["text", "megatron", "nanochat"]
    )
    parser.add_argument("--tokens", type=int, default=None, help="as of assay export")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--no-kill", action="store_true")
    arguments = parser.parse_args()
    print(
        f"{'GB':>6} {'format':>9} {'CPU s':>7} {'wall s':>7} {'MB/CPU-s':>9}"
        f" {'peak MB':>8} {'kills':>6} equal"
    )
    rows = []
    for gigabytes in arguments.gb:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
            folder = Path(name) / "project"
            write_project(folder, int(gigabytes * 1e9))
            for format_ in arguments.formats:
                out, again = Path(name) / "out", Path(name) / "again"
                words = command(out, format_, arguments.tokens)
                row = {"gb": gigabytes, "format": format_}
                row |= measured(words, folder, stdout=subprocess.DEVNULL)
                row["mb_per_cpu_s"] = gigabytes * 1e3 / row["cpu_s"]
                row |= {"kills": 0, "equal": None}
                if not arguments.no_kill:
                    words = command(again, format_, arguments.tokens)
                    kills = killed_twice(folder, words, again, row["wall_s"])
                    row |= {"kills": kills, "equal": contents(out) == contents(again)}
                    shutil.rmtree(again)
                rows.append(row)
                print(
                    f"{gigabytes:6.2f} {format_:>9} {row['cpu_s']:7.1f}"
                    f" {row['wall_s']:7.1f} {row['mb_per_cpu_s']:9.1f}"
                    f" {row['peak_mb']:8.0f} {row['kills']:6} {row['equal']}",
                    flush=True,
                )
                shutil.rmtree(out)
    machine = {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    print(json.dumps({"rows": rows, "machine": machine}))


if __name__ == "__main__":
    main()
