"""The site builds without a warning; its commands parse, its examples run, its messages are in the code."""

import ast
import doctest
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from flows.cli import app
from flows.documents.api_pages import api_pages
from stages.foundation.stage import ROOT

PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
SOURCES = [*ROOT.glob("flows/**/*.py"), *ROOT.glob("stages/**/*.py")]


def commands() -> list[tuple[str, str]]:
    """(page, line) of each `assay` command in a console block."""
    return [
        (page.name, line.removeprefix("$ "))
        for page in PAGES
        for block in CONSOLE.findall(page.read_text("utf-8"))
        for line in block.splitlines()
        if line.startswith("$ assay ")
    ]


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_has_the_options_that_the_page_gives_it(page, line):
    _, name, *words = shlex.split(line, comments=True)
    typer.main.get_command(app).commands[name].make_context(name, words).close()


def spoken(node: ast.AST) -> str:
    """A string of the code with … for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            spoken(part) if isinstance(part, ast.Constant) else "…"
            for part in node.values
        )
    return ""


def test_every_message_that_is_explained_is_one_of_the_code():
    text = (ROOT / "docs/errors.md").read_text("utf-8")
    quoted = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(quoted) > 30
    said = {
        spoken(node)
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
    }
    gone = [message for message in quoted if not any(message in each for each in said)]
    assert not gone


def listed_for_python() -> dict[str, str]:
    file = Path(__file__).with_name("test_reached.py")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.API_ONLY


def test_what_no_command_reaches_is_on_the_page_for_python():
    text = (ROOT / "docs/python.md").read_text("utf-8")
    shown = {f"{name}.py" for name in re.findall(r"^::: [\w.]+\.(\w+)$", text, re.M)}
    assert shown == set(listed_for_python())


def test_the_examples_for_python_run():
    text = (ROOT / "docs/python.md").read_text("utf-8")
    blocks = "".join(re.findall(r"```pycon\n(.*?)```", text, re.DOTALL))
    example = doctest.DocTestParser().get_doctest(blocks, {}, "python.md", None, 0)
    assert len(example.examples) > 5
    assert doctest.DocTestRunner().run(example).failed == 0


def test_every_folder_of_the_api_has_its_page():
    pages = api_pages()
    assert "::: stages.laws.fitting.fit\n" in pages["laws-fitting.md"]
    assert "::: stages.proxy.training.train\n" in pages["proxy-training.md"]
    named = set(re.findall(r"\]\(([\w-]+\.md)\)", pages["index.md"]))
    assert named == pages.keys() - {"index.md"}


def tour_steps() -> list[tuple[str, list[str]]]:
    """(command, lines that the page quotes of its output) of the tour, after its set-up."""
    steps: list[tuple[str, list[str]]] = []
    for block in CONSOLE.findall((ROOT / "docs/tour.md").read_text("utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line.removeprefix("$ "), []))
            else:
                steps[-1][1].append(line)
    return [step for step in steps if not step[0].startswith(("python", "pip"))]


@pytest.mark.pipeline
def test_the_tour_runs_and_prints_what_it_quotes(tmp_path):
    for name in ("benchmarks", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    settings = []
    for command, quoted in tour_steps():
        if not command.startswith("assay"):
            settings.append(command)
            continue
        start = f"{shlex.quote(sys.executable)} -m flows.cli"
        done = subprocess.run(
            ["bash", "-c", "\n".join([*settings, command.replace("assay", start, 1)])],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        for line in quoted:
            assert line.partition("…")[0] in done.stdout
    assert len(settings) == 2


@pytest.mark.install
def test_the_site_builds_without_a_warning_and_asks_no_other_host(tmp_path):
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed: pip install '.[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for page in ("tour", "laws/repetition", "api/laws-fitting", "contributing"):
        assert (tmp_path / f"{page}.html").is_file()
    assert (tmp_path / "laws/figures/chinchilla.svg").is_file()
    html = "".join(file.read_text("utf-8") for file in tmp_path.rglob("*.html"))
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(https?:[^"]+)', html)
    assert not loaded
    shutil.rmtree(tmp_path)
