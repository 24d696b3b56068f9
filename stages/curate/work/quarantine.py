"""Rows and files that cannot be read, kept aside with the place and the reason.

Question: what was not read, where did it stand and why? Input: bad rows, files and rests of files as they come. Output:
one JSON line each (file, line, offset in bytes, reason, what stood there as text or base64, and `rest` where nothing of
the file is read from there on), and for each file how many rows, the first reason, and why its rest is not read.
"""

import base64
import json
from pathlib import Path
from typing import Any

from stages.curation.reading.rows import BadRow


class Quarantine:
    """The quarantine of one unit: one JSON line a row, and for each file and kind of fault its first line."""

    def __init__(self, path: Path, strict: bool) -> None:
        self.path, self.strict, self.rows = path, strict, 0
        self.faults: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> "Quarantine":
        self.file = open(self.path, "w", encoding="utf-8")
        return self

    def __call__(self, bad: BadRow) -> None:
        if self.strict:
            raise bad.error
        fault = self.faults.setdefault(
            bad.file, {"rows": 0, "first": str(bad.error), "rest": None}
        )
        if bad.is_rest:
            fault["rest"] = fault["rest"] or str(bad.error)
        else:
            self.rows += 1
            fault["rows"] += 1
        self.file.write(json.dumps(_quarantined(bad), ensure_ascii=False) + "\n")

    def __exit__(self, *_: object) -> None:
        self.file.close()


def _quarantined(bad: BadRow) -> dict:
    entry: dict[str, Any] = {
        "file": bad.file,
        "line": bad.line,
        "offset": bad.offset,
        "reason": str(bad.error),
    }
    if bad.is_rest:
        entry["rest"] = True
    if bad.raw is None:
        return entry
    try:
        return entry | {"raw": bad.raw.decode("utf-8")}
    except UnicodeDecodeError:
        return entry | {"raw_base64": base64.b64encode(bad.raw).decode("ascii")}
