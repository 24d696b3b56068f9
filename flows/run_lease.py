"""One run of the pipeline at a time in a folder; a second one is refused with a line that says who is at work."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flows.with_dvc.kept_lock import take_back_lock
from stages.foundation import artefacts
from stages.foundation.processes.one_holder import one_holder

LOCK = Path(artefacts.WORK) / "run.lock"


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
    with ExitStack() as held:
        busy = f"{Path.cwd()}: another run is at work here"
        try:
            held.enter_context(
                one_holder(LOCK, busy, "wait until it has ended or stop it")
            )
        except OSError as error:
            print(
                f"assay: {LOCK} cannot be made ({error.strerror}); nothing keeps a"
                " second run out",
                file=sys.stderr,
            )
        _Held.by_this_process = True
        try:
            take_back_lock()
            yield
        finally:
            _Held.by_this_process = False
