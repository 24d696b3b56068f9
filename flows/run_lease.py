"""One run of the pipeline at a time in a folder; a second one is refused with a line that says who is at work."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.files import read_json, write_json
from stages.foundation.processes.lifeline import own_name

LOCK = Path(artefacts.WORK) / "run.lock"
HOLDER = Path(artefacts.WORK) / "run.json"  # for the message alone


class _Held:
    by_this_process = False


@contextmanager
def run_lease() -> Iterator[None]:
    """Hold the project's folder; InputError at once where another run holds it.

    A folder that cannot be locked (full, read-only) is not held, and a line says so.
    """
    if _Held.by_this_process:
        yield
        return
    try:
        LOCK.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"{Path.cwd()}: another run is at work here{_holder()}; wait until it has"
            " ended or stop it"
        ) from None
    except OSError as error:
        print(
            f"assay: {LOCK} cannot be made ({error.strerror}); nothing keeps a second"
            " run out",
            file=sys.stderr,
        )
        yield
        return
    _Held.by_this_process = True
    try:
        _sign()
        yield
    finally:
        _Held.by_this_process = False
        lock.release()


def _sign() -> None:
    try:
        since = time.strftime("%F %T")
        write_json(HOLDER, {"process": own_name().partition(":")[0], "since": since})
    except (OSError, InputError):
        return


def _holder() -> str:
    try:
        holder = read_json(HOLDER)
        return f" (process {holder['process']} since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
