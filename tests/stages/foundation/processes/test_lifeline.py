"""A stage does not outlive its starter, whatever shell stands between and however early the starter is killed."""

import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from stages.foundation.processes import lifeline
from stages.foundation.stage import ROOT

STAGE = (
    "import os, time; from stages.foundation.processes.lifeline import end_with_starter;"
    " end_with_starter(); print(os.getpid(), flush=True); time.sleep(60)"
)
# as DVC does: a shell with -c, whose last command a `;` keeps dash and bash from becoming
STARTER = """
import os, subprocess, sys
os.environ["DVC_STAGE"] = "stage"
subprocess.Popen([{shell!r}, "-c", {command!r}]).wait()
"""
SHELLS = [found for name in ("dash", "bash") if (found := shutil.which(name))]


def gone_within(number, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def start(shell, stage=STAGE):
    command = f"{sys.executable} -c '{stage}'; true"
    code = STARTER.format(shell=shell, command=command)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,  # as a terminal or cron gives it
        env={key: value for key, value in os.environ.items() if key != "DVC_STAGE"},
    )


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_stage_below_a_shell_ends_with_its_starter(shell, how):
    starter = start(shell)
    stage = int(starter.stdout.readline())
    assert psutil.Process(stage).ppid() != starter.pid, "a shell stands between"
    starter.send_signal(how)
    starter.wait()
    starter.stdout.close()
    assert gone_within(stage, 5)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_starter_that_is_killed_before_the_stage_could_look_is_missed_by_none(shell):
    late = f"import time; print(1, flush=True); time.sleep(1); {STAGE}"
    starter = start(shell, late)
    starter.stdout.readline()
    starter.kill()
    assert starter.stdout.readline() == "", "the stage looked, and did not go on"
    starter.wait()
    starter.stdout.close()


def test_a_flow_that_has_named_itself_counts_where_nothing_else_shows_it(monkeypatch):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    began = psutil.Process(sleeper.pid).create_time()
    monkeypatch.setenv(lifeline.STARTER, f"{sleeper.pid}:{began:.2f}")
    assert sleeper.pid in [process.pid for process in lifeline.starters()]
    # another process that was given the number later
    monkeypatch.setenv(lifeline.STARTER, f"{sleeper.pid}:{began - 60:.2f}")
    assert lifeline.starters() is None
    monkeypatch.setenv(lifeline.STARTER, f"{sleeper.pid}:{began:.2f}")
    sleeper.kill()
    assert gone_within(sleeper.pid, 5)
    assert lifeline.starters() is None
    sleeper.wait()
    assert lifeline.starters() is None
