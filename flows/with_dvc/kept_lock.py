"""dvc.lock through a kill: where DVC itself writes it, in place for half a second, a kill would leave it cut.

As it was before a stage it lies beside it until the stage is written down; the next start takes it back where it was
cut. The stage that was killed then runs again from what it has kept, and no other.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.foundation import artefacts
from stages.foundation.dvc_lock import locked_stages
from stages.foundation.errors import InputError
from stages.foundation.files import whole_file

LOCK = Path("dvc.lock")
KEPT = Path(artefacts.WORK) / "dvc.lock.before"


@contextmanager
def kept_lock() -> Iterator[None]:
    """Keep dvc.lock, an empty file where there is none yet, as long as it may be written."""
    with whole_file(KEPT) as temporary:
        if LOCK.is_file():
            shutil.copyfile(LOCK, temporary)
        else:
            temporary.touch()
    try:
        yield
    except Exception:
        KEPT.unlink(missing_ok=True)
        raise
    KEPT.unlink(missing_ok=True)


def take_back_lock() -> None:
    """Put dvc.lock back where a kill has cut it, with a line. Call while no other run is at work in the folder."""
    if not KEPT.is_file():
        return
    if LOCK.is_file() and _is_cut():
        if KEPT.stat().st_size:
            with whole_file(LOCK) as temporary:
                shutil.copyfile(KEPT, temporary)
        else:
            LOCK.unlink()
        print(
            f"assay: {LOCK} was left half written by a kill; it is as before that stage",
            file=sys.stderr,
        )
    KEPT.unlink()


def _is_cut() -> bool:
    """Whether dvc.lock cannot be read, or has not all the stages that it had."""
    try:
        before = set(locked_stages(KEPT)) if KEPT.stat().st_size else set()
    except InputError:
        return False  # it was no better before
    try:
        return not before <= set(locked_stages(LOCK))
    except InputError:
        return True
