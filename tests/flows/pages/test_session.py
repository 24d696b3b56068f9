"""A server that starts processes of its own leaves none of them, whichever of them is killed."""

import subprocess
import sys
import time

import psutil
import pytest

from flows.pages.session import end_session, session_of
from stages.foundation.processes.lifeline import is_alive
from stages.foundation.stage import ROOT

SLEEP = "import time; time.sleep(60)"
# as MLflow: waits for a child that would outlive it
SERVER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"
ASKER = f"""
import time
from flows.prefect_server.tied import start_tied
print(start_tied('-c', {SERVER!r}, through='flows.pages.session').pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def asker():
    """A process that has asked for a server, and the keeper, server and child that stand behind it."""
    process = subprocess.Popen(
        [sys.executable, "-c", ASKER], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    keeper = psutil.Process(int(process.stdout.readline()))
    deadline = time.monotonic() + 30
    while len(behind := session_of(keeper.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield process, [keeper, *sorted(behind, key=lambda one: one.pid)]
    process.kill()
    process.wait()
    process.stdout.close()
    end_session(keeper.pid)


@pytest.mark.parametrize("killed", ["asker", "server", "child"])
def test_whoever_of_them_is_killed_the_others_end(asker, killed):
    process, [keeper, server, child] = asker
    victims = {"asker": process, "server": server, "child": child}
    victims[killed].kill()
    deadline = time.monotonic() + 8
    while any(map(is_alive, (keeper, server, child))):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_session_of_a_killed_keeper_is_ended_by_whoever_knows_it(asker):
    _, [keeper, server, child] = asker
    keeper.kill()
    end_session(keeper.pid)
    assert not is_alive(server) and not is_alive(child)
