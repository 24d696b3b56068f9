"""The image copies what pip needs of the tree, installs extras that there are, and starts our command."""

import json
import re
import tomllib
from fnmatch import fnmatch

from packaging.specifiers import SpecifierSet

from stages.foundation.stage import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TEXT = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
STEPS = [
    line.partition(" ")[::2]
    for line in TEXT.splitlines()
    if line and not line.startswith("#")
]


def steps(name: str) -> list[str]:
    return [rest.strip() for word, rest in STEPS if word == name]


def copied() -> list[str]:
    return [source for rest in steps("COPY") for source in rest.split()[:-1]]


def test_what_is_copied_is_there_and_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    for source in copied():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, source


def test_the_package_is_whole_before_pip_is_called():
    needed = {"pyproject.toml", "constraints.txt", "flows", "stages"}
    assert needed | {PROJECT["readme"], "LICENSE"} <= set(copied())
    [place] = [i for i, (_, rest) in enumerate(STEPS) if "pip install" in rest]
    assert all(word != "COPY" for word, _ in STEPS[place:])


def test_the_extras_that_are_installed_are_declared():
    [extras] = re.findall(r"'\.\[([\w,-]+)\]'", TEXT)
    assert {"pipeline", "train"} <= set(extras.split(","))
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()


def test_its_python_is_one_that_we_support():
    [base] = steps("FROM")
    [version] = re.findall(r"^python:(\d+\.\d+)-slim", base)
    assert version in SpecifierSet(PROJECT["requires-python"])
    assert any(fnmatch(each, f"* :: {version}") for each in PROJECT["classifiers"])


def test_it_starts_our_command():
    [entry] = map(json.loads, steps("ENTRYPOINT"))
    assert entry[0] in PROJECT["scripts"]
    assert json.loads(steps("CMD")[0]) == ["--help"]
