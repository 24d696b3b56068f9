"""Every file of stages/ has its test in the mirrored place, or is listed with the test that holds what it does."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

from stages.foundation.stage import ROOT, imported_modules
from stages.pipeline import PIPELINE

MODULE = re.compile(r"(stages|flows)(\.\w+)+")


def listed() -> dict[str, str]:
    """The list beside this file; tests/ is no package."""
    file = Path(__file__).with_name("tested_elsewhere.py")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TESTED_ELSEWHERE


TESTED_ELSEWHERE = listed()


def mirror_of(file: Path) -> Path:
    """Where the test of a source file stands: tests/stages/a/test_b.py for stages/a/b.py."""
    place = file.relative_to(ROOT)
    return ROOT / "tests" / place.parent / f"test_{place.stem.strip('_')}.py"


SOURCES = [file for file in ROOT.glob("stages/**/*.py") if file.name != "__init__.py"]
WITHOUT_MIRROR = {
    file.relative_to(ROOT).as_posix()
    for file in SOURCES
    if not mirror_of(file).is_file()
}


def started_by_name(file: Path) -> set[Path]:
    """Files that are run in a process of their own, as in `python -m flows.cli`."""
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


def reached_from(test: Path) -> set[Path]:
    """Files that a test imports at any depth, or starts by name; with the list of stages their work too."""
    todo, seen = [test], set()
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo.extend(imported_modules(file) | started_by_name(file))
            if file == ROOT / "stages/pipeline.py":
                todo.extend(ROOT / f"stages/{stage.name}.py" for stage in PIPELINE)
    return seen


def test_every_file_has_its_test_beside_it_or_is_listed():
    missing = sorted(WITHOUT_MIRROR - TESTED_ELSEWHERE.keys())
    assert not missing, (
        f"{missing}: write {mirror_of(ROOT / missing[0]).relative_to(ROOT)}, or name the"
        " test in tests/tested_elsewhere.py"
    )


def test_nothing_is_listed_that_has_its_test_or_is_gone():
    needless = sorted(TESTED_ELSEWHERE.keys() - WITHOUT_MIRROR)
    assert not needless, f"{needless}: take them out of tests/tested_elsewhere.py"


@pytest.mark.parametrize("test", sorted(set(TESTED_ELSEWHERE.values())))
def test_a_test_that_is_named_is_there_and_reaches_the_files(test):
    file = ROOT / "tests" / test
    assert file.is_file()
    reached = {path.relative_to(ROOT).as_posix() for path in reached_from(file)}
    held = {source for source, named in TESTED_ELSEWHERE.items() if named == test}
    assert held <= reached, f"tests/{test} does not reach {sorted(held - reached)}"
