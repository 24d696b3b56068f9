"""The `assay` command. It parses, calls and prints; every command also speaks JSON (`--json`).

Exit codes: 0 done, 1 refused on evidence, 2 bad input with a one-line reason; 130 and 143 stopped by
a signal.
"""

import io
import os
import sys
from typing import Any

import typer

from flows import environment
from flows.interface import curation, handing_over, mixtures, project, tables
from flows.interface.options import app
from stages.foundation.errors import told
from stages.foundation.one_line import one_line
from stages.foundation.processes.stopping import (
    Stopped,
    leave,
    obey_signals,
    quick_exit,
)

# as `assay --help` lists their commands
FAMILIES = [
    family.__name__ for family in (project, curation, tables, mixtures, handing_over)
]
app.registered_commands.sort(
    key=lambda command: FAMILIES.index(command.callback.__module__)
)
USAGE: Any = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)  # typer carries its own copy of click


def main() -> None:
    """Entry point: our own errors and those of the options become one line and an exit code."""
    leave_with = quick_exit()
    obey_signals("assay: stopped")
    for stream in (sys.stdout, sys.stderr):  # names of files need not be UTF-8
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        environment.prepare()
        leave_with(int(app(standalone_mode=False) or 0))
    except Stopped as stop:
        leave(stop.number)
    except typer.Abort:
        sys.exit(130)
    except USAGE as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            command = error.ctx.command_path if getattr(error, "ctx", None) else "assay"
            print(
                f"assay: {one_line(error.format_message(), 200).rstrip('.')};"
                f" `{command.replace('python -m flows.cli', 'assay')} --help` shows the"
                " options",
                file=sys.stderr,
            )
        sys.exit(2)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except BaseException as error:  # a panic of polars is no Exception
        line, code = told(error, "assay")
        print(line, file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
