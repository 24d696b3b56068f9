"""`python -m stages NAME [--params FILE]` runs one stage: the command behind every entry of dvc.yaml.

Two more names need no server and no flow: `dvc-yaml` rewrites dvc.yaml and the README's table from the
declarations, and `publish` sends to MLflow whatever it has not got yet.
"""

import argparse
import logging
import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.foundation import artefacts
from stages.foundation.errors import told
from stages.foundation.processes.lifeline import STARTER, end_with_starter
from stages.foundation.processes.stopping import (
    Stopped,
    leave,
    obey_signals,
    quick_exit,
)

if TYPE_CHECKING:
    from stages.foundation.stage import Stage

STOPPED = "{}: stopped; finished work is kept, run the same command to go on"
LOGS = Path(artefacts.LOGS)  # the flow relays these lines to Prefect; git ignores them
STAGES = sorted(
    {file.stem for file in Path(__file__).parent.glob("*.py")}
    - {"__init__", "__main__", "pipeline"}
)
log = logging.getLogger("assay")


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 done, 1 refused on evidence, 2 bad input with a one-line reason."""
    parser = argparse.ArgumentParser(prog="python -m stages", description=__doc__)
    parser.add_argument("name", choices=[*STAGES, "dvc-yaml", "publish"])
    parser.add_argument("--params", default="params.yaml", metavar="FILE")
    arguments = parser.parse_args(argv)
    start_logging(arguments.name)
    try:
        params = sections_for(arguments.name, arguments.params)
        run(arguments.name, params, arguments.params)
    except (SystemExit, KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:  # a panic of polars is no Exception
        line, code = told(error, arguments.name, arguments.params)
        log.error("%s", line)
        return code
    return 0


def sections_for(name: str, params_file: str) -> dict[str, Any]:
    """Stage -> its section: all of them, or that of one stage where the file was checked whole before."""
    from stages.target.checked_params import is_checked, own_section

    if name in STAGES and is_checked(params_file):
        return {name: own_section(params_file, stage_named(name))}
    from stages.pipeline import PIPELINE
    from stages.settings.params import load_params

    names = [stage.name for stage in PIPELINE]
    ahead = PIPELINE[names.index(name) :] if name in names else ()
    return load_params(params_file, PIPELINE, files_of=ahead)


def stage_named(name: str) -> "Stage":
    """The stage of this name, without the others."""
    return import_module(f"stages.declarations.{name}").stage


def run(name: str, params: dict[str, Any], params_file: str) -> None:
    if name == "dvc-yaml":
        from stages.foundation.dvc_file import write_pipeline_file
        from stages.foundation.readme_table import write_stage_table
        from stages.pipeline import PIPELINE

        write_pipeline_file(PIPELINE, params, params_file)
        write_stage_table(PIPELINE)
    elif name == "publish":
        from stages.runs.mlflow_store.links import spoken_links
        from stages.runs.mlflow_store.publish import publish

        publish()
        log.info("%s", spoken_links())
    else:
        start = time.monotonic()
        log.info("%s: started", name)
        stage_named(name).carry_out(params[name])
        peak_gb = (
            _peak_bytes(resource.RUSAGE_SELF) + _peak_bytes(resource.RUSAGE_CHILDREN)
        ) / 1e9
        log.info(
            "%s: done in %.1f s, at most %.2f GB",
            name,
            time.monotonic() - start,
            peak_gb,
        )


def _peak_bytes(who: int) -> int:
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def start_logging(name: str) -> None:
    """One line an event, to the terminal and to a file of its own."""
    LOGS.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        logging.StreamHandler(),
        logging.FileHandler(LOGS / f"{name}.log", mode="w"),
    ]
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(message)s"))
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers[:] = handlers


def tied_main() -> None:
    """Tied to who started it before anything else is loaded; a flow says itself how to go on."""
    leave_with = quick_exit()
    name = next(iter(sys.argv[1:]), "stages")
    obey_signals("" if STARTER in os.environ else STOPPED.format(name))
    try:
        end_with_starter()
        code = main()
    except Stopped as stop:
        leave(stop.number)
    leave_with(code)


if __name__ == "__main__":
    tied_main()
