"""One stage's entry in dvc.lock, written alone and whole.

DVC reads the whole file with the slower of its readers, changes the entry and writes all of it in place: a CPU second
for each stage of a pipeline with a thousand files of code. The bytes here are the same; what DVC itself would not have
written so is left to it.
"""

import re

from dvc.stage import PipelineStage
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dumps_yaml

from flows.with_dvc.kept_lock import LOCK
from stages.foundation.files import whole_file

EMPTY = "schema: '2.0'\nstages:\n"
ENTRY = re.compile(r"^  (\S+):\n(?:   .*\n)+", re.MULTILINE)


def reproduced(stage: PipelineStage, **how: object) -> PipelineStage | None:
    """What DVC does for one stage of `dvc repro`, a `repro_fn` of its `Repo.reproduce`; None where it is fresh."""
    done = stage.reproduce(**how)
    if done is not None and not how.get("dry"):
        write_down(stage)
    return done


def write_down(stage: PipelineStage) -> None:
    """Put what the stage was made of and what it made into dvc.lock."""
    before = LOCK.read_text("utf-8") if LOCK.is_file() else EMPTY
    _, _, entry = dumps_yaml({"stages": to_lockfile(stage)}).partition("\n")
    after = with_entry(before, stage.name, entry)
    if after is None:
        stage.dump(update_pipeline=False)
        return
    if after != before:
        with whole_file(LOCK) as temporary:
            temporary.write_text(after, "utf-8")
        stage.repo.scm_context.track_file(str(LOCK))


def with_entry(text: str, name: str, entry: str) -> str | None:
    """The text of a dvc.lock with this entry in place of the stage's old one, or behind the others.

    None where it is not the heading and then entries alone, as DVC writes it.

    >>> with_entry("schema: '2.0'\\nstages:\\n  a:\\n    cmd: x\\n", "a", "  a:\\n    cmd: y\\n")
    "schema: '2.0'\\nstages:\\n  a:\\n    cmd: y\\n"
    >>> with_entry("stages: {}\\n", "a", "  a:\\n    cmd: y\\n") is None
    True
    """
    entries = {found[1]: found[0] for found in ENTRY.finditer(text)}
    if text != EMPTY + "".join(entries.values()):
        return None
    return EMPTY + "".join({**entries, name: entry}.values())
