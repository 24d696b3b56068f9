"""A fault in the parameters is told before anything that takes long to import or to measure."""

import subprocess
import sys

import pytest

from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE

HEAVY = (
    "polars",
    "numpy",
    "pyarrow",
    "numba",
    "scipy",
    "sklearn",
    "torch",
    "matplotlib",
    "mlflow",
    "prefect",
)
RUN = f"""
import sys
module, *sys.argv[1:] = sys.argv[1:]
try:
    if module == "stages":
        from stages.__main__ import main
        code = main()
    else:
        from flows.cli import main
        main()
except SystemExit as done:
    code = done.code
print(code, [name for name in {HEAVY} if name in sys.modules])
"""
COMMANDS = {
    "run": ["flows", "run"],
    "run, dialled": ["flows", "run", "--hours", "1"],
    "plan": ["flows", "plan", "--ladder"],
    "dvc-yaml": ["flows", "dvc-yaml"],
    "verify": ["flows", "verify"],
    "export": ["flows", "export", "filter", "--out", "o", "--format", "hf"],
    "remove": ["flows", "remove", "gone.txt"],
    "curate": ["flows", "curate", "raw.jsonl", "--out", "curated"],
    "publish": ["stages", "publish"],
} | {f"stage {stage.name}": ["stages", stage.name] for stage in PIPELINE}


@pytest.fixture
def project(tmp_path):
    """A folder with the project's parameters, all sections that may be left out among them."""
    text = (ROOT / "params.yaml").read_text("utf-8")
    (tmp_path / "params.yaml").write_text(f"{text}\ncurate: {{dedup: {{}}}}\n", "utf-8")
    (tmp_path / "raw.jsonl").write_text('{"text": "some words"}\n')
    (tmp_path / "gone.txt").write_text("an id\n")
    (tmp_path / "dvc.yaml").write_text("")
    (tmp_path / ".dvc").mkdir()
    return tmp_path


def ran(project, command):
    """(exit code and heavy modules, lines on the error stream)."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *command, "--params", "params.yaml"],
        cwd=project,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return done.stdout.strip(), done.stderr.splitlines()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_typo_is_one_line_and_nothing_heavy_is_imported(project, command):
    file = project / "params.yaml"
    key, typo = (
        ("dedup: {}", "dedpu: {}") if "curate" in command else ("  folds:", "  fods:")
    )
    text = file.read_text("utf-8").replace(key, typo)
    file.write_text(text, "utf-8")
    line = 1 + text[: text.index(typo)].count("\n")
    dotted = "curate.dedpu" if "curate" in command else "score.fods"
    out, said = ran(project, command)
    assert out == "2 []"
    assert len(said) == 1 and f"params.yaml:{line}: {dotted}: unknown key" in said[0]
    assert file.read_text("utf-8") == text


def test_what_sections_say_of_each_other_is_checked_as_lightly(project):
    file = project / "params.yaml"
    text = file.read_text("utf-8").replace("{keep: 0.50}", "{keep: 0.50, by: beauty}")
    file.write_text(text, "utf-8")
    out, said = ran(project, ["stages", "sweep"])
    assert out == "2 []" and "no score 'beauty'" in said[0]


def test_a_ladder_is_refused_by_the_file_s_own_name_before_the_machine_is_measured(
    project, monkeypatch
):
    from flows.commands.project.ladder import Dial, choose
    from stages.foundation.errors import InputError
    from stages.sweeping import ladder_here

    def measured(*_):
        raise AssertionError("measured")

    monkeypatch.setattr(ladder_here, "machine_here", measured)
    file = project / "params.yaml"
    file.write_text(file.read_text("utf-8").replace("  folds:", "  fods:"), "utf-8")
    with pytest.raises(InputError, match=r"params\.yaml:\d+: score\.fods: unknown key"):
        choose(file, Dial(hours=1.0))
