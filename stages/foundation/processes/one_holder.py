"""One process at a time: a lock file that names who holds it.

The lock is the operating system's and ends with its process, however that ends; the file stays. What
stands in it is for the message alone. Cost: a fraction of a millisecond.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from stages.foundation.errors import InputError


class Held(InputError):
    """Another process holds it."""


@contextmanager
def one_holder(lock_file: Path, busy: str, cure: str) -> Iterator[None]:
    """Hold the file while the block runs. Raises Held at once where another process does, with who it
    is between `busy` and `cure`; OSError where there can be no such file.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    holder = _holder(lock_file)
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Held(f"{busy}{holder}; {cure}") from None
    try:
        with suppress(OSError):  # a full disk names nobody
            since = time.strftime("%F %T")
            lock_file.write_text(f"process {os.getpid()} since {since}", "utf-8")
        yield
    finally:
        lock.release()


def _holder(lock_file: Path) -> str:
    try:
        said = lock_file.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
    return f" ({said})" if said else ""
