"""What is cited exists, and docs/design.md names only what the code has."""

import ast
import io
import json
import re
import tokenize
from pathlib import Path

import pytest

from flows.cli import app
from stages.foundation.stage import ROOT
from stages.runs.schema import COLUMNS

CODE = sorted(
    file
    for folder in ("flows", "stages", "benchmarks", "tests")
    for file in ROOT.glob(f"{folder}/**/*.py")
)
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")]
)
CONFIGURATION = [
    ROOT / name for name in ("pyproject.toml", "Makefile", "params.yaml", "dvc.yaml")
]
DESIGN = (ROOT / "docs/design.md").read_text("utf-8")
OUTPUTS = {"report.md"}  # written by `assay curate` beside its shards
# made when the site is built, which checks these links (tests/test_site.py)
OF_THE_SITE = {"api/index.md", "laws/index.md"}
MADE_BY_AN_EXAMPLE = re.compile(r"^```\w+ file=(\S+)$", re.MULTILINE)
CITED_MARKDOWN = re.compile(r"[\w./-]*\w\.md\b")
CITED_PYTHON = re.compile(r"[\w./-]*\w\.py\b")


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def prose_of(file: Path) -> str:
    """Comments and docstrings of a Python file; of another file, all of it."""
    text = file.read_text("utf-8")
    if file.suffix != ".py":
        return text
    parts = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            lines = (ast.get_docstring(node) or "").splitlines()
            parts += [line for line in lines if not line.startswith((">>>", "..."))]
    return "\n".join(parts)


def exists(cited: str, by: Path) -> bool:
    """Whether a path that a file cites is there, from the root, from its own folder or as the end of a path."""
    if (ROOT / cited).exists() or (by.parent / cited).exists():
        return True
    ends = "/" + cited.lstrip("./")
    return any(f"/{relative(file)}".endswith(ends) for file in [*CODE, *DOCUMENTS])


@pytest.mark.parametrize("file", [*CODE, *DOCUMENTS, *CONFIGURATION], ids=relative)
def test_every_document_and_file_cited_exists(file):
    prose = prose_of(file)
    cited = CITED_MARKDOWN.findall(prose)
    if relative(file).partition("/")[0] != "tests":
        cited += CITED_PYTHON.findall(prose)
    made = set(MADE_BY_AN_EXAMPLE.findall(prose))
    missing = [
        path
        for path in set(cited) - made - OF_THE_SITE
        if Path(path).name not in OUTPUTS
        and Path(path).stem != "NAME"
        and not exists(path, file)
    ]
    assert not missing, f"{relative(file)} cites what is not there: {missing}"


def section(title: str) -> str:
    """One section of docs/design.md, up to the next heading."""
    return re.split(r"^#+ ", DESIGN.partition(f"# {title}\n")[2], flags=re.MULTILINE)[0]


def test_the_columns_that_the_design_names_are_columns():
    first = [
        row.split("|")[1] for row in section("Runs table").splitlines() if "|" in row
    ]
    named = re.findall(r"`(\w+)`", " ".join(first))
    assert len(named) > 20
    assert set(named) <= set(COLUMNS)


def test_the_fields_that_the_design_names_are_in_the_record():
    record = json.loads((ROOT / "data/decisions/filter.json").read_text("utf-8"))
    held = {*record, *record["targets"][0]}
    named = re.findall(r"`(\w+)`", section("Decision record"))
    assert len(named) > 15
    assert set(named) <= held


def test_every_command_is_in_the_design_and_no_other():
    commands = {
        command.name or command.callback.__name__ for command in app.registered_commands
    }
    assert set(re.findall(r"`assay ([a-z-]+)", section("Command line"))) == commands
