"""The worked examples of CONTRIBUTING.md, carried out in a copy of the tree.

A fenced block names what it is: `python file=PATH` is a new file, `diff file=PATH` replaces one place of a file (lines
with a minus and plain ones are what is there, those with a plus and plain ones what shall be), `sh run` are commands.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from stages.foundation.stage import ROOT

BLOCK = re.compile(
    r"^```(\w+) (?:file=(\S+)|run)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
COPIED = (
    "stages",
    "flows",
    "tests",
    "benchmarks",
    "docs",
    "data/decisions",
    ".dvc/plots",
)
PROGRAMS = {
    "assay": [sys.executable, "-m", "flows.cli"],
    "python": [sys.executable],
}


@dataclass(frozen=True)
class Step:
    """A block: a new file, a change of one, or commands (path None)."""

    kind: str
    path: str | None
    text: str

    @property
    def name(self) -> str:
        return f"{self.kind} {self.path or 'run'}"


def worked_examples() -> dict[str, list[Step]]:
    """Section -> its blocks, of the sections that hold any."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    sections = zip(parts[::2], parts[1::2], strict=True)
    found = {
        title: [Step(*block) for block in BLOCK.findall(body)]
        for title, body in sections
    }
    return {title: steps for title, steps in found.items() if steps}


EXAMPLES = worked_examples()
CHANGES = [
    (title, place)
    for title, steps in EXAMPLES.items()
    for place, step in enumerate(steps)
    if step.kind == "diff"
]


@pytest.fixture
def tree(tmp_path):
    """A copy of the repository that an example may change."""
    for name in COPIED:
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in ROOT.iterdir():
        if file.is_file() and file.name != "mlflow.db":
            shutil.copy(file, tmp_path)
    return tmp_path


def replaced(text: str, change: str) -> str:
    """`text` with the one place that a diff block shows changed."""
    lines = change.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if line[:1] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[:1] in " +")
    assert text.count(before) == 1, f"{text.count(before)} places hold\n{before}"
    return text.replace(before, after)


def carry_out(step: Step, tree: Path) -> subprocess.CompletedProcess | None:
    """Do what a block says; the first command that failed."""
    if not step.path:
        each = (ran(line, tree) for line in step.text.splitlines())
        return next((done for done in each if done.returncode), None)
    file = tree / step.path
    if step.kind == "diff":
        file.write_text(replaced(file.read_text("utf-8"), step.text), "utf-8")
    else:
        assert not file.exists(), f"{step.path} is there already"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(step.text, "utf-8")
    return None


def ran(line: str, tree: Path) -> subprocess.CompletedProcess:
    """A line of a `sh run` block, run in the copy."""
    program, *arguments = shlex.split(line)
    return subprocess.run(
        [*PROGRAMS[program], *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_does_what_it_says(title, tree):
    for step in EXAMPLES[title]:
        failed = carry_out(step, tree)
        assert not failed, (
            f"{failed.args}\n{failed.stdout[-3000:]}{failed.stderr[-3000:]}"
        )


@pytest.mark.parametrize(("title", "left_out"), CHANGES)
def test_a_change_that_is_forgotten_is_named(title, left_out, tree):
    steps = EXAMPLES[title]
    failures = [
        failed
        for place, step in enumerate(steps)
        if place != left_out and (failed := carry_out(step, tree))
    ]
    assert failures, f"nothing misses the change of {steps[left_out].path}"
    assert steps[0].path.rpartition("/")[2].removesuffix(".py") in (
        failures[0].stdout + failures[0].stderr
    )


@pytest.mark.skipif(not shutil.which("ruff"), reason="ruff is not installed here")
@pytest.mark.parametrize("title", EXAMPLES)
def test_the_files_of_an_example_are_formatted_and_clean(title, tree):
    for step in EXAMPLES[title]:
        if step.path:
            carry_out(step, tree)
    files = [step.path for step in EXAMPLES[title] if (step.path or "").endswith(".py")]
    for command in (["format", "--check"], ["check", "--no-cache"]):
        done = subprocess.run(
            ["ruff", *command, *files], cwd=tree, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_way_to_add_something_has_its_example():
    assert "Add a stage" in EXAMPLES
    for title, steps in EXAMPLES.items():
        kinds = [step.kind for step in steps]
        assert "python" in kinds and kinds[-1] == "sh", title
