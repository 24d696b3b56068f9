"""Whole exports: what is written, what never is, kills, and folders of others."""

import importlib.util
import itertools
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tokenizers import Tokenizer

from stages.arms import joined_documents
from stages.curation.selecting.arm_views import arm_view, tier_labels
from stages.foundation.errors import InputError, RefusedError
from stages.handing_over.export import export
from stages.handing_over.handover import Request
from stages.handing_over.record import ExportManifest
from stages.handing_over.writing import payloads, scatter, shards
from stages.pools.tokens import EOS, train_tokenizer


def loaded(name):
    """A file beside this one; tests/ is no package."""
    file = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


readers, conftest = loaded("readers"), loaded("conftest")


def wanted(format_, out="out", **more):
    return Request(question="filter", out=Path(out), format=format_, **more)


def texts_of_arm(name, section):
    """id -> text of the arm over everything, by the stage's own tables and the ingested files."""
    documents = tier_labels(joined_documents(section), section.tier_edges)
    view = arm_view(documents, section.arms[name], seed=section.seed)
    pool = pl.read_parquet("data/ingest/pools/**/*.parquet").select("id", "text")
    lines = pl.read_parquet("data/dedup/lines.parquet")
    lines = lines.select(pl.col("id") + "-lines", "text")
    every = dict(pl.concat([pool, lines]).iter_rows())
    return {id_: every[id_] for id_ in view["id"]}


@pytest.mark.parametrize("arm", ["keep_20", "with_copies", "without_lines"])
def test_text_holds_each_document_of_the_arm_once(arm, project, arms_section):
    manifest = export(wanted("text", arm=arm), arms_section)
    rows = readers.read_text(Path("out"))
    assert {row["id"]: row["text"] for row in rows} == texts_of_arm(arm, arms_section)
    assert len({row["id"] for row in rows}) == len(rows) == manifest.totals.documents
    assert set(rows[0]) == {"id", "text", "source", "tier"}
    counted = Counter((row["source"], row["tier"]) for row in rows)
    assert counted == {(g.source, g.tier): g.documents for g in manifest.groups}
    n_bytes = sum(len(row["text"].encode()) for row in rows)
    assert manifest.totals.bytes == n_bytes == sum(g.bytes for g in manifest.groups)


def test_a_curriculum_is_an_export_a_stage_which_hold_each_document_once(
    project, arms_section
):
    stages = []
    for number in ("1", "2", "3"):
        request = wanted("text", out=number, arm="in_stages", phase=number)
        manifest = export(request, arms_section)
        assert manifest.phase == number
        stages.append(
            {row["id"]: row["text"] for row in readers.read_text(Path(number))}
        )
    texts = texts_of_arm("in_stages", arms_section)
    assert sum(map(len, stages)) == len(texts)
    assert stages[0] | stages[1] | stages[2] == texts
    difficulty = dict(
        pl.read_parquet(
            "data/score/scores.parquet", columns=["id", "difficulty"]
        ).iter_rows()
    )
    for easier, harder in itertools.pairwise(stages):
        assert max(map(difficulty.get, easier)) <= min(map(difficulty.get, harder))


@pytest.mark.parametrize(
    ("arm", "phase", "message"),
    [
        (
            "in_stages",
            None,
            "is read in 3 stages, each an export of its own; say which",
        ),
        ("in_stages", "4", "--phase 4: the arm in_stages is read in 3 stages"),
        ("in_stages", "decay", "say which with --phase 1 to --phase 3"),
        ("keep_20", "1", "--phase 1: the arm keep_20 is read in no stages; leave it"),
    ],
)
def test_a_stage_is_named_where_there_are_some(
    arm, phase, message, project, arms_section
):
    with pytest.raises(InputError, match=message):
        export(wanted("text", arm=arm, phase=phase), arms_section)
    assert not Path("out").exists()


def test_weights_stand_beside_the_text_where_no_repeat_stands_for_them(
    project, arms_section
):
    manifest = export(wanted("text", arm="upweight_20"), arms_section)
    rows = pl.DataFrame(readers.read_text(Path("out")))
    high = [group for group in manifest.groups if group.weight > 1]
    rest = [group for group in manifest.groups if group.weight == 1]
    share = sum(g.weight * g.tokens for g in high) / sum(
        g.weight * g.tokens for g in [*high, *rest]
    )
    assert share == pytest.approx(0.5) and {g.tier for g in high} == {"q000_020"}
    assert set(rows["weight"]) == {g.weight for g in manifest.groups}


def test_repeats_are_written_and_spread(project, arms_section):
    manifest = export(wanted("text", arm="mixed", tokens=300_000), arms_section)
    rows = pl.DataFrame(readers.read_text(Path("out")))
    assert "weight" not in rows.columns
    assert abs(manifest.totals.tokens - 300_000) < 2_000
    times = rows.group_by("source", "id").len()
    for group in manifest.groups:
        own = times.filter(
            pl.col("id").is_in(
                rows.filter(source=group.source, tier=group.tier)["id"].implode()
            )
        )
        assert own["len"].min() >= int(group.uses)
        assert own["len"].max() <= int(group.uses) + 1
        mean = own["len"].sum() / group.unique_documents
        assert mean == pytest.approx(group.uses, rel=0.05)
    # the copies of a document do not stand together
    assert (rows["id"] == rows["id"].shift()).sum() < len(rows) / 50


