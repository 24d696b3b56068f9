"""A stage ends with whoever started it, however that ends and whatever shells stand between.

DVC starts a stage through a shell: bash becomes the stage, dash stays its parent and says nothing
of DVC's end. So the stage looks twice a second whether those above it are alive: its parent, through
shells the process above them, and the process that the flow has named in the environment. A starter
that ended before the stage could look is seen at once. Call it before anything that takes time to
import. Cost: 0.03 s, then 0.1 ms a look.
"""

import os
import signal
import threading
import time

import psutil

from stages.foundation.processes.stopping import end_in_time, leave

STARTER = "ASSAY_STARTED_BY"  # process and the second at which it began
LOOK_SECONDS = 0.5
SAME_SECONDS = 2.0  # assumed: a clock that is set between two looks moves a start
SHELLS = {"sh", "ash", "bash", "dash", "fish", "ksh", "zsh", "busybox"}


def sign() -> None:
    """Name this process as the starter of all that it starts."""
    os.environ[STARTER] = own_name()


def own_name() -> str:
    """This process by its number and its beginning, since numbers are given again."""
    me = psutil.Process()
    return f"{me.pid}:{me.create_time():.2f}"


def named_process(name: str) -> psutil.Process | None:
    """The process with this `own_name`; None where it has ended."""
    number, _, began = name.partition(":")
    try:
        process = psutil.Process(int(number))
        same = abs(process.create_time() - float(began)) < SAME_SECONDS
    except (ValueError, psutil.NoSuchProcess):
        return None
    return process if same and is_alive(process) else None


def end_with_other_starter() -> None:
    """The same where another process than this one is named as the starter; else nothing."""
    number = os.environ.get(STARTER, "").partition(":")[0]
    if number not in ("", str(os.getpid())):
        end_with_starter()


def end_with_starter() -> None:
    """End this process by SIGTERM as soon as one of its starters has ended."""
    watched = starters()
    if watched is None:
        leave(signal.SIGTERM, "")
        return
    threading.Thread(target=_watch, args=(watched,), daemon=True).start()


def starters() -> list[psutil.Process] | None:
    """Who has to live on for this process to live; None where one has ended already."""
    found = list(_above())
    if "DVC_STAGE" in os.environ and not (found and _may_start(found[-1])):
        return None
    if name := os.environ.get(STARTER):
        named = named_process(name)
        if named is None:
            return None
        found.append(named)
    return found


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; one that has ended and that nobody has asked after does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _above() -> list[psutil.Process]:
    """The parent and, where that is a shell with a command of its own, the one above it, and so on."""
    found: list[psutil.Process] = []
    try:
        for process in psutil.Process().parents():
            found.append(process)
            if not _is_command_shell(process):
                break
    except psutil.Error:
        pass  # ended between two looks: who is left says the rest
    return found


def _is_command_shell(process: psutil.Process) -> bool:
    line = process.cmdline()
    name = os.path.basename(line[0]).lstrip("-") if line else ""
    return name in SHELLS and "-c" in line[1:]


def _may_start(process: psutil.Process) -> bool:
    """Whether it can be DVC, which keeps its stage in its own session; what adopts orphans (init, a
    container's first process) is another program or in another session.
    """
    try:
        if os.getsid(process.pid) != os.getsid(0):
            return False
        words = " ".join([process.exe(), *process.cmdline()])
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    except (psutil.AccessDenied, PermissionError):
        return True
    return any(word in words for word in ("python", "dvc", "assay"))


def _watch(watched: list[psutil.Process]) -> None:
    while all(is_alive(process) for process in watched):
        time.sleep(LOOK_SECONDS)
    end_in_time(signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
