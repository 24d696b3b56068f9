"""`assay run`: check everything, bring dvc.yaml in line, run the flow, say what came out."""

import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from flows import environment
from flows.own_server import start_own_server
from stages.decision.text import printed_decisions
from stages.foundation import artefacts
from stages.foundation.dvc_file import write_pipeline_file
from stages.foundation.errors import InputError
from stages.pipeline import PIPELINE
from stages.settings.params import load_params

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


def main_job(params_file: Path, jobs: int, executor: str, gpus: float = 0.0) -> int:
    """The exit code of the whole pipeline."""
    check_executor(executor)
    if not Path("dvc.yaml").is_file() or not Path(".dvc").is_dir():
        raise InputError(
            f"{Path.cwd()}: no dvc.yaml and .dvc here; run this in the project's folder"
        )
    params = load_params(params_file, PIPELINE)
    if write_pipeline_file(PIPELINE, params, str(params_file)):
        print(f"dvc.yaml follows {params_file} now", file=sys.stderr)
    environment.prepare()
    environment.make_home()
    from flows.dvc_project import check_project

    check_project()
    os.environ["PATH"] = (  # DVC calls `python`
        f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    start_own_server()
    from flows.dvc_tasks import BAD_INPUT, StageFailure, failure_of
    from flows.pipeline import pipeline

    logging.getLogger("dvc").setLevel(logging.ERROR)
    state = pipeline(
        executor, jobs, params_file=str(params_file), gpus=gpus, return_state=True
    )
    if state.is_completed():
        print(printed_decisions())
        print(f"\nthe page: {Path(artefacts.PAGE).resolve()}\nthe runs: assay ui")
        return 0
    failure = failure_of(state)
    return (
        failure.exit_code
        if isinstance(failure, StageFailure) and failure.exit_code in (1, BAD_INPUT)
        else 1
    )
