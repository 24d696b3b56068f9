"""A Prefect server that dies in the middle of a flow is noticed, and the run goes on without it.

Prefect's engine would ask the dead server for minutes. So a thread looks after the server and, when
it is lost, replaces this process by the same command without Prefect, as soon as the stage that is
running has ended: what is finished is on disk and nothing is done again. The process keeps its
number, so whoever waits for it sees one run. A schedule cannot do without its server: it ends what it
has started and is replaced by the same command, which starts a server of its own.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import psutil

from flows.prefect_server.own_server import ADDRESS, WITHOUT, Server
from stages.foundation.processes.stopping import end_processes

LOOK_SECONDS, ASK_SECONDS = 2.0, 3.0  # assumed
# assumed: a busy machine may keep an honest server waiting; noticed within 30 s
PATIENCE_SECONDS = 20.0

_a_stage = threading.Lock()
_lost = threading.Event()
_over = threading.Event()


def watch(server: Server) -> None:
    """Look after the server of a run from now on, in a thread."""
    _in_thread(server, _go_on_without)


def watch_schedule(server: Server) -> None:
    """Look after a schedule's own server from now on, in a thread."""
    _in_thread(server, _start_anew)


def stop_watching() -> None:
    """The flow is over: what becomes of the server no longer matters."""
    _over.set()


@contextmanager
def a_whole_stage() -> Iterator[None]:
    """Work that a lost server does not interrupt; the process is replaced before or after it."""
    if _lost.is_set():
        _wait_to_be_replaced()
    with _a_stage:
        yield
    if _lost.is_set():
        _wait_to_be_replaced()


def fault_of(server: Server) -> str:
    """Wait until the server is lost, and say how; empty where the flow ended before."""
    last_answer = time.monotonic()
    while not _over.wait(LOOK_SECONDS):
        why = server.fault(ASK_SECONDS)
        if not why:
            last_answer = time.monotonic()
        elif (server.process and server.process.poll() is not None) or (
            time.monotonic() - last_answer > PATIENCE_SECONDS
        ):
            return why
    return ""


def _in_thread(server: Server, go_on: Callable[[Server, str], None]) -> None:
    def look() -> None:
        if why := fault_of(server):
            go_on(server, why)

    threading.Thread(target=look, daemon=True).start()


def _go_on_without(server: Server, why: str) -> None:
    _say(f"the Prefect server {why}; the run goes on without it")
    _lost.set()
    with _a_stage:
        if _over.is_set():
            return
        if server.process:
            server.process.kill()
        os.environ[WITHOUT] = "1"
        _replace_this_process()


def _start_anew(_server: Server, why: str) -> None:
    _say(
        f"the Prefect server {why}; it is started anew, and a run that was going on is"
        " taken up at the next time of the schedule"
    )
    end_processes(psutil.Process().children(recursive=True), seconds=1.0)
    if _over.is_set():
        return
    del os.environ[ADDRESS]
    _replace_this_process()


def _say(line: str) -> None:
    print(f"assay: {line}", file=sys.stderr, flush=True)


def _replace_this_process() -> NoReturn:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _wait_to_be_replaced() -> None:
    _over.wait()
