"""Opening the project with DVC: what keeps it from being read is one line with the cure.

No Prefect here, so that `assay run` can look before it starts a server.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE, RWLockFileCorruptedError, RWLockFileFormatError
from dvc.scm import SCMError

from flows.with_dvc.kept_lock import LOCK
from stages.foundation.dvc_lock import locked_stages
from stages.foundation.errors import InputError

# DVC's note of which paths it reads and writes, not written whole: a kill may leave it cut
DAMAGED = (RWLockFileCorruptedError, RWLockFileFormatError)


@contextmanager
def opened_project() -> Iterator[Repo]:
    """The project of this folder. Raises InputError where DVC cannot read it, DVC's LockError where
    another command is at work in it.
    """
    try:
        with Repo() as repo:
            yield repo
    except SCMError as error:
        raise InputError(
            f"{error}; DVC needs one: run `git init` here, nothing need be committed"
        ) from None
    except (LockError, *DAMAGED):
        raise
    except DvcException as error:
        if LOCK.is_file():
            locked_stages(LOCK)  # says it better where that is the reason
        raise InputError(
            f"DVC: {error}; `assay dvc-yaml` writes dvc.yaml again"
        ) from None


def forget_what_was_held() -> bool:
    """Remove a damaged note of what DVC's commands hold, with a line; False where there is none.

    DVC reads it under a lock before it writes it, so whoever left it damaged has ended, and nobody can mend it.
    """
    note = Path(".dvc/tmp") / RWLOCK_FILE
    if not note.is_file():
        return False
    note.unlink()
    print(
        f"assay: {note} was left half written by a killed command; removed",
        file=sys.stderr,
    )
    return True


def check_project() -> None:
    """Refuse a project that DVC cannot read, before any work."""
    if LOCK.is_file():
        locked_stages(LOCK)
    with opened_project() as repo:
        len(repo.index.stages)
