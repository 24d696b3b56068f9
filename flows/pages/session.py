"""Start a server that has processes of its own, none of which outlives whoever asked for it.

MLflow's command starts a web server and waits for it; killed, it leaves it behind. So a keeper stands
between: `python -m flows.pages.session PARENT_PID ARGUMENTS...` starts `python ARGUMENTS...`, looks
after its parent and ends the whole session when either ends. A keeper that is killed leaves its session
to `end_session`. Cost: one more process of 15 MB (measured).
"""

import os
import signal
import subprocess
import sys
import time

import psutil

from stages.foundation.processes.stopping import end_processes

LOOK_SECONDS = 0.2
GRACE_SECONDS = 1.5  # assumed: all is over within 5 s


def session_of(leader: int) -> list[psutil.Process]:
    """Every other process of the session that this one leads or has led."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != leader and os.getsid(process.pid) == leader:
                found.append(process)
        except (ProcessLookupError, PermissionError):  # has ended since, or another's
            continue
    return found


def end_session(leader: int, seconds: float = 0.0) -> None:
    """End what is left of a session, after asking for so many seconds."""
    end_processes(session_of(leader), seconds=seconds)


def main(parent: int, arguments: list[str]) -> int:
    """The exit code of `python ARGUMENTS...`, 143 where this was asked to end or the parent has ended."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    server = subprocess.Popen([sys.executable, *arguments])
    while not asked and os.getppid() == parent and server.poll() is None:
        time.sleep(LOOK_SECONDS)
    code = server.poll()
    end_session(os.getpid(), GRACE_SECONDS)
    return 128 + signal.SIGTERM if code is None else code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
