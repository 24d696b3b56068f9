"""What a second process works out is what this one would, its errors come through, and it ends with this one."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from stages.foundation.errors import InputError, ParamsError
from stages.foundation.processes.pool import second_process
from stages.foundation.stage import ROOT

WAITING = """
import os, time
from stages.foundation.processes.pool import second_process
if __name__ == "__main__":
    with second_process(True) as start:
        print(start(os.getpid)(), flush=True)
        start(time.sleep, 60)()
"""


def refuse(what):
    raise ParamsError(f"fit.domain: {what}")


@pytest.mark.parametrize("is_worth_it", [True, False])
def test_a_result_and_an_error_come_back_when_called_for(is_worth_it):
    with second_process(is_worth_it) as start:
        process, refused = start(os.getpid), start(refuse, "none")
        assert (process() != os.getpid()) == is_worth_it
        with pytest.raises(InputError, match=r"^fit\.domain: none$"):
            refused()


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_one_that_is_killed_is_told_with_its_cure():
    with (
        pytest.raises(InputError, match=r"killed, most likely for memory; give"),
        second_process(True) as start,
    ):
        start(die)()


def test_it_does_not_outlive_a_kill():
    command = [sys.executable, "-c", WAITING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as run:
        child = psutil.Process(int(run.stdout.readline()))
        run.send_signal(signal.SIGKILL)
        run.wait()
        child.wait(5)
