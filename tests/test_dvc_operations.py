"""DVC between machines and for what-ifs: one remote and two clones, experiments, columns that fit a terminal."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys

import pytest

from stages.foundation import artefacts
from stages.pipeline import PIPELINE

WIDTH = 100


def git(folder, *arguments):
    names = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    subprocess.run(
        ["git", *names, *arguments], cwd=folder, check=True, capture_output=True
    )


@pytest.fixture
def committed(project):
    """The finished project as a git repository, as a team would keep it."""
    cached = [path for stage in PIPELINE for path in (*stage.outs, *stage.resumable)]
    cached += [artefacts.hashes(stage.name) for stage in PIPELINE]
    ignored = ["__pycache__", ".assay", "mlflow.db", *(f"/{path}" for path in cached)]
    (project.folder / ".gitignore").write_text("\n".join(ignored) + "\n")
    (project.folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (project.folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    git(project.folder, "init")
    git(project.folder, "add", ".")
    git(project.folder, "commit", "-m", "A finished pipeline")
    return project


def clone_of(project, folder):
    git(project.folder.parent, "clone", str(project.folder), str(folder))
    clone = object.__new__(type(project))
    clone.folder = folder
    return clone


@pytest.fixture(params=["folder", "s3"])
def remote(request, tmp_path):
    """Address of a remote, and the variables that lead to it."""
    if request.param == "folder":
        return str(tmp_path / "remote"), {}
    if importlib.util.find_spec("dvc_s3") is None:
        pytest.skip("dvc-s3 not installed; pip install 'assay[dvc-s3,test-s3]'")
    return "s3://store/assay", request.getfixturevalue("s3")


@pytest.mark.pipeline
def test_a_second_clone_pulls_everything_and_has_nothing_to_do(
    committed, remote, tmp_path
):
    address, variables = remote
    committed.run("-m", "dvc", "remote", "add", "-d", "store", address, check=True)
    git(committed.folder, "commit", "-am", "A remote")
    committed.run("-m", "dvc", "push", check=True, **variables)
    clone = clone_of(committed, tmp_path / "clone")
    assert not clone.runs()
    clone.run("-m", "dvc", "pull", check=True, **variables)
    assert set(clone.runs()) == set(committed.runs())
    done = clone.repro(**variables)
    assert "up to date" in done.stdout and "Running stage" not in done.stdout
    assert clone.decision() == committed.decision()
    git(clone.folder, "diff", "--exit-code")


@pytest.mark.pipeline
def test_experiments_run_and_queue_and_their_table_fits(committed):
    run = ("-m", "dvc", "exp", "run", "-S")
    committed.run(*run, "report.png_dpi=60", "--name", "coarse", check=True)
    assert committed.params()["report"]["png_dpi"] == 60
    queued = ("report.png_dpi=70", "--queue", "--name", "queued")
    committed.run(*run, *queued, check=True)
    # DVC's worker goes on for a while, and would keep a pipe open
    assert committed.start("-m", "dvc", "exp", "run", "--run-all").wait(300) == 0
    committed.run("-m", "dvc", "queue", "stop", check=True)
    command = ("-m", "flows.cli", "experiments")
    _title, heads, *rows = committed.run(*command, check=True).stdout.splitlines()
    assert heads.split() == ["experiment", "params", "metrics"]
    assert {tuple(row.split()) for row in rows} == {
        ("workspace", "report:", "png_dpi=60"),
        ("coarse", "report:", "png_dpi=60"),
        ("queued", "report:", "png_dpi=70"),
    }
    assert max(map(len, [heads, *rows])) <= WIDTH


def test_the_artifacts_of_the_project_are_named_and_there(finished_project):
    code = (
        "import json; from dvc.repo import Repo; found = Repo().artifacts.read()"
        "['dvc.yaml']; print(json.dumps({k: v.to_dict() for k, v in found.items()}))"
    )
    done = finished_project.run("-c", code, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == {"curated-views", "decision", "proxy-runs"}
    for name, artifact in found.items():
        assert (finished_project.folder / artifact["path"]).exists(), name
        assert artifact["type"] and artifact["desc"] and artifact["labels"]


def test_a_pool_is_imported_from_a_url_and_follows_it(finished_project, tmp_path):
    """`dvc import-url` writes raw.jsonl.dvc beside the file; the pool's path is the file."""
    source, folder = tmp_path / "crawl.jsonl", tmp_path / "project"
    source.write_text('{"body": "first"}\n')
    folder.mkdir()
    for name in (".dvc", ".dvcignore"):
        origin = finished_project.folder / name
        if origin.is_dir():
            shutil.copytree(
                origin, folder / name, ignore=shutil.ignore_patterns("cache", "tmp")
            )
        else:
            shutil.copy(origin, folder)
    (folder / "raw").mkdir()

    def dvc(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=folder,
            env=finished_project.environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    dvc("import-url", str(source), "raw/crawl.jsonl")
    assert (folder / "raw/crawl.jsonl").read_text() == source.read_text()
    assert re.search(
        r"path: .*crawl\.jsonl", (folder / "raw/crawl.jsonl.dvc").read_text()
    )
    source.write_text('{"body": "second"}\n')
    dvc("update", "raw/crawl.jsonl.dvc")
    assert "second" in (folder / "raw/crawl.jsonl").read_text()
