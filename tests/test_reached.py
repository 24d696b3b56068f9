"""Every file of stages/ is reached by a command, or is on the list of what only Python callers use, with the reason."""

import ast
import re
from pathlib import Path

from stages.foundation.stage import ROOT, imported_modules
from stages.pipeline import PIPELINE

API_ONLY = {
    "d4.py": "D4 of one table in memory; `assay curate` has it as semantic.keep_diverse",
    "datastore.py": "retrieval over a user's own index of embeddings",
    "densing.py": "effective size and data, worked out from two fits of a user",
    "neighbours.py": "nearest neighbours of a user's own embeddings",
    "perceptron_trial.py": "simulates the theory; benchmarks/perceptron_practice.py runs it",
    "projektor_path.py": "needs transport gradients beside the runs, which no table holds",
    "repeat_damage.py": "needs a fit of runs without repetition beside those with it",
}
# imports whole folders to find the laws in them; a file without a law is not reached by that
FINDS_LAWS = ROOT / "stages/laws/__init__.py"
MODULE = re.compile(r"stages(\.\w+)+")


def run_as_modules(file: Path) -> set[Path]:
    """Files that `file` starts by name, as in `python -m stages.proxy.workforce.worker_main`."""
    names = [
        node.value
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    paths = [
        ROOT.joinpath(*name.split(".")).with_suffix(".py")
        for name in names
        if MODULE.fullmatch(name)
    ]
    return {path for path in paths if path.is_file()}


def packages_of(file: Path) -> set[Path]:
    """The `__init__` files that are run when `file` is imported."""
    return {
        folder / "__init__.py"
        for folder in file.parents
        if folder.is_relative_to(ROOT) and (folder / "__init__.py").is_file()
    }


def reached() -> set[Path]:
    """All files that the commands `assay` and `python -m stages` import or start, at any depth; the work of a stage is
    imported by its name.
    """
    todo = {*ROOT.glob("flows/**/*.py"), ROOT / "stages/__main__.py"}
    todo |= {ROOT / f"stages/{stage.name}.py" for stage in PIPELINE}
    seen: set[Path] = set()
    while todo:
        file = todo.pop()
        seen.add(file)
        found = imported_modules(file) | run_as_modules(file) | packages_of(file)
        if file == FINDS_LAWS:
            found -= {
                other
                for other in found
                if other.is_relative_to(file.parent)
                and "Law(" not in other.read_text("utf-8")
            }
        todo |= found - seen
    return seen


def test_every_file_is_reached_by_a_command_or_listed_with_the_reason():
    unreached = {file.name: file for file in {*ROOT.glob("stages/**/*.py")} - reached()}
    new = sorted(unreached.keys() - API_ONLY.keys())
    assert not new, f"no command reaches {new}: give it one, delete it or say why here"
    now_reached = sorted(API_ONLY.keys() - unreached.keys())
    assert not now_reached, (
        f"{now_reached} are reached, or gone: take them off the list"
    )


def test_what_no_command_reaches_is_on_a_page_with_an_example_that_runs():
    page = (ROOT / "docs/python.md").read_text("utf-8")
    for name in API_ONLY:
        [file] = ROOT.glob(f"stages/**/{name}")
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        # tests/test_examples.py runs every example
        assert ">>> " in file.read_text("utf-8"), f"{module} has no example"
        assert f"::: {module}\n" in page, f"docs/python.md does not show {module}"


def test_workers_that_are_started_by_name_count_as_reached():
    names = {file.name for file in reached()}
    assert {"worker_main.py", "rank_main.py", "perceptron.py", "sweep.py"} <= names
