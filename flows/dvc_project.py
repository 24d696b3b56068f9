"""Opening the project with DVC: what keeps it from being read is one line with the cure.

No Prefect here, so that `assay run` can look before it starts a server.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.scm import SCMError

from stages.decision.provenance import locked_stages
from stages.foundation.errors import InputError

LOCK = Path("dvc.lock")


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
    except LockError:
        raise
    except DvcException as error:
        if LOCK.is_file():
            locked_stages(LOCK)  # says it better where that is the reason
        raise InputError(
            f"DVC: {error}; `assay dvc-yaml` writes dvc.yaml again"
        ) from None


def check_project() -> None:
    """Refuse a project that DVC cannot read, before any work."""
    if LOCK.is_file():
        locked_stages(LOCK)
    with opened_project() as repo:
        len(repo.index.stages)
