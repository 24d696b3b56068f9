"""Runs Python commands, each in a fork of one process that has imported the heavy packages already.

`python tests/warm_python.py` reads a command a line from its input, as JSON (`folder`, `output`, `arguments`), runs
`python ARGUMENTS` in the folder with what it prints going to the file `output`, and prints the exit code. Our own code
is imported by the fork, from the folder.
"""

import gc
import importlib
import json
import os
import runpy
import sys
import traceback

# imported, not used: a fork of a process with running threads could hang
HEAVY = (
    "matplotlib.figure",
    "numba",
    "numpy",
    "polars",
    "pyarrow.parquet",
    "pydantic",
    "pytest",
    "scipy.optimize",
    "sklearn.linear_model",
    "torch",
    "typer",
    "yaml",
)


def run_here(arguments: list[str]) -> int:
    """`python -m MODULE ...` in this process; its exit code."""
    dash_m, module, *_ = arguments
    assert dash_m == "-m", f"{arguments}: begin with -m MODULE"
    sys.argv[:] = arguments[1:]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def fork(folder: str, output: str, arguments: list[str]) -> int:
    """The exit code of the command, run in a fork."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.chdir(folder)
        sys.path[0] = folder
        code = run_here(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    for name in HEAVY:
        importlib.import_module(name)
    gc.freeze()  # what is here stays, and no fork looks through it for garbage
    for line in sys.stdin:
        print(fork(**json.loads(line)), flush=True)
