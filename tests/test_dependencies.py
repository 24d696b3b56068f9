"""Every package that is imported is declared, and the extra that an error names is the one that brings it."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement

from stages.foundation.errors import EXTRA_OF, InputError, require_extras, told
from stages.foundation.stage import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# not installed by `make setup`, so their distributions cannot be looked up
DISTRIBUTIONS = {
    "ray": "ray",
    "s3fs": "s3fs",
    "sentence_transformers": "sentence-transformers",
}
# come with a package of the same extra, and are imported beside it
BROUGHT_BY = {
    "aiohttp": "fsspec",  # its own extra, for http; without it, http is refused
    "pandas": "mlflow",
    "requests": "mlflow",
    "sqlalchemy": "mlflow",
    "transformers": "sentence-transformers",
    "triton": "torch",  # for CUDA; without it, the parts of a step are torch's
}


def named(requirements: list[str]) -> set[str]:
    return {Requirement(text).name.lower() for text in requirements}


BASE = named(PROJECT["dependencies"])
EXTRAS = {
    extra: named(texts) for extra, texts in PROJECT["optional-dependencies"].items()
}


def imported() -> set[str]:
    """Top-level packages of others that flows/ and stages/ import, inside functions too."""
    names: set[str] = set()
    for file in [*ROOT.glob("flows/**/*.py"), *ROOT.glob("stages/**/*.py")]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"flows", "stages"}


def distributions(package: str) -> set[str]:
    """Names on the index of what brings a package; empty where it is not installed."""
    if package in DISTRIBUTIONS:
        return {DISTRIBUTIONS[package]}
    return {name.lower() for name in packages_distributions().get(package, [])}


@pytest.mark.parametrize("package", sorted(imported() - BROUGHT_BY.keys()))
def test_a_package_is_in_the_base_or_in_the_extra_that_the_error_names(package):
    wanted = EXTRAS[EXTRA_OF[package]] if package in EXTRA_OF else BASE
    assert distributions(package) & wanted, (
        f"{package}: name it in pyproject.toml and, if in an extra, in EXTRA_OF"
    )


def test_the_base_holds_no_pipeline_and_no_training():
    assert not BASE & {"prefect", "dvc", "mlflow", "torch", "tokenizers", "ray"}


def test_a_missing_package_of_an_extra_is_one_line_with_the_pip_command():
    error = ModuleNotFoundError("No module named 'torch'", name="torch")
    assert told(error, "assay") == (
        "assay: needs torch, which is not installed; run: pip install 'assay[train]'",
        2,
    )


def test_all_that_a_command_needs_is_named_at_once(monkeypatch):
    missing = {"prefect", "torch"}
    monkeypatch.setattr(
        "stages.foundation.errors.find_spec",
        lambda name: None if name in missing else name,
    )
    with pytest.raises(
        InputError, match=r"prefect and torch.*'assay\[pipeline,train\]'"
    ):
        require_extras("pipeline", "train")
    require_extras("s3", "embed")
