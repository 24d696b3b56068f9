"""A command passes or fails documents within bounds, and no document is asked about twice."""

import sys
import time

import numpy as np
import pytest

from stages.curation.scores.command_checks import CommandCheck
from stages.foundation.errors import InputError

GOOD, BAD = "answer = 6 * 7\nassert answer == 42\n", "assert 6 * 7 == 41\n"


def check(*command, seconds=20.0, memory_mb=2000, jobs=2):
    return CommandCheck(tuple(command), seconds, memory_mb, jobs)


def python(code, **bounds):
    return check(sys.executable, "-c", code, **bounds)


def test_code_that_runs_passes_and_code_that_fails_does_not(tmp_path):
    runs = check(sys.executable, "-")
    passed = runs.verdicts([GOOD, BAD, "syntax error (", GOOD], tmp_path / "kept")
    assert passed.tolist() == [1, 0, 0, 1] and passed.dtype == np.float64


def test_a_check_that_takes_too_long_fails_and_leaves_no_process(tmp_path):
    mark = tmp_path / "mark"
    late = (
        "import subprocess, sys, time;"
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(4); open({str(mark)!r}, \"w\")']);"
        "time.sleep(60)"
    )
    started = time.monotonic()
    assert python(late, seconds=2).verdicts(["x"], tmp_path / "kept").tolist() == [0]
    assert time.monotonic() - started < 30
    time.sleep(3)
    assert not mark.exists()


def test_memory_is_bounded(tmp_path):
    greedy = python("held = bytearray(2_000_000_000)", memory_mb=1000)
    modest = python("held = bytearray(1_000_000)", memory_mb=1000)
    assert greedy.verdicts(["x"], tmp_path / "kept").tolist() == [0]
    assert modest.verdicts(["x"], tmp_path / "kept").tolist() == [1]


def test_each_check_works_in_an_empty_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "import os; found = os.listdir('.'); open('left', 'w').write('x'); assert not found"
    texts = ["a", "b", "c"]
    assert python(code).verdicts(texts, tmp_path / "kept").tolist() == [1, 1, 1]
    assert not (tmp_path / "left").exists()


def test_secrets_of_the_environment_are_not_handed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "secret")
    code = "import os; assert 'MY_TOKEN' not in os.environ"
    assert python(code).verdicts(["a"], tmp_path / "kept").tolist() == [1]


def test_a_verdict_is_kept_until_the_command_or_its_file_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "judge.py").write_text(
        "import sys; open('/dev/null'); sys.exit('good' not in sys.stdin.read())"
    )
    asked = []
    plain = CommandCheck._passes

    def counted(self, command, text):
        asked.append(text)
        return plain(self, command, text)

    monkeypatch.setattr(CommandCheck, "_passes", counted)
    judge = check(sys.executable, "judge.py")
    assert judge.verdicts(["good", "bad"], tmp_path / "kept").tolist() == [1, 0]
    assert judge.verdicts(["bad", "good"], tmp_path / "kept").tolist() == [0, 1]
    assert sorted(asked) == ["bad", "good"]
    (tmp_path / "judge.py").write_text("")
    assert judge.verdicts(["bad", "good"], tmp_path / "kept").tolist() == [1, 1]


def test_documents_that_the_command_does_not_read_are_no_error(tmp_path):
    assert check("true").verdicts(["x" * 10_000_000], tmp_path / "kept").tolist() == [1]


def test_a_command_that_is_not_there_is_one_line():
    with pytest.raises(InputError, match="'no_such_program' is not there"):
        check("no_such_program")


def test_a_check_that_passes_nothing_is_said(tmp_path, caplog):
    texts = [str(number) for number in range(20)]
    assert check("false").verdicts(texts, tmp_path / "kept").sum() == 0
    assert "command false: none of 20 documents passed" in caplog.text
    caplog.clear()
    check("true").verdicts(texts, tmp_path / "kept")
    assert not caplog.text
