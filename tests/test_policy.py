"""Policies of the house, each of which a change could break unnoticed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from stages.dvc_file import pipeline_text
from stages.params import load_params
from stages.pipeline import PIPELINE
from stages.stage import ROOT, code_deps

SOURCES = sorted([*ROOT.glob("flows/**/*.py"), *ROOT.glob("stages/**/*.py")])
PURE = ("laws", "curation", "proxy")


def imports(file: Path) -> set[str]:
    """Absolute dotted names that a file imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = file.relative_to(ROOT).parts[: -node.level] if node.level else ()
            names.add(".".join([*package, *([node.module] if node.module else [])]))
    return names


def packages(file: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(file)}


def test_dvc_yaml_is_what_the_declarations_say():
    params = load_params(ROOT / "params.yaml", PIPELINE)
    assert (ROOT / "dvc.yaml").read_text("utf-8") == pipeline_text(
        params, "params.yaml"
    ), "run `assay dvc-yaml`"


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: f.relative_to(ROOT).as_posix())
def test_imports_point_down(file):
    layer, *inner = file.relative_to(ROOT).parts
    ours = {
        name for name in imports(file) if name.partition(".")[0] in ("flows", "stages")
    }
    if layer == "stages":
        assert not [name for name in ours if name.startswith("flows")]
    if inner[0] in PURE:
        allowed = (
            f"stages.{inner[0]}",
            "stages.errors",
            "stages.files",
            "stages.foundation",
        )
        assert not [name for name in ours if not name.startswith(allowed)]


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: f.relative_to(ROOT).as_posix())
def test_prefect_mlflow_and_torch_stay_where_they_belong(file):
    path = file.relative_to(ROOT).as_posix()
    used = packages(file)
    assert "prefect" not in used or path.startswith("flows/")
    assert "mlflow" not in used or path == "stages/tracking.py"
    assert (
        "torch" not in used
        or path.startswith("stages/proxy/")
        or path in ("stages/train_trunks.py", "stages/curation/vectors.py")
    )
    if path.startswith("stages/proxy/"):
        assert not used & {
            "polars",
            "sklearn",
            "pandas",
        }, "stages/proxy runs on a bare GPU box"


def test_the_command_line_imports_nothing_heavy():
    code = (
        "import sys, flows.cli; print([m for m in ('torch', 'mlflow', 'prefect',"
        " 'sklearn', 'matplotlib', 'numba') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert out.stdout.strip() == "[]"


def test_a_stage_depends_on_the_code_it_calls():
    sweep = next(stage for stage in PIPELINE if stage.name == "sweep")
    deps = code_deps(sweep)
    assert "stages/sweep.py" in deps and "stages/proxy/train.py" in deps
    assert not [path for path in deps if path.startswith("stages/laws")]
