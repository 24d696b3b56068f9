"""JSON files that prove themselves: the hash of the contents stands inside, and reading holds them to it.

A file without a hash is of an older version: it is taken as it is. Cost: hashing 1 MB takes 10 ms (measured).
"""

import json
import logging
import os
from pathlib import Path
from typing import Any

from stages.foundation.errors import InputError
from stages.foundation.files import content_hash, read_json, write_json

log = logging.getLogger("assay")
SEAL = "content_hash"
# the cure for what a stage made
AGAIN = "delete it and `assay run` makes it again"
ASIDE = ".damaged"  # what a file's name ends in that was set aside


def write_sealed(path: Path | str, value: dict[str, Any]) -> None:
    """Write a JSON object whole, its hash as the last key."""
    plain = json.loads(json.dumps(value))  # as it will be read
    write_json(path, {**plain, SEAL: content_hash(plain)})


def read_sealed(path: Path | str, cure: str) -> Any:
    """The JSON value of a file without its hash. Raises InputError in one line where the file cannot be read
    or its contents are not those that were hashed. cure: what a person does then.
    """
    value = readable(path, cure)
    require_seal(path, value, cure)
    if isinstance(value, dict):
        value.pop(SEAL, None)
    return value


def kept(path: Path | str) -> dict[str, Any]:
    """What was kept in a sealed file, which may be made anew: nothing where it is missing or was damaged, which
    sets it aside with a line.
    """
    if not Path(path).is_file():
        return {}
    try:
        value = read_sealed(path, "it is made again")
        return value if isinstance(value, dict) else {}
    except InputError as damage:
        set_aside(path, str(damage))
        return {}


def readable(path: Path | str, cure: str) -> Any:
    """The JSON value of a file, hash included. Raises InputError in one line where there is none."""
    try:
        return read_json(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; {cure}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {cure}") from None
    except (ValueError, RecursionError) as error:
        reason = "it is empty" if not Path(path).stat().st_size else _brief(error)
        raise InputError(f"{path} is damaged ({reason}); {cure}") from None


def require_seal(path: Path | str, value: Any, cure: str) -> bool:
    """Whether the value carries a hash. Raises InputError where it is not that of the contents."""
    if not isinstance(value, dict) or SEAL not in value:
        return False
    plain = {key: each for key, each in value.items() if key != SEAL}
    found = content_hash(plain)
    if found != value[SEAL]:
        raise InputError(
            f"{path} is damaged (its contents hash to {found}, it says"
            f" {str(value[SEAL])[:16]}); {cure}"
        )
    return True


def set_aside(path: Path | str, why: str) -> Path:
    """Move a damaged file beside itself and say so in one line; where it lies now."""
    path = Path(path)
    aside = path.with_name(path.name + ASIDE)
    os.replace(path, aside)
    log.warning("%s; set aside as %s", why, aside.name)
    return aside


def _brief(error: Exception) -> str:
    """The first line of an error, short enough for one of ours."""
    return (str(error).splitlines() or [type(error).__name__])[0][:80]
