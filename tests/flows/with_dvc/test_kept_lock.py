"""A kill while DVC writes costs the stage that ran, not the project: its files are as before, with a line."""

import pytest

from flows.run_lease import run_lease
from flows.with_dvc.kept_lock import KEPT, LOCK, kept_lock, take_back_lock

BEFORE = "schema: '2.0'\nstages:\n  a:\n    cmd: echo\n  b:\n    cmd: echo\n"
AFTER = BEFORE.replace("  a:\n    cmd: echo", "  a:\n    cmd: echo 2")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def killed_while_it_is(text: str, before: str | None = BEFORE) -> None:
    """What lies there when DVC was killed with so much of dvc.lock written."""
    if before is not None:
        LOCK.write_text(before)
    writing = kept_lock()
    writing.__enter__()
    LOCK.write_text(text)
    take_back_lock()


@pytest.mark.parametrize("n_chars", [0, 5, 20, 34, 40, 47])
def test_a_lock_that_a_kill_has_cut_is_as_before_with_a_line(n_chars, capsys):
    killed_while_it_is(AFTER[:n_chars])
    assert LOCK.read_text() == BEFORE and not KEPT.exists()
    assert (
        capsys.readouterr().err.count("dvc.lock was left half written by a kill") == 1
    )


def test_the_first_lock_that_a_kill_has_cut_goes():
    killed_while_it_is("schema: '2.0'\nstag", before=None)
    assert not LOCK.exists() and not KEPT.exists()


@pytest.mark.parametrize("text", [AFTER, BEFORE])
def test_a_lock_that_is_whole_stays(text, capsys):
    killed_while_it_is(text)
    assert LOCK.read_text() == text and not KEPT.exists()
    assert capsys.readouterr().err == ""


def test_nothing_is_kept_once_a_stage_is_written_down_or_has_failed():
    LOCK.write_text(BEFORE)
    with kept_lock():
        LOCK.write_text(AFTER)
    assert not KEPT.exists()
    with pytest.raises(ValueError), kept_lock():
        raise ValueError
    take_back_lock()
    assert LOCK.read_text() == AFTER


def test_a_run_takes_it_back_once_it_holds_the_folder():
    LOCK.write_text(BEFORE)
    kept_lock().__enter__()
    LOCK.write_text("")
    with run_lease():
        assert LOCK.read_text() == BEFORE