@pytest.mark.parametrize("format_", ["text", "hf", "nanochat", "megatron", "olmo"])
def test_every_format_holds_the_same_and_nothing_that_is_set_aside(
    format_, project, arms_section, set_aside
):
    manifest = export(wanted(format_, arm="keep_100"), arms_section)
    out, tokenizer = Path("out"), Tokenizer.from_file("data/pack/tokenizer.json")
    eos = tokenizer.token_to_id(EOS)
    if format_ == "text":
        found = [row["text"] for row in readers.read_text(out)]
    elif format_ == "hf":
        files = sorted(out.glob("train-*.parquet"))
        assert files[0].name == f"train-00000-of-{len(files):05d}.parquet"
        found = pl.read_parquet(files)["text"].to_list()
    elif format_ == "nanochat":
        train, val = (readers.read_nanochat(out, split) for split in ("train", "val"))
        found = [text for group in train + val for text in group]
        assert train and val and max(map(len, train)) <= 1024
        assert not set(train[0]) & set(val[0])
    else:
        documents = []
        if format_ == "megatron":
            for file in sorted(out.glob("*.bin")):
                more, dtype = readers.read_megatron(file.with_suffix(""))
                assert dtype == np.uint16
                documents += more
        else:
            for file in sorted(out.glob("*.npy")):
                documents += readers.read_olmo(file, np.uint16, eos)[0]
        assert all(document[-1] == eos for document in documents)
        assert sum(map(len, documents)) == manifest.totals.tokens
        found = [tokenizer.decode(document[:-1].tolist()) for document in documents]
    assert sorted(found) == sorted(texts_of_arm("keep_100", arms_section).values())
    assert len(set_aside) > 50
    everything = "\n".join(found)
    assert not [word for word in set_aside if word in everything]


def killed_at(n, after=False):
    """A method of Scatter or ShardWriter that is interrupted in its n-th call, or when that has done its work."""
    method = scatter.Scatter._flush if after else shards.ShardWriter.__call__
    calls = []

    def killed(self, *arguments):
        calls.append(1)
        if len(calls) == n:
            if after:
                method(self, *arguments)
            raise KeyboardInterrupt
        return method(self, *arguments)

    return killed


@pytest.mark.parametrize("format_", ["text", "hf", "nanochat", "megatron", "olmo"])
@pytest.mark.parametrize("where", ["reading", "writing"])
def test_a_killed_export_goes_on_with_the_same_bytes(
    format_, where, project, arms_section, monkeypatch
):
    asked = {"arm": "mixed", "tokens": 400_000, "shard_mb": 0.1}
    whole = export(wanted(format_, out="whole", **asked), arms_section)
    assert len({name.stem for name in Path("whole").glob("*0000[12]*")}) >= 2
    monkeypatch.setattr(payloads, "UNIT_BYTES", 40_000)
    monkeypatch.setattr(payloads, "PIECE_BYTES", 10_000)
    read = []
    batches = scatter.Scatter._add
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if where == "reading":
            patch.setattr(scatter.Scatter, "_flush", killed_at(3, after=True))
        else:
            patch.setattr(shards.ShardWriter, "__call__", killed_at(3))
        export(wanted(format_, **asked), arms_section)
    assert not Path("out/manifest.json").exists()
    kept = {f.name: f.stat().st_mtime_ns for f in Path("out").iterdir() if f.is_file()}
    assert len(kept) >= (2 if where == "writing" else 0)

    def counted(self, batch):
        read.append(batch.low)
        batches(self, batch)

    monkeypatch.setattr(scatter.Scatter, "_add", counted)
    again = export(wanted(format_, **asked), arms_section)
    # two units were read before the kill: they are not read again
    assert (min(read) > 0) if where == "reading" else not read
    assert again == whole
    files = {file.name for file in Path("whole").iterdir()}
    assert files == {file.name for file in Path("out").iterdir()}
    for name in files:
        assert (Path("out") / name).read_bytes() == (
            Path("whole") / name
        ).read_bytes(), name
    for name, time in kept.items():
        assert (Path("out") / name).stat().st_mtime_ns == time


