"""A signal ends a command and all that it started within 5 s, with one line and the code that shells expect."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from stages.foundation.stage import ROOT

COMMAND = """
import subprocess, sys, time
from stages.foundation.processes.stopping import Stopped, leave, obey_signals
obey_signals("stopped; go on")
child = subprocess.Popen(
    [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN);"
     " print(1, flush=True); time.sleep(60)"],
    stdout=subprocess.PIPE,
)
child.stdout.readline()
try:
    print(child.pid, flush=True)
    {work}
except Stopped as stop:
    leave(stop.number)
"""
OBEDIENT = "time.sleep(60)"
# as a library that catches everything and tries again
STUBBORN = """
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
"""


@pytest.mark.parametrize("work", [OBEDIENT, STUBBORN], ids=["obedient", "stubborn"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_and_its_children(work, how):
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(work=work)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    child = int(command.stdout.readline())
    start = time.monotonic()
    command.send_signal(how)
    _, errors = command.communicate(timeout=10)
    assert time.monotonic() - start < 5
    assert command.returncode == 128 + how
    assert errors == "stopped; go on\n"
    assert not psutil.pid_exists(child) or (
        psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    )


def test_a_second_signal_does_not_wait():
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(work=STUBBORN)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    command.stdout.readline()
    start = time.monotonic()
    command.send_signal(signal.SIGINT)
    time.sleep(0.3)
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=10)
    assert time.monotonic() - start < 2
    assert command.returncode == 130


LEAVING = """
import atexit, sys, threading, time
from stages.foundation.processes.stopping import quick_exit
leave_with = quick_exit()
atexit.register(lambda: print("registered later"))
class Kept:
    def __del__(self):
        print("taken apart")
kept = Kept()
sys.modules["kept"] = kept
threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
print("work")
leave_with({code})
"""


@pytest.mark.parametrize("code", [0, 2])
def test_a_quick_exit_does_all_but_take_modules_apart(code):
    done = subprocess.run(
        [sys.executable, "-c", LEAVING.replace("{code}", str(code))],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code and done.stderr == ""
    assert done.stdout.splitlines() == ["work", "thread", "registered later"]


def test_an_error_before_a_quick_exit_is_told_as_ever():
    code = LEAVING.replace("leave_with({code})", "raise ValueError('what')")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1 and "ValueError: what" in done.stderr
