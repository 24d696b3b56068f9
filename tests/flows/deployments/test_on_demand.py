"""What a form asks goes into params.yaml, whole or not at all, and the comments stay."""

import os
import shutil
import subprocess
import sys

import yaml

from stages.foundation.stage import ROOT

ASK = """
import json, sys
from pathlib import Path
from flows import environment
environment.prepare()
environment.make_home()
from flows.deployments.on_demand import ask
from stages.foundation.errors import InputError
for values in json.loads(sys.argv[1]):
    try:
        ask(Path("params.yaml"), values)
    except InputError as error:
        print(error)
"""


def test_the_section_is_changed_and_a_bad_value_changes_nothing(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    before = (tmp_path / "params.yaml").read_text()
    values = '[{"level": 0.95, "target_flops": [1e9]}, {"level": 0.2}]'
    done = subprocess.run(
        [sys.executable, "-c", ASK, values],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    [line] = done.stdout.splitlines()
    assert line.startswith("params.yaml:") and "decide.level" in line
    after = (tmp_path / "params.yaml").read_text()
    changed = yaml.safe_load(before)
    changed["decide"] |= {"level": 0.95, "target_flops": [1e9]}
    assert yaml.safe_load(after) == changed
    comments = [line.partition("#")[2] for line in before.splitlines() if "#" in line]
    assert [
        line.partition("#")[2] for line in after.splitlines() if "#" in line
    ] == comments
    assert [file.name for file in tmp_path.iterdir() if file.is_dir()] == [".assay"]
