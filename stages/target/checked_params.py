"""params.yaml as a command has checked it whole: a stage that it starts reads its own section and no other.

The sections of all stages take .2 s of CPU to import and check (measured). Under `dvc repro`, where nobody has checked
the file, every stage checks all of it.
"""

import os
from pathlib import Path

from stages.foundation.files import file_hash
from stages.foundation.section import Section
from stages.foundation.stage import Stage
from stages.foundation.yaml_file import read_yaml
from stages.target.derived import with_derived

CHECKED = "ASSAY_CHECKED_PARAMS"  # hash of the file, for the processes that are started from now on


def note_checked(path: Path | str) -> None:
    """The file as it is has been checked whole, by `load_params`."""
    os.environ[CHECKED] = file_hash(path)


def is_checked(path: Path | str) -> bool:
    """Whether it was, and has not changed since."""
    noted = os.environ.get(CHECKED)
    return noted is not None and Path(path).is_file() and file_hash(path) == noted


def own_section(path: Path | str, stage: Stage) -> Section:
    """The section of one stage, with what follows from the target, as `load_params` gives it."""
    _, values = read_yaml(Path(path))
    return stage.params.model_validate(with_derived(values).get(stage.name, {}))
