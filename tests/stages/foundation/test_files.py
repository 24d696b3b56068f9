"""A disk that is full ends in one line and leaves what was there before."""

import os
from pathlib import Path

import pytest

from stages.foundation.errors import InputError
from stages.foundation.files import whole_file, whole_folder, write_json


def fill():
    with open("/dev/full", "w") as file:
        file.write("x" * 100_000)


def test_a_full_disk_is_one_line_and_the_old_file_stays(tmp_path):
    path = tmp_path / "run.json"
    write_json(path, {"a": 1})
    with (
        pytest.raises(
            InputError,
            match=(
                "run.json cannot be written: No space left on device; make room and run"
                " again, finished work is kept"
            ),
        ),
        whole_file(path),
    ):
        fill()
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_the_same_for_a_folder(tmp_path):
    with whole_folder(tmp_path / "pack") as folder:
        (folder / "old").touch()
    with (
        pytest.raises(InputError, match="No space left on device"),
        whole_folder(tmp_path / "pack"),
    ):
        fill()
    assert [file.name for file in (tmp_path / "pack").iterdir()] == ["old"]
    assert [file.name for file in tmp_path.iterdir()] == ["pack"]


def test_other_errors_pass_as_they_are(tmp_path):
    with pytest.raises(PermissionError), whole_file(tmp_path / "x"):
        raise PermissionError(13, "no")


def test_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace

    def synced(handle):
        done.append(Path(f"/proc/self/fd/{handle}").resolve().name)
        sync(handle)

    def replaced(source, target):
        done.append(f"named {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_json(tmp_path / "run.json", {"a": 1})
    temporary, *others = done
    assert temporary.startswith(".run.json.")
    assert others == ["named run.json", tmp_path.name]
    done.clear()
    with whole_folder(tmp_path / "pack") as folder:
        (folder / "tokens").write_text("1")
    assert done[0] == "tokens" and done[-2:] == ["named pack", tmp_path.name]
