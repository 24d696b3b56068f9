"""A folder for the locks of this user's processes on this machine, that no other user can read, fill or replace."""

import os
import stat
import tempfile
from pathlib import Path

from stages.foundation.errors import InputError

OTHERS = 0o077


def user_folder(name: str) -> Path:
    """Made in the system's temporary folder if it is not there. InputError where something else has its
    name: a link, a file, another user's folder.
    """
    folder = Path(tempfile.gettempdir()) / f"assay-{name}-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror}); name another temporary"
            " folder in TMPDIR"
        ) from None
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise InputError(
            f"{folder}: is a link, a file or another user's, and locks are kept in it;"
            " delete it or name another temporary folder in TMPDIR"
        )
    if found.st_mode & OTHERS:
        folder.chmod(0o700)
    return folder
