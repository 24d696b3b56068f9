"""A disk that is full ends in one line and leaves what was there before."""

import os
from pathlib import Path

import polars as pl
import pytest

from stages.foundation.errors import InputError
from stages.foundation.files import (
    refuse_others,
    refuse_system,
    whole_file,
    whole_folder,
    write_json,
)


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


def test_a_full_disk_under_polars_is_one_line_too(tmp_path):
    frame = pl.DataFrame({"text": ["x" * 1000] * 1000})
    with (
        pytest.raises(InputError, match="views.parquet cannot be written: No space"),
        whole_file(tmp_path / "views.parquet"),
    ):
        frame.write_parquet("/dev/full", compression="uncompressed")


def test_a_folder_is_replaced_only_where_it_holds_what_was_written_there(tmp_path):
    model, raw = tmp_path / "model", tmp_path / "raw"
    for _ in range(2):
        with whole_folder(model, holds=("card.json",)) as folder:
            (folder / "card.json").touch()
    raw.mkdir()
    (raw / "only.jsonl").write_text("data")
    link = tmp_path / "link"
    link.symlink_to(model)
    for place, what in ((raw, "holds 'only.jsonl'"), (raw / "only.jsonl", "no folder")):
        with (
            pytest.raises(InputError, match=what),
            whole_folder(place, holds=("card.json",)),
        ):
            pass
    with pytest.raises(InputError, match="is no folder"):
        refuse_others(link, ("card.json",))
    assert (raw / "only.jsonl").read_text() == "data"


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    with (
        pytest.raises(InputError, match="is a folder; give the name of a file"),
        whole_file(tmp_path),
    ):
        pass


@pytest.mark.parametrize("name", ["/dev/null", "/dev/stdout", "/proc/x", "/sys/x/y"])
def test_nothing_of_the_system_is_replaced(name):
    for whole in (whole_file, whole_folder):
        with pytest.raises(
            InputError, match=f"{name}: no file can be kept there; give"
        ):
            with whole(name):
                raise AssertionError("it would be written")


def test_a_pipe_is_not_replaced_and_shared_memory_holds_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: is no regular file"):
        with whole_file(tmp_path / "pipe"):
            raise AssertionError("it would be written")
    refuse_system(Path("/dev/shm/x"))
    refuse_system(Path("device"))
