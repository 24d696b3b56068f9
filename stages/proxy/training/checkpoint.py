"""One checkpoint file of a group of runs: written whole or not at all, when enough seconds or steps have passed."""

import contextlib
import os
import time
from pathlib import Path

import torch

from stages.foundation.errors import InputError
from stages.proxy.specs.outcome import first_line

FORMAT = 1


class Checkpoint:
    """Saves and loads the state of a group whose `identity` (specs and data) it must match."""

    def __init__(
        self,
        path: Path,
        identity: dict,
        every_seconds: float,
        every_steps: int | None = None,
    ):
        self.path, self.identity = path, identity
        self.every_seconds, self.every_steps = every_seconds, every_steps
        self._steps, self._saved_at = 0, time.monotonic()

    def due(self) -> bool:
        """Called once a step: whether to save now. Given steps, the clock is ignored."""
        self._steps += 1
        if self.every_steps:
            return self._steps % self.every_steps == 0
        return time.monotonic() - self._saved_at >= self.every_seconds

    def save(self, state: dict) -> str:
        """Write the state; returns what went wrong where the disk refused it, since training can go on without.

        torch reports a full disk as a RuntimeError of its archive writer."""
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        self._saved_at = time.monotonic()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(
                {"format": FORMAT, "identity": self.identity, "state": state}, partial
            )
            os.replace(partial, self.path)
        except (OSError, RuntimeError) as error:
            return (
                f"checkpoint {self.path.name} was not written ({first_line(error)}); a"
                " killed run starts from the one before"
            )
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
        return ""

    def load(self) -> dict | None:
        """The saved state, None where there is no file."""
        if not self.path.exists():
            return None
        try:
            saved = torch.load(self.path, weights_only=True)
        except (RuntimeError, EOFError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"checkpoint {self.path} cannot be read ({reason}); delete it to train"
                " from the start"
            ) from None
        if saved.get("format") != FORMAT or saved["identity"] != self.identity:
            raise InputError(
                f"checkpoint {self.path} belongs to other specs or data; delete it to"
                " train from the start"
            )
        return saved["state"]

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
