"""`assay run`: check everything, bring dvc.yaml in line, run the flow, say what came out."""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from flows import environment
from flows.commands.project.ladder import Dial, turn
from flows.commands.project.until import Until, follow, require_target
from flows.prefect_server.leftovers import crash, crash_leftovers, own_flow_runs
from flows.prefect_server.own_server import WITHOUT, Server, find_server
from flows.prefect_server.watch import stop_watching, watch
from flows.run_lease import run_lease
from stages.foundation import artefacts
from stages.foundation.dvc_file import write_pipeline_file
from stages.foundation.errors import InputError
from stages.foundation.processes.deadlines import within
from stages.foundation.processes.lifeline import sign
from stages.foundation.processes.stopping import (
    STOPPED_CODES,
    Stopped,
    end_processes,
    leave,
    say_when_stopped,
)
from stages.pipeline import PIPELINE
from stages.runs.mlflow_store.links import spoken_links
from stages.settings.params import load_params
from stages.target.checked_params import note_checked

STOPPED = "assay: stopped; finished work is kept, `assay run` goes on"
LAST_LINES_SECONDS = 15.0  # assumed
LOOK_SECONDS = 0.2
EXECUTORS = ("local", "prefect", "ray")


def check_executor(executor: str) -> None:
    """InputError where there is no such executor, or Ray is not installed."""
    if executor not in EXECUTORS:
        raise InputError(
            f"--executor {executor}: must be one of {', '.join(EXECUTORS)}"
        )
    if executor == "ray" and not find_spec("ray"):
        raise InputError(
            "--executor ray needs Ray: pip install 'assay[ray]', or take --executor"
            " prefect"
        )


def main_job(
    params_file: Path,
    jobs: int,
    executor: str,
    gpus: float = 0.0,
    dial: Dial | None = None,
    until: Until | None = None,
) -> int:
    """The exit code of the whole pipeline.

    dial: a target and a time, from which params_file is completed first. until: how sure to become, by further runs.
    """
    check_executor(executor)
    if not Path("dvc.yaml").is_file() or not Path(".dvc").is_dir():
        raise InputError(
            f"{Path.cwd()}: no dvc.yaml and .dvc here; run this in the project's folder"
        )
    if dial is not None and dial.is_turned:
        with run_lease():
            turn(params_file, dial)
    params = load_params(params_file, PIPELINE, files_of=PIPELINE)
    if until is not None:
        require_target(params, params_file)
    environment.prepare()
    environment.find_python()
    if jobs:
        os.environ["ASSAY_JOBS"] = str(jobs)
    sign()
    say_when_stopped(STOPPED)

    def work(server: Server | None) -> int:
        way = _Way(server, executor=executor, jobs=jobs, gpus=gpus)
        return _rounds(params_file, until, way)

    with run_lease():
        code = _watched(lambda: _ready(params_file), work)
    if code == 0:
        from stages.searched.words import printed_decisions

        print(printed_decisions())
        print(f"\nthe page: {Path(artefacts.PAGE).resolve()}")
        print(spoken_links() or "the runs: assay ui")
    _leave_in_time(code)
    return code


def _ready(params_file: Path) -> None:
    """What needs no server yet: the project brought in line and looked at, and what the flow imports."""
    _follow_params(params_file)
    from flows.with_dvc.project import check_project

    check_project()
    if WITHOUT not in os.environ:
        with contextlib.suppress(ImportError):  # its first use says what is missing
            import_module("flows.pipeline")
    # on a core that has little to do until the first stages are over
    threading.Thread(target=_publisher_ahead, daemon=True).start()


def _publisher_ahead() -> None:
    from stages.runs.mlflow_store.ahead import get_ready

    get_ready()


def _follow_params(params_file: Path) -> None:
    """Bring dvc.yaml in line with the parameters."""
    params = load_params(params_file, PIPELINE)
    note_checked(params_file)
    if write_pipeline_file(PIPELINE, params, str(params_file)):
        print(f"dvc.yaml follows {params_file} now", file=sys.stderr)


