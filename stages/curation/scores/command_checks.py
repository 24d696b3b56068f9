"""A user's own check of a document: a command that gets its text and passes or fails it.

Question: does this document do what it should, as code that runs or a proof that checks? Input: texts and a
command. Output: 1 where the command ends with exit code 0 within its time, else 0. Every document is a process
of its own in an empty folder that is deleted afterwards, with bounds on time, memory and the size of what it
writes; it is not kept from the network or from other files, so a check that runs unknown code must bring a
sandbox of its own. Each verdict is kept by the command, its files and the text, and none is asked for twice.
Cost: one start of the command a document, `jobs` at a time.
"""

import logging
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages.foundation.errors import InputError
from stages.foundation.files import content_hash, file_hash
from stages.foundation.one_line import shortened

log = logging.getLogger("assay")
MANY = 20  # assumed: of so many documents a check that works passes one
WRITTEN_BLOCKS = (
    200_000  # of 512 bytes, assumed: most that one file of a check may hold
)
KEPT_TOGETHER = 500  # verdicts written at a time


@dataclass(frozen=True)
class CommandCheck:
    """What is run, and its bounds. Raises InputError where the command is not there."""

    command: tuple[str, ...]
    seconds: float
    memory_mb: int
    jobs: int

    def __post_init__(self) -> None:
        if shutil.which(self.command[0]) is None:
            raise InputError(
                f"command {self.command[0]!r} is not there or may not be run; name a"
                " program on PATH, or a file that is executable"
            )

    @property
    def files(self) -> list[str]:
        """The arguments that name a file, as seen from the working folder."""
        return [part for part in self.command if Path(part).is_file()]

    def identity(self) -> str:
        """16 hex characters: the command, its bounds and the bytes of its files."""
        bounds = [self.seconds, self.memory_mb]
        return content_hash(
            [self.command, bounds, [file_hash(file) for file in self.files]]
        )

    def verdicts(self, texts: Sequence[str], kept: Path) -> np.ndarray:
        """1.0 passed, 0.0 failed (n,); `kept` is the SQLite file of earlier verdicts.

        >>> check = CommandCheck(("grep", "-q", "def "), seconds=5, memory_mb=500, jobs=1)
        >>> check.verdicts(["def f(): pass", "no code"], Path("kept.sqlite"))
        array([1., 0.])
        """
        asked = [f"{self.identity()}:{content_hash(text)}" for text in texts]
        kept.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(kept, timeout=60)) as store:
            store.execute(
                "create table if not exists verdicts (key text primary key, passed int)"
            )
            known = dict(_known(store, asked))
            missing = {
                key: text
                for key, text in zip(asked, texts, strict=True)
                if key not in known
            }
            for keys, passed in self._in_parts(missing):
                store.executemany(
                    "insert or replace into verdicts values (?, ?)",
                    zip(keys, passed, strict=True),
                )
                store.commit()
                known.update(zip(keys, passed, strict=True))
        if len(missing) >= MANY and not any(known[key] for key in missing):
            log.warning(
                "command %s: none of %d documents passed; try it on one by hand, and"
                " delete %s where it was at fault",
                shortened(" ".join(self.command)),
                len(missing),
                kept,
            )
        return np.array([known[key] for key in asked], dtype=np.float64)

    def _in_parts(
        self, missing: dict[str, str]
    ) -> Iterator[tuple[list[str], list[bool]]]:
        keys = list(missing)
        command = self._bounded()
        with (
            ThreadPoolExecutor(self.jobs) as pool,
            tqdm(total=len(keys), desc="checks", disable=None, leave=False) as bar,
        ):
            for first in range(0, len(keys), KEPT_TOGETHER):
                part = keys[first : first + KEPT_TOGETHER]
                yield (
                    part,
                    list(
                        pool.map(lambda key: self._passes(command, missing[key]), part)
                    ),
                )
                bar.update(len(part))

    def _passes(self, command: list[str], text: str) -> bool:
        with tempfile.TemporaryDirectory(prefix="assay_check_") as folder:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "HOME": folder,
                    "LANG": "C.UTF-8",
                },
                start_new_session=True,
            )
            try:
                process.communicate(
                    text.encode("utf-8", "replace"), timeout=self.seconds
                )
            except subprocess.TimeoutExpired:
                return False
            finally:  # also whatever the command left behind
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return process.returncode == 0

    def _bounded(self) -> list[str]:
        """The command under limits of the kernel; that on time ends a check whose parent was killed."""
        limits = {
            "-v": self.memory_mb * 1000,
            "-t": math.ceil(self.seconds) + 1,
            "-f": WRITTEN_BLOCKS,
            "-c": 0,
        }
        set_all = " && ".join(f"ulimit {key} {most}" for key, most in limits.items())
        command = (
            os.path.abspath(part) if part in self.files else part
            for part in self.command
        )
        return ["/bin/sh", "-c", f'{set_all} && exec "$@"', "check", *command]


def _known(store: sqlite3.Connection, keys: Iterable[str]) -> Iterator[tuple[str, int]]:
    for key in keys:
        if row := store.execute(
            "select key, passed from verdicts where key = ?", [key]
        ).fetchone():
            yield row
