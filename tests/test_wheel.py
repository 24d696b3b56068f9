"""The built wheel holds all files, and in an environment with the base packages alone it fits tables.

The environment holds links to the packages that pyproject.toml names as dependencies and what they
need in turn, and no others; no index is asked.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from stages.foundation.stage import ROOT

pytestmark = pytest.mark.install
SOURCES = ("flows", "stages", "pyproject.toml", "README.md", "LICENSE")


def run(
    *arguments: object, folder: Path, **named: object
) -> subprocess.CompletedProcess:
    return subprocess.run(
        list(map(str, arguments)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        **named,
    )


def sources() -> list[str]:
    """What git keeps, or would keep, of the package."""
    listed = run(
        *("git", "ls-files", "-co", "--exclude-standard", *SOURCES), folder=ROOT
    )
    assert listed.returncode == 0, listed.stderr
    return [name for name in listed.stdout.split() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    for name in sources():
        target = folder / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    pip = (sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps")
    done = run(*pip, "--wheel-dir", folder, folder / "source", folder=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    [built] = folder.glob("*.whl")
    return built


def needed(requirements: list[str]) -> set[str]:
    """Distributions that these requirements bring here, at any depth, without extras."""
    todo, found = list(requirements), set()
    while todo:
        requirement = Requirement(todo.pop())
        wanted = requirement.marker is None or requirement.marker.evaluate()
        if not wanted or requirement.name.lower() in found:
            continue
        try:
            todo += distribution(requirement.name).requires or []
        except PackageNotFoundError:  # of another platform
            continue
        found.add(requirement.name.lower())
    return found


def link(names: set[str], folder: Path) -> None:
    """Links in a folder to what the distributions have beside each other."""
    for name in names:
        files = distribution(name).files or []
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            target = folder / top
            if not target.exists():
                target.symlink_to(distribution(name).locate_file(top))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("environment")
    done = run(
        *(sys.executable, "-m", "venv", "--without-pip", folder / "venv"), folder=folder
    )
    assert done.returncode == 0, done.stderr
    python = folder / "venv/bin/python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps")
    done = run(*pip, "--no-index", wheel, folder=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    [metadata] = folder.glob("venv/lib/python*/site-packages/assay-*.dist-info")
    requires = PathDistribution(metadata).requires or []
    base = needed([text for text in requires if "extra ==" not in text])
    (folder / "base").mkdir()
    link(base, folder / "base")
    [packages] = folder.glob("venv/lib/python*/site-packages")
    (packages / "base.pth").write_text(f"{folder / 'base'}\n")
    return folder / "venv/bin"


def assay(environment: Path, folder: Path, *arguments: object):
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    clean["PATH"] = f"{environment}{os.pathsep}{clean['PATH']}"
    return run(environment / "assay", *arguments, folder=folder, env=clean)


def test_the_wheel_holds_every_file_of_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == {
        name for name in sources() if name.startswith(("flows/", "stages/"))
    }
    for part in ("page.html.j2", "page.css", "page.js"):
        assert f"stages/reporting/{part}" in held


def test_the_environment_has_neither_pipeline_nor_training(environment, tmp_path):
    code = (
        "import importlib.util as u; print([m for m in ('torch', 'prefect', 'dvc',"
        " 'mlflow', 'tokenizers') if u.find_spec(m)])"
    )
    done = run(environment / "python", "-c", code, folder=tmp_path)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.fixture
def table(tmp_path):
    """Twenty runs on the law of the paper's loss: E 1.7, alpha .34, beta .28."""
    rows = [
        f"{n},{d},{1.7 + 400 / n**0.34 + 410 / d**0.28}\n"
        for n in (1e6, 3e6, 1e7, 3e7, 1e8)
        for d in (2e7, 1e8, 5e8, 2e9)
    ]
    (tmp_path / "runs.csv").write_text("n_params,n_tokens_seen,value\n" + "".join(rows))
    return tmp_path


def test_a_table_is_fitted(environment, table):
    done = assay(
        environment,
        table,
        *("fit", "chinchilla", "runs.csv", "--bootstrap", "0", "--json"),
        *("--figures", "figures"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["params"]
    assert found["alpha"]["value"] == pytest.approx(0.34, abs=1e-3)
    assert found["E"]["value"] == pytest.approx(1.7, abs=1e-2)
    assert list((table / "figures").glob("*.png"))


def test_documents_are_curated(environment, tmp_path):
    (tmp_path / "raw.jsonl").write_text('{"text": "one"}\n{"text": "one"}\n')
    params = "curate: {rules: [], dedup: {policy: exact}}\n"
    (tmp_path / "params.yaml").write_text(params)
    given = ("curate", "raw.jsonl", "--out", "out", "--params", "params.yaml")
    done = assay(environment, tmp_path, *given, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kept"]["documents"] == 1


@pytest.mark.parametrize(
    ("arguments", "extras"),
    [
        (("run",), "pipeline,train"),
        (("serve",), "pipeline,train"),
        (("ui",), "pipeline"),
        (("status",), "pipeline"),
        (("verify",), "train"),
        (("fit", "chinchilla", "mlflow:ladder"), "pipeline"),
    ],
)
def test_a_command_whose_extra_is_missing_says_so(
    environment, tmp_path, arguments, extras
):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    done = assay(environment, tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(f"run: pip install 'assay[{extras}]'\n")
