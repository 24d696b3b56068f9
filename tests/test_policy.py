"""Policies of the house, each of which a change could break unnoticed."""

import ast
import re
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from stages.foundation.dvc_file import pipeline_text
from stages.foundation.stage import ROOT, Stage, code_deps, imported_modules
from stages.pipeline import PIPELINE
from stages.settings.params import load_params

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
        PIPELINE, params, "params.yaml"
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
        allowed = (f"stages.{inner[0]}", "stages.foundation")
        assert not [name for name in ours if not name.startswith(allowed)]


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: f.relative_to(ROOT).as_posix())
def test_prefect_mlflow_and_torch_stay_where_they_belong(file):
    path = file.relative_to(ROOT).as_posix()
    used = packages(file)
    assert "prefect" not in used or path.startswith("flows/")
    assert "mlflow" not in used or path.startswith("stages/runs/mlflow_store/")
    assert (
        "torch" not in used
        or path.startswith("stages/proxy/")
        or path
        in ("stages/sweeping/train_trunks.py", "stages/curation/vectors/products.py")
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


def test_no_stage_waits_for_what_few_of_them_need():
    code = (
        "import sys, stages.pipeline; print([m for m in ('matplotlib', 'scipy.sparse',"
        " 'jinja2', 'pyarrow.compute', 'numba', 'torch') if m in sys.modules])"
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
    assert "stages/sweep.py" in deps and "stages/proxy/training/train.py" in deps
    assert not [path for path in deps if path.startswith("stages/laws")]


FOLDERS = sorted({file.parent for file in SOURCES})


@pytest.mark.parametrize(
    "folder", FOLDERS, ids=lambda f: f.relative_to(ROOT).as_posix()
)
def test_a_room_holds_at_most_fifteen_files_and_says_what_they_are(folder):
    assert len(list(folder.glob("*.py"))) <= 15
    text = (folder / "__init__.py").read_text("utf-8")
    assert ast.get_docstring(ast.parse(text)), f"{folder}: say what is kept here"


def folder_graph() -> dict[str, set[str]]:
    """Folder -> folders that it imports from, imports inside functions and for types included."""
    graph: dict[str, set[str]] = {}
    for file in ROOT.glob("stages/**/*.py"):
        home = file.parent.relative_to(ROOT).as_posix()
        used = {
            module.parent.relative_to(ROOT).as_posix()
            for module in imported_modules(file)
        }
        graph.setdefault(home, set()).update(used - {home})
    return graph


def test_folders_import_from_lower_floors_only():
    try:
        list(TopologicalSorter(folder_graph()).static_order())
    except CycleError as error:
        pytest.fail(f"folders import each other: {' <- '.join(error.args[1])}")


def test_stages_holds_the_stages_the_list_of_them_and_the_command():
    names = {file.stem for file in (ROOT / "stages").glob("*.py")}
    assert names == {stage.name for stage in PIPELINE} | {
        "__init__",
        "__main__",
        "pipeline",
    }


ARTEFACTS = ROOT / "stages/foundation/artefacts.py"


def paths_spelled(file: Path) -> list[str]:
    """Paths under data/ and .assay/ in the strings of a source file, once for every time they stand there."""
    return [
        node.value.rstrip("/")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"(data|\.assay)/\S*", node.value)
    ]


def homes_of(stage: Stage) -> tuple[Path, Path]:
    """The files that hold a stage's declaration and its work."""
    place = ROOT / "stages"
    return place / f"declarations/{stage.name}.py", place / f"{stage.name}.py"


def own_products(file: Path) -> set[str]:
    """What the stage declared in this file makes and no other stage names."""
    named_by_others = {
        path
        for stage in PIPELINE
        if stage.name != file.stem
        for path in (*stage.products, *stage.deps)
    }
    return {
        path for stage in PIPELINE if file in homes_of(stage) for path in stage.products
    } - named_by_others


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: f.relative_to(ROOT).as_posix())
def test_a_path_is_spelled_where_all_are_or_by_the_one_stage_that_makes_it(file):
    if file == ARTEFACTS:
        return
    elsewhere = set(paths_spelled(file)) - own_products(file)
    assert not elsewhere, (
        f"{file.stem}: {sorted(elsewhere)} are no product of this stage alone: name"
        " them in stages/foundation/artefacts.py"
    )


def test_every_path_is_spelled_once():
    spelled = Counter(path for file in SOURCES for path in paths_spelled(file))
    assert "data/ingest/pools" in spelled
    twice = [path for path, times in spelled.items() if times > 1]
    assert not twice, f"{twice}: import the name of the path in its place"


def test_a_path_that_a_stage_spells_is_used_by_that_stage_alone():
    for stage in PIPELINE:
        homes = homes_of(stage)
        if not any(map(paths_spelled, homes)):
            continue
        users = [
            file.stem
            for file in SOURCES
            if file not in homes and imported_modules(file) & {*homes}
        ]
        assert set(users) <= {"pipeline"}, (
            f"{users} import stages/{stage.name}.py: what they share of its paths"
            " belongs in stages/foundation/artefacts.py"
        )
