"""A Prefect server that dies in the middle of a flow is noticed, and the run goes on without it.

Prefect's engine would ask the dead server for minutes. So a thread looks after the server and, when
it is lost, replaces this process by the same command without Prefect, as soon as the stage that is
running has ended: what is finished is on disk and nothing is done again. The process keeps its
number, so whoever waits for it sees one run.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flows.prefect_server.own_server import WITHOUT, Server

LOOK_SECONDS, ASK_SECONDS = 2.0, 3.0  # assumed
# assumed: a busy machine may keep an honest server waiting; noticed within 30 s
PATIENCE_SECONDS = 20.0

_a_stage = threading.Lock()
_lost = threading.Event()
_over = threading.Event()


def watch(server: Server) -> None:
    """Look after the server from now on, in a thread."""
    threading.Thread(target=_look, args=(server,), daemon=True).start()


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


def _look(server: Server) -> None:
    why = fault_of(server)
    if not why:
        return
    print(
        f"assay: the Prefect server {why}; the run goes on without it",
        file=sys.stderr,
        flush=True,
    )
    _lost.set()
    with _a_stage:
        if _over.is_set():
            return
        if server.process:
            server.process.kill()
        os.environ[WITHOUT] = "1"
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _wait_to_be_replaced() -> None:
    _over.wait()
