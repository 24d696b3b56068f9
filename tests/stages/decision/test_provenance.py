"""What a decision stands on: everything upstream of the runs, nothing that was made of the decision itself."""

import subprocess

import polars as pl
import pytest
import yaml

from stages.decision import provenance as module
from stages.decision.provenance import git_commit, provenance
from stages.foundation.dvc_lock import dvc_hashes, upstream_stages


def entry(deps, outs):
    return {
        "deps": [{"path": path, "md5": "x"} for path in deps],
        "outs": [{"path": path, "md5": f"hash of {path}"} for path in outs],
    }


STAGES = {
    "ingest": entry(["raw"], ["data/ingest"]),
    "pack": entry(
        ["data/ingest/pools", "stages/pack.py"], ["data/pack", "data/m.json"]
    ),
    "score": entry(["data/ingest"], ["data/score"]),
    "sweep": entry(
        ["data/pack/tokens.bin", "data/score/scores.parquet"],
        ["data/sweep/runs.parquet"],
    ),
    "fit": entry(["data/sweep/runs.parquet"], ["data/fit"]),
    "decide": entry(["data/fit", "data/sweep/runs.parquet"], ["data/decisions"]),
    "report": entry(["data/decisions"], ["data/report"]),
    "audit": entry(["data/decisions", "data/ingest"], ["data/audit"]),
    "aside": entry(["raw"], ["data/packed"]),
}


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "dvc.lock"
    path.write_text(yaml.safe_dump({"stages": STAGES}, sort_keys=False))
    return path


def test_what_lies_upstream_is_found_through_folders_and_files_in_them():
    assert upstream_stages(STAGES, ["data/sweep/runs.parquet"]) == {
        "sweep",
        "score",
        "pack",
        "ingest",
    }
    assert upstream_stages(STAGES, ["data/pack/"]) == {"pack", "ingest"}
    assert upstream_stages(STAGES, ["data"]) == set(STAGES)
    assert upstream_stages(STAGES, ["raw"]) == set()


def test_a_new_stage_after_the_decision_is_never_its_input(lock):
    assert dvc_hashes(lock, ["data/sweep/runs.parquet"]) == {
        "ingest": {"data/ingest": "hash of data/ingest"},
        "pack": {
            "data/pack": "hash of data/pack",
            "data/m.json": "hash of data/m.json",
        },
        "score": {"data/score": "hash of data/score"},
        "sweep": {"data/sweep/runs.parquet": "hash of data/sweep/runs.parquet"},
    }


def test_stages_without_outs_or_deps_and_a_missing_lock_are_no_error(tmp_path):
    assert dvc_hashes(tmp_path / "dvc.lock", ["data"]) == {}
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\n")
    assert dvc_hashes(tmp_path / "dvc.lock", ["data"]) == {}
    (tmp_path / "dvc.lock").write_text(
        yaml.safe_dump(
            {"stages": {"a": {}, "b": {"outs": [{"path": "d", "md5": "h"}]}}}
        )
    )
    assert dvc_hashes(tmp_path / "dvc.lock", ["d"]) == {"b": {"d": "h"}}


def test_the_record_names_runs_views_code_and_packages(lock, monkeypatch):
    monkeypatch.setattr(module, "LOCK", lock)
    monkeypatch.setattr(module, "git_commit", lambda: "abc+")
    rows = pl.DataFrame(
        {
            "run_id": ["t2-10", "t1-10"],
            "data_hash": ["d2", "d1"],
            "code_hash": ["c1", "c1"],
        }
    )
    found = provenance(rows, ["data/pack"])
    assert found.run_ids == ["t1-10", "t2-10"] and found.data_hashes == ["d1", "d2"]
    assert found.code_hash == ["c1"] and found.git_commit == "abc+"
    assert list(found.dvc) == ["ingest", "pack"]
    assert found.mlflow == (
        "tag assay.trunk_id of a run is the part of a run id before the dash"
    )
    assert found.versions["polars"] == pl.__version__
    assert set(found.versions) == set(module.PACKAGES)
    assert len(found.created) == len("2026-01-01T00:00:00+00:00")
    assert found.created.endswith("+00:00")


def git(*arguments):
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], check=True
    )


def test_the_commit_is_marked_where_tracked_code_differs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit() is None
    git("init", "-q")
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/a.py").write_text("one\n")
    (tmp_path / "notes.md").write_text("one\n")
    (tmp_path / "params.yaml").write_text("a: 1\n")
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    head = git_commit()
    assert len(head) == 40
    (tmp_path / "notes.md").write_text("two\n")
    assert git_commit() == head
    (tmp_path / "params.yaml").write_text("a: 2\n")
    assert git_commit() == f"{head}+"
    git("checkout", "-q", "params.yaml")
    (tmp_path / "stages/a.py").write_text("two\n")
    assert git_commit() == f"{head}+"


def test_a_machine_without_git_has_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_commit() is None
