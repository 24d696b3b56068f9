"""Every benchmark is importable, and every name that it takes from us exists: it is run too seldom to find out."""

import ast
import importlib
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
import importlib, json, sys, warnings
found = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        found[name] = None
    except ModuleNotFoundError as error:
        found[name] = ["missing", error.name]
    except BaseException as error:
        found[name] = ["error", f"{type(error).__name__}: {error}"]
print(json.dumps(found))
"""


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(FOLDER).with_suffix("").parts)


@pytest.fixture(scope="module")
def imported():
    """module -> None, or what went wrong; one process for all, as each sets threads for itself."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_ALL, *map(module_of, FILES)],
        cwd=FOLDER,
        env=os.environ | {"PYTHONPATH": f"{FOLDER}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_benchmark_is_imported_without_running(file, imported):
    kind, what = imported[module_of(file)] or (None, None)
    own = {module_of(other).partition(".")[0] for other in FILES}
    if kind == "missing" and what.partition(".")[0] not in {*OURS, *own}:
        pytest.skip(f"{what}, which {file.name} compares with, is not installed")
    assert kind is None, what


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


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_every_name_taken_from_us_exists(file):
    for module, name in imports_of_ours(file.read_text("utf-8")):
        held = importlib.import_module(module)
        if name and not hasattr(held, name):
            importlib.import_module(f"{module}.{name}")


def test_imports_are_found_inside_functions_and_scripts():
    source = 'def f():\n    from stages.files import file_hash\nRUN = "from flows.cli import main"\n'
    assert imports_of_ours(source) == [
        ("stages.files", "file_hash"),
        ("flows.cli", "main"),
    ]
