"""Compiled loops: made once a machine, never taken stale or broken, and used without numba."""

import os
import subprocess
import sys

import numpy as np
import pytest

from stages.curation.kernels import loops as compiled
from stages.curation.kernels.loops import Loop, stored
from stages.curation.kernels.types import INT64, INT64S, UINT8S, Part

STEP = 3


@Part
def stepped(value):
    return value + STEP


@Loop
def total(values: INT64S, n: INT64, seen: UINT8S):
    """The sum of stepped values; marks those that are even."""
    whole = 0
    for place in range(n):
        whole += stepped(values[place])
        seen[place] = values[place] % 2 == 0
    return whole


@pytest.fixture
def folders(tmp_path, monkeypatch):
    found = [tmp_path / "package", tmp_path / "user"]
    monkeypatch.setattr(compiled, "_folders", lambda: iter(found))
    return found


def fresh():
    return Loop(total.python)


def test_a_loop_gives_its_result_and_fills_its_arrays(folders):
    values, seen = np.array([1, 2, 4], dtype=np.int64), np.zeros(3, dtype=np.bool_)
    assert fresh()(values, 3, seen) == 7 + 9
    assert seen.tolist() == [False, True, True]
    assert fresh()(values, 0, seen) == 0


def test_the_wrong_kind_of_array_is_refused(folders):
    for bad in (np.zeros(3, dtype=np.int32), np.zeros(6, dtype=np.int64)[::2]):
        with pytest.raises(TypeError, match="total wants a contiguous array of int64"):
            fresh()(bad, 3, np.zeros(3, dtype=np.uint8))


def test_a_stored_loop_is_used_again_and_a_changed_one_is_not(folders, monkeypatch):
    def run():
        return fresh()(np.arange(4), 4, np.zeros(4, dtype=np.uint8))

    assert run() == 6 + 12
    (first,) = folders[0].iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(compiled, "_compile", lambda loop: pytest.fail("compiled again"))
        assert run() == 6 + 12
    monkeypatch.setitem(globals(), "STEP", 5)
    assert run() == 6 + 20
    assert len(list(folders[0].iterdir())) == 2 and first.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-1] + b"\0\0",
        lambda whole: b"",
    ],
)
def test_a_broken_file_is_made_anew(folders, damage):
    folders[0].mkdir()
    assert stored("key", lambda: ("name", b"the code\nof it")) == (
        "name",
        b"the code\nof it",
    )
    path = folders[0] / "key.loop"
    path.write_bytes(damage(path.read_bytes()))
    assert stored("key", lambda: ("name", b"made anew")) == ("name", b"made anew")
    assert stored("key", lambda: pytest.fail("made a third time")) == (
        "name",
        b"made anew",
    )


def test_where_the_package_may_not_be_written_the_user_folder_serves(folders):
    folders[0].write_text("a file stands where the folder should be")
    stored("key", lambda: ("name", b"code"))
    assert (folders[1] / "key.loop").exists()
    folders[1].joinpath("key.loop").unlink()
    folders[1].rmdir()
    folders[1].write_text("and here")
    assert stored("key", lambda: ("name", b"code")) == ("name", b"code")


def test_a_second_process_never_imports_numba():
    code = """
import sys, polars as pl
from stages.curation.duplicates.minhash import signatures
from stages.curation.rules.rules import measure
frame = pl.DataFrame({"id": ["a"], "text": ["Some words of a text.\\nAnd a naïve line more."]})
signatures(frame), measure(frame)
print("numba" in sys.modules)
"""
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ,
        )
        for _ in range(2)
    ]
    assert runs[1].stdout.strip() == "False"


def test_a_numba_that_gives_no_object_code_still_runs_the_loop(folders, monkeypatch):
    def changed(loop):
        raise AttributeError("'Dispatcher' object has no attribute 'overloads'")

    monkeypatch.setattr(compiled, "_compile", changed)
    values, seen = np.array([1, 2, 4], dtype=np.int64), np.zeros(3, dtype=np.bool_)
    with pytest.warns(
        UserWarning,
        match="compiled loops are not kept between processes with numba .*overloads",
    ):
        assert fresh()(values, 3, seen) == 7 + 9
    assert seen.tolist() == [False, True, True]