@dataclass(frozen=True)
class _Way:
    """How stages are run. server: Prefect's, None without it."""

    server: Server | None
    executor: str
    jobs: int
    gpus: float


def _rounds(params_file: Path, until: Until | None, way: _Way) -> int:
    """Additions until the goal is reached, where there is one, then every stage; the exit code."""

    def bring(upto: str = "") -> int:
        _follow_params(params_file)
        run = _without_prefect if way.server is None else _with_prefect
        return _in_thread(run, str(params_file), way.jobs, way.executor, way.gpus, upto)

    code = 0 if until is None else follow(params_file, until, bring)
    return code or bring()


def _watched(
    get_ready: Callable[[], None], work: Callable[[Server | None], int]
) -> int:
    """The exit code of the work, with Prefect's server where there is one. get_ready: called while it starts."""
    server = None
    try:
        if WITHOUT in os.environ:
            get_ready()
        else:
            server = find_server(get_ready)
        if server is not None:
            watch(server)
            crash_leftovers(server)
        return work(server)
    except Stopped as stop:
        try:
            _end_flow(server)
        finally:  # the interpreter's own end could wait for Prefect's threads
            leave(stop.number)
    finally:
        stop_watching()


def _without_prefect(
    params_file: str, jobs: int, executor: str, gpus: float, upto: str
) -> int:
    from flows.without_prefect import pipeline_without_prefect

    logging.getLogger("dvc").setLevel(logging.ERROR)
    return pipeline_without_prefect(
        params_file, executor, jobs=jobs, gpus=gpus, upto=upto
    )


def _with_prefect(
    params_file: str, jobs: int, executor: str, gpus: float, upto: str
) -> int:
    from flows.pipeline import pipeline
    from flows.with_dvc.reproduced import BAD_INPUT, StageFailure
    from flows.with_dvc.tasks import failure_of

    logging.getLogger("dvc").setLevel(logging.ERROR)
    state = pipeline(
        executor, jobs, params_file, gpus=gpus, upto=upto, return_state=True
    )
    if state.is_completed():
        return 0
    failure = failure_of(state)
    kept = (1, BAD_INPUT, *STOPPED_CODES)
    if isinstance(failure, StageFailure) and failure.exit_code in kept:
        return failure.exit_code
    return 1


def _in_thread(work: Callable[..., int], *arguments: Any, **named: Any) -> int:
    """What `work` gives or raises, with this thread free for signals: DVC and Prefect take them for
    themselves where they run in the main thread.
    """
    results: list[int] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(*arguments, **named))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="pipeline", daemon=True)
    thread.start()
    while thread.is_alive():
        # a signal that the kernel gives to another thread does not wake a plain join
        thread.join(LOOK_SECONDS)
    if errors:
        raise errors[0]
    return results[0]


def _end_flow(server: Server | None) -> None:
    """Stop the work first, then tell the server, which is ended last with whatever is left."""
    stop_watching()
    logging.disable(logging.CRITICAL)  # what Prefect would say of its interrupted tasks
    others = psutil.Process().children(recursive=True)
    if server and server.process:
        own = [server.process.pid, *_pids_below(server.process.pid)]
        others = [child for child in others if child.pid not in own]
    end_processes(others, seconds=1.0)
    if server is None:
        return
    with contextlib.suppress(OSError, ValueError):
        flow_runs = None if server.process else own_flow_runs()
        within(1.0, crash, server.url, flow_runs, seconds=1.0)


def _pids_below(number: int) -> list[int]:
    try:
        below = psutil.Process(number).children(recursive=True)
    except psutil.Error:
        return []
    return [process.pid for process in below]


def _leave_in_time(code: int) -> None:
    """Prefect sends its last lines at the interpreter's end; a server that dies now must not hold that up."""

    def end() -> None:
        time.sleep(LAST_LINES_SECONDS)
        os._exit(code)

    threading.Thread(target=end, daemon=True).start()
