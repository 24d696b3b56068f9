"""A project that DVC cannot read is refused in one line with the cure, before any work."""

import subprocess

import pytest

from flows.with_dvc.project import check_project
from flows.with_dvc.reproduced import stale_reasons
from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout without git, which `git init` mends."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_bytes((ROOT / ".dvc/config").read_bytes())
    (tmp_path / "dvc.yaml").write_text("stages: {a: {cmd: echo}}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_checkout_without_git(project):
    with pytest.raises(InputError, match="not a git repository; .*git init"):
        check_project()
    subprocess.run(["git", "init", "-q"], check=True)
    check_project()


@pytest.mark.parametrize("content", [b"x: [\n", b"\xff\xfe", b"a: 1\n", b"[]", b""])
def test_a_damaged_lock_names_the_cure(project, content):
    subprocess.run(["git", "init", "-q"], check=True)
    (project / "dvc.lock").write_bytes(content)
    with pytest.raises(InputError, match=r"dvc\.lock.*git checkout dvc.lock") as error:
        check_project()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"\0", b"stages: 3", b"stages: {a: {cmd: ["])
def test_a_damaged_dvc_yaml_names_the_cure(project, content):
    subprocess.run(["git", "init", "-q"], check=True)
    (project / "dvc.yaml").write_bytes(content)
    with pytest.raises(InputError, match="`assay dvc-yaml` writes dvc.yaml again"):
        check_project()


@pytest.mark.parametrize("left", ["", '{"read": {"data/x', '{"read": 3}'])
def test_what_a_killed_command_held_is_forgotten_with_a_line(project, capsys, left):
    """DVC itself would refuse every command from then on."""
    subprocess.run(["git", "init", "-q"], check=True)
    (project / "dvc.yaml").write_text(
        "stages: {ingest: {cmd: echo, deps: [input], outs: [data]}}\n"
    )
    (project / ".dvc/tmp").mkdir()
    (project / ".dvc/tmp/rwlock").write_text(left)
    assert stale_reasons(PIPELINE[0])
    said = capsys.readouterr().err
    assert said.count("rwlock was left half written by a killed command; removed") == 1
