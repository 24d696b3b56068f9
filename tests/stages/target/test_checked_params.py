"""A file of parameters that was checked whole: a stage reads its own section, the same as `load_params` gives."""

import os
import subprocess
import sys

import pytest
import yaml

from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.settings.params import load_params
from stages.target.checked_params import (
    CHECKED,
    is_checked,
    note_checked,
    own_section,
)


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_bytes((ROOT / "params.yaml").read_bytes())
    return file


@pytest.mark.parametrize("stage", PIPELINE, ids=lambda stage: stage.name)
def test_a_section_alone_is_what_the_whole_file_gives(file, stage):
    """With a target, from which sections are completed, and where it is left out."""
    assert own_section(file, stage) == load_params(file, PIPELINE)[stage.name]
    values = yaml.safe_load(file.read_text("utf-8"))
    values |= {"target": {"params": 1e9, "tokens": 2e10, "pool_tokens": 4e11}}
    del values["verify"]
    file.write_text(yaml.safe_dump(values), "utf-8")
    assert own_section(file, stage) == load_params(file, PIPELINE)[stage.name]


def test_a_file_that_changed_since_counts_as_unchecked(file):
    assert not is_checked(file)
    note_checked(file)
    assert is_checked(file)
    file.write_text(file.read_text("utf-8") + "\n", "utf-8")
    assert not is_checked(file)
    file.unlink()
    assert not is_checked(file)


LOADED = """
import json, os, sys
from stages.__main__ import sections_for
sections = sections_for("arms", sys.argv[1])
others = ("ingest", "dedup", "pack", "score", "sweep", "fit", "decide", "report")
declared = [name for name in others if f"stages.declarations.{name}" in sys.modules]
assert not any(f"stages.{name}" in sys.modules for name in ("arms", *others))
print(json.dumps([sorted(sections), declared]))
"""


def loaded(file, **variables):
    """Sections that the stage arms reads, and the other declarations that it imports; no work is imported."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(file)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
    )
    return yaml.safe_load(done.stdout) if done.returncode == 0 else done.stderr.strip()


def test_a_stage_imports_no_other_where_the_file_was_checked(file):
    note_checked(file)
    assert loaded(file, **{CHECKED: os.environ[CHECKED]}) == [["arms"], []]


def test_without_a_check_a_stage_refuses_a_typo_in_any_section(file):
    sections, others = loaded(file)
    assert len(sections) == len(PIPELINE) and "report" in others
    values = yaml.safe_load(file.read_text("utf-8"))
    values["decide"]["levle"] = 0.9
    file.write_text(yaml.safe_dump(values), "utf-8")
    assert "decide.levle: unknown key; did you mean 'level'?" in loaded(file)
