"""Options that messages advise are options that the commands have."""

import ast
import re

import pytest
import typer.main

from flows.cli import app
from stages.foundation.stage import ROOT

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
COMMAND = re.compile(r"`assay ([a-z][a-z-]+)([^`]*)`")
# of other programs (pip, zstd, torchrun, git, servers), which commands of ours name
FOREIGN = {
    "--abi",
    "--data-args-path",
    "--dest",
    "--hash",
    "--host",
    "--implementation",
    "--long",
    "--no-deps",
    "--nproc-per-node",
    "--only-binary",
    "--platform",
    "--port",
    "--python-version",
    "--quiet",
    "--require-hashes",
    "--requirement",
    "--rev",
    "--standalone",
}
CLI = typer.main.get_command(app)
OPTIONS = {
    name: {option for each in command.params for option in each.opts} | {"--help"}
    for name, command in CLI.commands.items()
}
EVERY = set().union(*OPTIONS.values())


def texts(file):
    """The strings of a file but its docstrings; what a message fills in as `{}`."""
    skipped = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            skipped.add(id(body[0].value))
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            parts = (getattr(part, "value", None) for part in node.values)
            yield "".join(part if isinstance(part, str) else "{}" for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


SAID: dict[str, set[str]] = {}
for folder in ("flows", "stages"):
    for file in sorted((ROOT / folder).rglob("*.py")):
        # without a blank it is no sentence, but an argument of a program that is started
        if found := {t for t in texts(file) if OPTION.search(t) and " " in t}:
            SAID[file.relative_to(ROOT).as_posix()] = found


def test_messages_that_advise_options_are_found():
    assert sum(map(len, SAID.values())) > 60
    assert any(
        "up to --tokens" in text
        for text in SAID["stages/handing_over/choosing/arm_documents.py"]
    )


@pytest.mark.parametrize("file", SAID)
def test_an_option_that_is_advised_is_one_of_a_command(file):
    for said in SAID[file]:
        assert set(OPTION.findall(said)) <= EVERY | FOREIGN, said


@pytest.mark.parametrize("file", SAID)
def test_a_command_that_is_advised_has_the_options_named_with_it(file):
    for said in SAID[file]:
        for command, rest in COMMAND.findall(said):
            assert set(OPTION.findall(rest)) <= OPTIONS.get(command, set()), said
