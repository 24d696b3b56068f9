"""Flows of processes that were killed: Prefect would show them as running for ever.

A flow notes its run and its process in a file below .assay while it runs. At the next start a noted
run whose process has ended is marked as crashed, with its tasks; on the project's own server, which
serves one run at a time, so is whatever else is said to be running.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from flows.prefect_server.asking import ask
from flows.prefect_server.own_server import Server
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import read_json, write_json
from stages.foundation.processes.lifeline import named_process, own_name

NOTES = Path(artefacts.WORK) / "flows"
UNFINISHED = ["RUNNING", "PENDING", "CANCELLING", "PAUSED"]
SECONDS = 3.0  # assumed: of each question
MESSAGE = "its process has ended; finished work is kept, `assay run` goes on"


def note(flow_run: str) -> None:
    """This process runs the flow. A disk that is full keeps no notes."""
    with suppress(OSError, InputError):
        write_json(NOTES / f"{flow_run}.json", {"process": own_name()})


def own_flow_runs() -> list[str]:
    """The flow runs of this process."""
    return [file.stem for file in NOTES.glob("*.json") if _process(file) == own_name()]


def forget(flow_run: str) -> None:
    (NOTES / f"{flow_run}.json").unlink(missing_ok=True)


def crash_leftovers(server: Server) -> int:
    """Mark the flows of dead processes as crashed; how many. Call while no other run can be alive here.

    A server that does not answer is asked again at the next start.
    """
    notes = {file.stem: file for file in NOTES.glob("*.json") if not _alive(file)}
    try:
        wanted = None if server.process else list(notes)
        n_runs = crash(server.url, wanted, seconds=SECONDS)
    except (OSError, ValueError):
        return 0
    for file in notes.values():
        file.unlink(missing_ok=True)
    return n_runs


def crash(url: str, flow_runs: list[str] | None, *, seconds: float) -> int:
    """Mark these flow runs, None for all that are unfinished, and their tasks as crashed."""
    if flow_runs is not None and not flow_runs:
        return 0
    unfinished: dict[str, Any] = {"state": {"type": {"any_": UNFINISHED}}}
    these = {"id": {"any_": flow_runs}} if flow_runs is not None else {}
    found = _all(url, "flow_runs", {"flow_runs": unfinished | these}, seconds)
    if not found:
        return 0
    parents = {"flow_runs": {"id": {"any_": found}}, "task_runs": unfinished}
    for task in _all(url, "task_runs", parents, seconds):
        _crash(url, "task_runs", task, seconds)
    for run in found:
        _crash(url, "flow_runs", run, seconds)
    return len(found)


def _all(url: str, kind: str, wanted: dict[str, Any], seconds: float) -> list[str]:
    return [row["id"] for row in ask(f"{url}/{kind}/filter", wanted, seconds=seconds)]


def _crash(url: str, kind: str, run: str, seconds: float) -> None:
    state = {"type": "CRASHED", "name": "Crashed", "message": MESSAGE}
    body = {"state": state, "force": True}
    ask(f"{url}/{kind}/{run}/set_state", body, seconds=seconds)


def _alive(file: Path) -> bool:
    return named_process(_process(file)) is not None


def _process(file: Path) -> str:
    try:
        return str(read_json(file)["process"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
