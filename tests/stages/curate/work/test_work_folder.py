"""Whose folder it is: another run's or another program's output is never overwritten unasked."""

import subprocess
import sys
import tempfile

import pytest

from stages.curate.work.work_folder import (
    check_free,
    earlier,
    finished,
    folder_of,
    is_result,
    locked,
    open_plan,
    refuse_inside,
    remove_result,
)
from stages.foundation.errors import InputError
from stages.foundation.files import read_json, write_json


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def work(out):
    folder = folder_of(str(out), None)
    folder.mkdir(parents=True)
    return folder


def test_work_lies_beside_the_output_and_elsewhere_has_a_name_of_its_own(out, tmp_path):
    assert folder_of(str(out), None) == out / ".work"
    first = folder_of(str(out), tmp_path / "scratch")
    other = folder_of(str(tmp_path / "other"), tmp_path / "scratch")
    assert first.parent == other.parent == tmp_path / "scratch"
    assert first != other and first == folder_of(str(out), tmp_path / "scratch")


def test_a_second_run_is_turned_away_and_nothing_is_left_of_one_that_began_nothing(out):
    folder = folder_of(str(out), None)
    with locked(folder, str(out)):
        with pytest.raises(InputError, match="another run is at work"):
            locked(folder, str(out)).__enter__()
        folder.mkdir(exist_ok=True)
    assert not out.exists()


HOLD = """
import sys
from pathlib import Path
from stages.curate.work.work_folder import locked
with locked(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("url", [False, True])
def test_two_runs_with_other_work_folders_do_not_write_one_output(
    out, tmp_path, url, monkeypatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    name = "memory://bucket/out" if url else str(out)
    command = [sys.executable, "-c", HOLD, str(tmp_path / "work1"), name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError) as caught, locked(tmp_path / "work2", name):
            pass
        assert str(caught.value).startswith(
            f"{name}: another run is at work here (process {other.pid} since 2"
        )
        other.communicate("\n")
    with locked(tmp_path / "work2", name):
        pass
    assert not out.exists() and not (tmp_path / "work2").exists()


def test_the_same_plan_goes_on_and_drops_only_half_written_files(out, work):
    plan = {"hash": "one", "out": str(out)}
    assert open_plan(work, plan) is False
    (work / "units" / "0.done").touch()
    (work / "units" / ".1.tmp").touch()
    assert open_plan(work, plan) is True
    assert [file.name for file in (work / "units").iterdir()] == ["0.done"]


def test_another_plan_starts_anew_and_takes_away_the_parts_of_the_unfinished_one(
    out, work
):
    open_plan(work, {"hash": "one", "out": str(out)})
    (work / "units" / "0.done").touch()
    (out / "kept").mkdir()
    (out / "kept" / "0.parquet").touch()
    (out / "mine.txt").touch()
    assert open_plan(work, {"hash": "two", "out": str(out)}) is False
    assert not (work / "units" / "0.done").exists() and not (out / "kept").exists()
    assert (out / "mine.txt").exists()
    assert read_json(work / "plan.json")["hash"] == "two"


def test_the_result_of_other_settings_is_refused_and_no_result_is_none(out):
    assert finished(str(out), "one") is None
    write_json(out / "manifest.json", {"result_hash": "one"})
    with pytest.raises(InputError, match="other input or settings"):
        finished(str(out), "two")


def test_the_manifest_of_another_program_is_no_result_and_is_not_removed(out, work):
    write_json(out / "manifest.json", {"name": "an app"})
    assert not is_result(str(out))
    with pytest.raises(InputError, match="holds 'manifest.json' and is no result"):
        check_free(str(out), work)
    remove_result(str(out), work)
    assert (out / "manifest.json").exists()


def test_a_folder_that_is_empty_or_ours_is_free(out, work):
    check_free(str(out), work)
    write_json(out / "manifest.json", {"result_hash": "one"})
    (out / "kept").mkdir()
    check_free(str(out), work)
    assert [entry["result_hash"] for entry in earlier(str(out), work)] == ["one"]
    remove_result(str(out), work)
    assert [entry.name for entry in out.iterdir()] == [".work"]


def test_an_output_inside_an_input_is_refused(tmp_path):
    (tmp_path / "raw").mkdir()
    refuse_inside(str(tmp_path / "out"), [str(tmp_path / "raw")])
    with pytest.raises(InputError, match="lies inside the input folder"):
        refuse_inside(str(tmp_path / "raw/deep/out"), [str(tmp_path / "raw")])


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null", "5", '{"out": 1}'])
def test_a_damaged_plan_of_unfinished_work_is_named_with_the_cure(out, work, content):
    (work / "plan.json").write_text(content)
    cure = f"delete {work} and run again, the work starts anew"
    for read in (
        lambda: open_plan(work, {"hash": "one", "out": str(out)}),
        lambda: list(earlier(str(out), work)),
    ):
        with pytest.raises(InputError) as refused:
            read()
        assert str(refused.value).startswith(f"{work / 'plan.json'} is damaged (")
        assert str(refused.value).endswith(cure)


def test_a_manifest_that_lacks_what_it_should_hold_is_named(out):
    write_json(out / "manifest.json", {"result_hash": "one"})
    with pytest.raises(
        InputError, match=r"manifest\.json is damaged \(\w.*--overwrite"
    ):
        finished(str(out), "one")
