"""A stage's entry in dvc.lock: the bytes that DVC itself writes, whole or not at all."""

import os

import pytest
import yaml

from flows.with_dvc.kept_lock import LOCK
from flows.with_dvc.lock_entry import with_entry
from flows.with_dvc.reproduced import (
    NEVER_RUN,
    StageFailure,
    reproduce,
    stale_reasons,
)
from stages.pipeline import PIPELINE

NAMES = ("ingest", "dedup", "pack")
PARAMS = {
    "ingest": {"list": [1, 2.5e-7, None], "no": "no", "text": "a: b # c " * 30},
    "dedup": {"lines": "one\n\ntwo\n", "empty": {}, "umlaut": "ä 10e5"},
    "pack": 3,
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Three stages of a file each, with params of every kind, in a folder whose DVC knows no git."""
    from dvc.repo import Repo

    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True).close()
    stages, before = {}, []
    for name in NAMES:
        stages[name] = {
            "cmd": f"echo {name} > '{name} made'",
            "deps": before,
            "params": [name],
            "outs": [f"{name} made"],
        }
        before = [f"{name} made"]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return tmp_path


def by_dvc() -> str:
    """The lock that DVC itself writes for the stages as they are."""
    from dvc.repo import Repo

    with Repo() as repo:
        for name in NAMES:
            repo.commit(name, force=True)
    return LOCK.read_text()


def test_it_is_what_dvc_writes(project):
    for name in NAMES:
        reproduce(name)
    ours = LOCK.read_text()
    assert not any(stale_reasons(stage) for stage in PIPELINE[:3])
    LOCK.unlink()
    assert by_dvc() == ours


def test_a_stage_that_ran_again_keeps_its_place(project):
    for name in NAMES:
        reproduce(name)
    before = LOCK.read_text()
    changed = PARAMS | {"dedup": {"umlaut": "ö"}}
    (project / "params.yaml").write_text(yaml.safe_dump(changed))
    reproduce("dedup")
    after = LOCK.read_text()
    assert after != before and list(yaml.safe_load(after)["stages"]) == list(NAMES)
    assert by_dvc() == after


def test_nothing_is_written_of_a_stage_that_is_fresh_or_failed(project):
    reproduce("ingest")
    before, changed = LOCK.read_text(), LOCK.stat().st_mtime_ns
    reproduce("ingest")
    assert LOCK.stat().st_mtime_ns == changed
    text = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(text.replace("echo dedup", "false; exit 1"))
    with pytest.raises(StageFailure):
        reproduce("dedup")
    assert LOCK.read_text() == before
    assert not [name for name in os.listdir(project) if name.startswith("dvc.lock.")]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: f"# mine\n{text}",
        lambda text: text.replace("stages:\n", "stages:\n\n"),
        lambda text: f"{text}datasets: []\n",
        lambda text: "schema: '2.0'\nstages: {}\n",
    ],
)
def test_a_lock_that_somebody_edited_is_left_to_dvc(project, change):
    reproduce("ingest")
    LOCK.write_text(change(LOCK.read_text()))
    assert with_entry(LOCK.read_text(), "dedup", "  dedup:\n    cmd: x\n") is None
    reproduce("ingest")
    reproduce("dedup")
    written = yaml.safe_load(LOCK.read_text())["stages"]
    assert list(written) == ["ingest", "dedup"]
    assert not any(stale_reasons(stage) for stage in PIPELINE[:2])


def test_a_stage_that_never_ran_is_said_so_and_not_called_modified(project):
    assert stale_reasons(PIPELINE[0]) == [NEVER_RUN]
    reproduce("ingest")
    assert stale_reasons(PIPELINE[0]) == []
    assert stale_reasons(PIPELINE[1]) == [NEVER_RUN]
