"""Every benchmark is importable, and every name that it takes from us exists: it is run too seldom to find out."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks"
FILES = sorted(FOLDER.glob("**/*.py"))
OURS = ("stages", "flows")

IMPORT_ALL = """
import importlib, json, sys
asked, found = json.load(sys.stdin), {}
for module, name in asked:
    try:
        held = importlib.import_module(module)
        if name and not hasattr(held, name):
            importlib.import_module(f"{module}.{name}")
        what = None
    except ModuleNotFoundError as error:
        what = ["missing", error.name]
    except BaseException as error:
        what = ["error", f"{type(error).__name__}: {error}"]
    found[f"{module}:{name}"] = what
print(json.dumps(found))
"""


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(FOLDER).with_suffix("").parts)


@pytest.fixture(scope="module")
def imported():
    """Function: module and name in it ("" for the module alone) -> None, or what went wrong.

    One process imports all of it: it takes seconds, and each benchmark sets threads for itself.
    """
    asked = [(module_of(file), "") for file in FILES]
    for file in FILES:
        asked += imports_of_ours(file.read_text("utf-8"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL],
        input=json.dumps(sorted(set(asked))),
        cwd=FOLDER,
        env=os.environ | {"PYTHONPATH": f"{FOLDER}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return lambda module, name="": found[f"{module}:{name}"]


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_benchmark_is_imported_without_running(file, imported):
    kind, what = imported(module_of(file)) or (None, None)
    own = {module_of(other).partition(".")[0] for other in FILES}
    if kind == "missing" and what.partition(".")[0] not in {*OURS, *own}:
        pytest.skip(f"{what}, which {file.name} compares with, is not installed")
    assert kind is None, what


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_every_name_taken_from_us_exists(file, imported):
    for module, name in imports_of_ours(file.read_text("utf-8")):
        assert imported(module, name) is None, f"{module}.{name}"


def imports_of_ours(source: str) -> list[tuple[str, str]]:
    """(module, name) of every import from us, those of scripts inside string constants too."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module.partition(".")[0] in OURS:
                found += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [
                (alias.name, "")
                for alias in node.names
                if alias.name.partition(".")[0] in OURS
            ]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if any(f"from {ours}" in node.value for ours in OURS):
                found += imports_of_script(node.value)
    return found


def imports_of_script(text: str) -> list[tuple[str, str]]:
    """Of a string that is Python, else nothing: prose may say 'from stages' too."""
    try:
        return imports_of_ours(text)
    except SyntaxError:
        return []


def test_imports_are_found_inside_functions_and_scripts():
    source = 'def f():\n    from stages.foundation.files import file_hash\nRUN = "from flows.cli import main"\n'
    assert imports_of_ours(source) == [
        ("stages.foundation.files", "file_hash"),
        ("flows.cli", "main"),
    ]
