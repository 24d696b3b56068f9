"""Files and folders that params.yaml names: whether they are there, said before any work starts.

What a stage declares as `inputs` besides the products of stages is looked for, so that a missing tokenizer of the third
stage, or item file of the sixth, does not end a run that has worked for hours.
"""

import glob
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel

from stages.foundation.stage import Stage

Keys = list[Any]
REMOTE = re.compile(
    r"^\w{2,}:/"
)  # buckets and addresses, which a look would reach out for


def missing_file(
    stages: Sequence[Stage], sections: Mapping[str, Any], pipeline: Sequence[Stage]
) -> tuple[Keys, str] | None:
    """The keys and the fault of the first file that is not there, of those that `stages` read and none makes."""
    made = [PurePosixPath(out) for stage in pipeline for out in stage.products]
    for stage in stages:
        section = sections[stage.name]
        for path in stage.inputs(section):
            if _is_made(path, made) or _is_there(path):
                continue
            found = _keys_of(path, section.model_dump())
            keys, value = next(found, ([], path))
            rule = "no such file or folder; write it, or name one that is there"
            return [stage.name, *keys], f"{rule} (value {value!r})"
    return None


def _is_made(path: str, made: list[PurePosixPath]) -> bool:
    """Whether a stage makes the file, or a folder of it."""
    return any(PurePosixPath(path).is_relative_to(out) for out in made)


def _is_there(path: str) -> bool:
    if REMOTE.match(path) or Path(path).exists():
        return True
    return next(glob.iglob(path, recursive=True), None) is not None


def _keys_of(
    path: str, tree: Any, keys: Keys | None = None
) -> Iterator[tuple[Keys, str]]:
    """Where a section names the path, or a pattern of files below it: (keys, value)."""
    keys = keys or []
    if isinstance(tree, BaseModel):
        tree = tree.model_dump()
    if isinstance(tree, str):
        if Path(tree).as_posix() == path or _is_pattern_below(tree, path):
            yield keys, tree
        return
    if isinstance(tree, dict):
        pairs = list(tree.items())
    elif isinstance(tree, list | tuple):
        pairs = list(enumerate(tree))
    else:
        return
    for key, value in pairs:
        yield from _keys_of(path, value, [*keys, key])


def _is_pattern_below(value: str, path: str) -> bool:
    return glob.has_magic(value) and PurePosixPath(value).is_relative_to(path)