def test_another_tokenizer_and_its_end_mark(project, arms_section):
    texts = list(texts_of_arm("keep_100", arms_section).values())
    other = train_tokenizer(iter(texts[:200]), 400)
    value = json.loads(other.to_str())
    Path("odd.json").write_text(json.dumps(value).replace(EOS, "<stop>"))
    with pytest.raises(InputError, match="none of the usual end marks; .*--eos TOKEN"):
        export(wanted("megatron", tokenizer=Path("odd.json")), arms_section)
    asked = {"arm": "keep_100", "tokenizer": Path("odd.json"), "eos": "<stop>"}
    manifest = export(wanted("megatron", **asked), arms_section)
    used = Tokenizer.from_file("odd.json")
    documents, _ = readers.read_megatron(Path("out/shard_00000"))
    assert all(document[-1] == used.token_to_id("<stop>") for document in documents)
    found = [used.decode(document[:-1].tolist()) for document in documents]
    assert sorted(found) == sorted(texts)
    assert manifest.tokenizer.eos == "<stop>"
    # as many of its own tokens as were asked for, though the pack counts others
    asked |= {"tokens": 60_000}
    manifest = export(wanted("olmo", out="more", **asked), arms_section)
    assert manifest.totals.tokens == pytest.approx(60_000, rel=0.03)


def test_what_is_done_is_not_done_again_and_others_folders_are_not_touched(
    project, arms_section, caplog
):
    first = export(wanted("text"), arms_section)
    times = {file: file.stat().st_mtime_ns for file in Path("out").iterdir()}
    with caplog.at_level("INFO", logger="assay"):
        assert export(wanted("text"), arms_section) == first
    assert "already done" in caplog.text
    assert {f: f.stat().st_mtime_ns for f in Path("out").iterdir()} == times
    with pytest.raises(InputError, match="holds an export of other data"):
        export(wanted("hf"), arms_section)
    Path("out/mine.txt").write_text("mine")
    export(wanted("hf", overwrite=True), arms_section)
    names = {file.name for file in Path("out").iterdir()}
    assert names == {
        "train-00000-of-00001.parquet",
        "README.md",
        "manifest.json",
        "mine.txt",
    }
    for place in ("raw/good.jsonl", "raw/good.jsonl/deep/er"):
        with pytest.raises(InputError, match=r"good\.jsonl:? is no folder; give"):
            export(wanted("text", out=place), arms_section)
    Path("other").mkdir()
    Path("other/notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"holds 'notes.txt' and is no export"):
            export(wanted("text", out="other", overwrite=overwrite), arms_section)
    assert [file.name for file in Path("other").iterdir()] == ["notes.txt"]


def test_a_full_disk_is_said_before_anything_is_written(
    project, arms_section, monkeypatch
):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5e7))
    with pytest.raises(InputError, match=r"0\.1 GB are free; make room"):
        export(wanted("text"), arms_section)
    assert not Path("out").exists()


def test_nothing_decided_is_refused_unless_an_arm_is_named(project, arms_section):
    conftest.decide(status="tie")
    with pytest.raises(RefusedError, match=r"not decided as a whole \(tie\).*--arm"):
        export(wanted("text"), arms_section)
    with pytest.raises(RefusedError, match="not decided at 1e"):
        export(wanted("text", budget=1e9), arms_section)
    assert not Path("out").exists()
    manifest = export(wanted("text", arm="keep_20"), arms_section)
    assert manifest.decision.status == "tie" and manifest.decision.flops is None


def test_the_decided_arm_is_taken_and_the_manifest_binds_it(project, arms_section):
    record = conftest.decide(best="mixed")
    manifest = export(wanted("text"), arms_section)
    assert manifest.arm == "mixed" and manifest.decision.flops == 1e9
    sealed = json.loads(Path("data/decisions/filter.json").read_text())
    assert manifest.decision.content_hash == sealed["content_hash"]
    assert manifest.decision.data_hashes == record.provenance.data_hashes
    assert ExportManifest.read("out/manifest.json") == manifest
    assert manifest.licences == {"yours": manifest.totals.documents}


def test_an_arm_that_changed_since_is_refused(project, arms_section):
    arms = dict(arms_section.arms)
    arms["keep_20"] = arms["keep_20"].model_copy(update={"keep": 0.3})
    changed = arms_section.model_copy(update={"arms": arms})
    with pytest.raises(RefusedError, match=r"arm keep_20 is not what it was"):
        export(wanted("text"), changed)


def test_pools_that_changed_since_they_were_packed_are_refused(project, arms_section):
    file = sorted(Path("data/ingest/pools/good").glob("*.parquet"))[0]
    frame = pl.read_parquet(file)
    frame.with_columns(pl.col("id").reverse()).write_parquet(file)
    with pytest.raises(InputError, match="holds other documents than"):
        export(wanted("text", arm="keep_100"), arms_section)
    conftest.decide()
    for name in ("none", "../decisions/filter"):
        with pytest.raises(InputError, match=r"no such decision.*questions are filter"):
            export(Request(question=name, out=Path("out"), format="text"), arms_section)


def test_huggingface_reads_it_where_it_is_installed(project, arms_section, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    manifest = export(wanted("hf", arm="keep_100"), arms_section)
    found = datasets.load_dataset("parquet", data_dir="out", cache_dir="cache")
    assert found["train"].num_rows == manifest.totals.documents
