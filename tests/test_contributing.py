"""The worked examples of CONTRIBUTING.md, carried out in a copy of the tree.

A fenced block names what it is: `python file=PATH` is a new file, `diff file=PATH` replaces one place of a file (lines
with a minus and plain ones are what is there, those with a plus and plain ones what shall be), `sh run` are commands,
a line each.
"""

import json
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
PROGRAMS = {"assay": ["-m", "flows.cli"], "python": []}
WRITES = "assay dvc-yaml"  # a command without which an example is not whole


@dataclass(frozen=True)
class Step:
    """A new file, a change of one, or a command (path None)."""

    kind: str
    path: str | None
    text: str

    @property
    def can_be_forgotten(self) -> bool:
        return self.kind == "diff" or self.text == WRITES


def steps_of(kind: str, path: str, text: str) -> list[Step]:
    """A block as steps: every command is one."""
    if path:
        return [Step(kind, path, text)]
    return [Step(kind, None, line) for line in text.splitlines()]


def worked_examples() -> dict[str, list[Step]]:
    """Section -> its steps, of the sections that hold any."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    sections = zip(parts[::2], parts[1::2], strict=True)
    found = {
        title: [step for block in BLOCK.findall(body) for step in steps_of(*block)]
        for title, body in sections
    }
    return {title: steps for title, steps in found.items() if steps}


EXAMPLES = worked_examples()
FORGOTTEN = [
    pytest.param(title, place, id=f"{title}-{step.path or step.text}-{place}")
    for title, steps in EXAMPLES.items()
    for place, step in enumerate(steps)
    if step.can_be_forgotten
]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    command: str
    code: int
    output: str


class Tree:
    """A copy of the repository that an example may change, and a process that runs commands in it."""

    def __init__(self, folder: Path, output: Path) -> None:
        self.folder = folder
        self.output = output
        for name in COPIED:
            shutil.copytree(ROOT / name, folder / name)
        for file in ROOT.iterdir():
            if file.is_file() and file.name != "mlflow.db":
                shutil.copy2(file, folder)
        self.before: dict[Path, bytes | None] = {}
        self.python = subprocess.Popen(
            [sys.executable, ROOT / "tests/warm_python.py"],
            env={**os.environ, "PYTEST_ADDOPTS": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def remember(self, file: Path) -> None:
        self.before.setdefault(file, file.read_bytes() if file.is_file() else None)

    def restore(self) -> None:
        """Undo what the steps have changed."""
        for file, content in self.before.items():
            if content is None:
                file.unlink(missing_ok=True)
            else:
                file.write_bytes(content)
        self.before.clear()

    def run(self, command: str) -> Done:
        """A line of a `sh run` block."""
        if command == WRITES:
            self.remember(self.folder / "dvc.yaml")
            self.remember(self.folder / "README.md")
        program, *arguments = shlex.split(command)
        request = {
            "folder": str(self.folder),
            "output": str(self.output),
            "arguments": [*PROGRAMS[program], *arguments],
        }
        self.python.stdin.write(json.dumps(request) + "\n")
        self.python.stdin.flush()
        code = int(self.python.stdout.readline())
        return Done(command, code, self.output.read_text("utf-8"))

    def carry_out(self, step: Step) -> Done | None:
        """Do what a step says; a command that failed."""
        if not step.path:
            done = self.run(step.text)
            return done if done.code else None
        file = self.folder / step.path
        self.remember(file)
        if step.kind == "diff":
            file.write_text(replaced(file.read_text("utf-8"), step.text), "utf-8")
        else:
            assert not file.exists(), f"{step.path} is there already"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(step.text, "utf-8")
        return None


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """One copy for all examples, and one Python that has the heavy packages."""
    folder = tmp_path_factory.mktemp("examples")
    tree = Tree(folder / "tree", folder / "output.txt")
    with tree.python:
        yield tree
        tree.python.stdin.close()


@pytest.fixture
def tree(copy):
    """The copy, as the repository is."""
    yield copy
    copy.restore()


def replaced(text: str, change: str) -> str:
    """`text` with the one place that a diff block shows changed."""
    lines = change.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if line[:1] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[:1] in " +")
    assert text.count(before) == 1, f"{text.count(before)} places hold\n{before}"
    return text.replace(before, after)


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_does_what_it_says(title, tree):
    for step in EXAMPLES[title]:
        failed = tree.carry_out(step)
        assert not failed, f"{failed.command}\n{failed.output[-3000:]}"


@pytest.mark.parametrize(("title", "left_out"), FORGOTTEN)
def test_a_change_that_is_forgotten_is_named(title, left_out, tree):
    steps = EXAMPLES[title]
    failures = (
        failed
        for place, step in enumerate(steps)
        if place != left_out and (failed := tree.carry_out(step))
    )
    first = next(failures, None)
    assert first, f"nothing misses {steps[left_out].path or steps[left_out].text}"
    assert Path(steps[0].path).stem in first.output


@pytest.mark.skipif(not shutil.which("ruff"), reason="ruff is not installed here")
@pytest.mark.parametrize("title", EXAMPLES)
def test_the_files_of_an_example_are_formatted_and_clean(title, tree):
    for step in EXAMPLES[title]:
        if step.path:
            tree.carry_out(step)
    files = [step.path for step in EXAMPLES[title] if (step.path or "").endswith(".py")]
    for command in (["format", "--check"], ["check", "--no-cache"]):
        done = subprocess.run(
            ["ruff", *command, *files], cwd=tree.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_way_to_add_something_has_its_example():
    assert list(EXAMPLES) == [
        "Add a law",
        "Add a score",
        "Add a stage",
        "Add a column of the runs table",
    ]
    for title, steps in EXAMPLES.items():
        kinds = [step.kind for step in steps]
        assert "python" in kinds and kinds[-1] == "sh", title
