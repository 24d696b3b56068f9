"""One lease a device, so that two sweeps never share a GPU by accident; and one a folder, so that
they never fill the same one.

A lease is an operating-system lock on files of this machine: it ends with its process, however that
ends. Processes of one user see each other's; those of other users they do not. A device has eight
slots; a whole lease takes all of them, a part of a GPU the eighths that cover it (Ray's fractional
GPUs). Cost: a fraction of a millisecond; a device that is taken is waited for, and one line says who
has it.
"""

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from stages.foundation.errors import InputError
from stages.foundation.processes.one_holder import one_holder
from stages.foundation.processes.user_folder import user_folder

log = logging.getLogger("assay")
SLOTS = 8  # assumed: the finest part of a GPU worth leasing
POLL_SECONDS = 1.0


def lease_folder() -> Path:
    """Where the locks of this machine's devices are kept."""
    return user_folder("leases")


@contextlib.contextmanager
def device_lease(
    names: Sequence[str], fraction: float = 1.0, timeout_s: float | None = None
) -> Iterator[int]:
    """Hold `fraction` of the first of these devices that has it free; yields its place in `names`.

    Waits where none is free. Raises InputError for a fraction outside 0 to 1, or after `timeout_s` seconds.
    Example: `with device_lease(gpu_names()) as index: torch.cuda.set_device(index)`.
    """
    if not 0 < fraction <= 1:
        raise InputError(
            f"{fraction} of a device cannot be leased; use a part above 0 and at most 1"
        )
    n_slots, started, told = (
        math.ceil(round(fraction * SLOTS, 9)),
        time.monotonic(),
        False,
    )
    while not (found := _first_free(names, n_slots)):
        waited = time.monotonic() - started
        if timeout_s is not None and waited >= timeout_s:
            raise InputError(
                f"no free device after {waited:.0f} s: {_holders(names)}; wait for it"
                " or name another device"
            )
        if not told:
            log.info("waiting for a device: %s", _holders(names))
            told = True
        time.sleep(POLL_SECONDS)
    index, locks = found
    try:
        yield index
    finally:
        for lock in locks:
            lock.release()


@contextlib.contextmanager
def folder_lease(folder: Path | str, lock_file: Path | str) -> Iterator[None]:
    """Hold a folder for this process by a lock file outside of it; InputError at once where another
    process holds it.
    """
    busy = f"{folder} is being filled by another sweep"
    with one_holder(Path(lock_file), busy, "wait until it has ended, then run again"):
        yield


def gpu_names() -> list[str]:
    """A lasting name of every GPU that this process sees: its UUID, since indices differ between processes."""
    import torch

    return [
        str(torch.cuda.get_device_properties(index).uuid)
        for index in range(torch.cuda.device_count())
    ]


@contextlib.contextmanager
def card_leased() -> Iterator[None]:
    """Hold the first GPU that is free, as this process's own. Example: `with card_leased(): train_images(...)`."""
    import torch

    with device_lease(gpu_names()) as index:
        torch.cuda.set_device(index)
        yield


def _first_free(
    names: Sequence[str], n_slots: int
) -> tuple[int, list[FileLock]] | None:
    for index, name in enumerate(names):
        # so that two who want parts do not block each other
        with FileLock(lease_folder() / f"{name}.lock"):
            if locks := _take(name, n_slots):
                return index, locks
    return None


def _take(name: str, n_slots: int) -> list[FileLock]:
    """Locks of so many free slots; none where there are fewer."""
    locks: list[FileLock] = []
    for slot in range(SLOTS):
        lock = FileLock(lease_folder() / f"{name}.{slot}.lock")
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            locks.append(lock)
        if len(locks) == n_slots:
            _sign(name)
            return locks
    for lock in locks:
        lock.release()
    return []


def _sign(name: str) -> None:
    """Say who took it; for messages alone, the lock is what counts."""
    with contextlib.suppress(OSError):
        (lease_folder() / f"{name}.holder").write_text(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "folder": os.getcwd(),
                    "since": time.strftime("%F %T"),
                }
            )
        )


def _holders(names: Sequence[str]) -> str:
    lines = []
    for name in names:
        try:
            holder = json.loads((lease_folder() / f"{name}.holder").read_text())
            lines.append(
                f"{name} is held by process {holder['pid']} in {holder['folder']} since"
                f" {holder['since']}"
            )
        except (OSError, ValueError, KeyError):
            lines.append(f"{name} is held")
    return "; ".join(lines) or "this machine shows none"
