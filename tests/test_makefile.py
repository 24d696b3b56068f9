"""`make setup` builds what is not there, once, and again where the folder was moved or its Python is gone."""

import shutil
import subprocess

import pytest

from stages.foundation.stage import ROOT

PYTHON = """#!/bin/sh
# stands for Python: makes an environment whose scripts do nothing, and notes it
case "$*" in "-m venv"*)
    rm -rf .venv
    mkdir -p .venv/bin
    cp "$0" .venv/bin/python
    cp "$0" .venv/bin/uv
    echo "$PWD" >> built ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder with a space in its name."""
    if shutil.which("make") is None:
        pytest.skip("make not installed")
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / "python").write_text(PYTHON)
    (folder / "python").chmod(0o755)
    return folder


def built(folder):
    """Where environments were made so far."""
    subprocess.run(
        ["make", "setup", "PYTHON=./python"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return (folder / "built").read_text().splitlines()


def test_an_environment_is_built_once(checkout):
    assert built(checkout) == [str(checkout)]
    assert built(checkout) == [str(checkout)]


def test_a_moved_checkout_is_built_anew(checkout):
    built(checkout)
    moved = checkout.rename(checkout.parent / "moved")
    assert built(moved) == [str(checkout), str(moved)]
    assert built(moved) == [str(checkout), str(moved)]


def test_an_environment_whose_python_is_gone_is_built_anew(checkout):
    built(checkout)
    python = checkout / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/none/python")
    assert built(checkout) == [str(checkout)] * 2
