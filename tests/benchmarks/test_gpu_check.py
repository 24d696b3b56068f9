"""The check of a card: parts that hang or fail stop no other, and the sweep needs nothing that a bare machine lacks."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location(
    "gpu_check", ROOT / "benchmarks/gpu_check.py"
)
gpu_check = importlib.util.module_from_spec(_SPEC)
sys.modules["gpu_check"] = gpu_check
_SPEC.loader.exec_module(gpu_check)

# what other packages try and do without
BARE = """
import importlib.abc, importlib.metadata, sys
HERE = {"torch", "numpy", "pyarrow", "polars", "_polars_runtime_32", "pydantic", "pydantic_core",
        "annotated_types", "typing_extensions", "typing_inspection", "sympy", "mpmath", "networkx",
        "jinja2", "markupsafe", "fsspec", "filelock", "functorch", "torchgen", "setuptools"}
LACKING = set(importlib.metadata.packages_distributions()) - HERE - {"stages", "flows"}

class Bare(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in LACKING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Bare())
import stages.sweep, stages.settings.sweep, stages.sweeping.train_trunks
from pathlib import Path
from stages.proxy.workforce.lease import folder_lease
with folder_lease(Path(sys.argv[1]), Path(sys.argv[1]) / "sweep.lock"):
    print("held")
"""


def test_the_path_of_a_sweep_needs_nothing_that_a_bare_gpu_machine_lacks(tmp_path):
    """Loaded, and its folder held, which names the process."""
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout == "held\n"


def child(code, limit_s=30.0):
    return gpu_check.Child([sys.executable, "-c", code], limit_s)


def test_a_part_that_hangs_ends_at_its_limit_with_what_it_printed():
    done = child("import time; print('began', flush=True); time.sleep(60)", 1.0).run()
    assert done.code == -9 and done.seconds < 20
    assert [line for _, line in done.lines] == ["began"]
    assert done.ending.startswith("exit code -9 after")


def test_a_sweep_is_killed_at_the_line_that_is_waited_for():
    lines = [f"sweep: {percent} %, loss 6" for percent in (0, 12, 25, 60)]
    code = f"import time\nfor line in {lines}:\n print(line, flush=True); time.sleep(1)"
    done = child(code).run(until=gpu_check._far_enough)
    assert done.code == -9
    assert [line for _, line in done.lines] == lines[:3]
    assert done.at(gpu_check.PROGRESS) < 5


@pytest.fixture
def project(tmp_path):
    (tmp_path / gpu_check.SECTION).write_text("{}")
    return tmp_path


def test_a_part_that_fails_is_named_and_stops_no_other(project, monkeypatch, capsys):
    def broken(self):
        yield gpu_check.Figure("sweep", "seconds", 5, "<= 60", True)
        raise KeyError("budgets")

    monkeypatch.setattr(gpu_check.Check, "sweep", broken)
    monkeypatch.setattr(
        gpu_check.Check,
        "cases",
        lambda self: [gpu_check.Figure("cases", "MFU", "31 %", ">= 30 %", True)],
    )
    code = gpu_check.main(
        ["--project", str(project), "--toy", "--parts", "sweep,cases"]
    )
    printed = capsys.readouterr().out.splitlines()
    figures = json.loads(printed[-1])["figures"]
    assert code == 1
    assert [figure["holds"] for figure in figures] == [True, False, True]
    assert any("KeyError" in line and "MISSES" in line for line in printed)


def test_two_groups_a_card_are_asked_for_and_held_to_the_losses_of_the_sweep(
    tmp_path, monkeypatch
):
    """Stand-in sweeps: each writes what its environment says."""
    code = (
        "import json, os, pathlib; runs = pathlib.Path('data/sweep/runs');"
        " runs.mkdir(parents=True); loss = {} + float(os.environ.get('ASSAY_GROUPS_PER_CARD', 0));"
        " run = dict(trunk_id='t', result=dict(budgets=[dict(held_out=loss)]));"
        " (runs / 't.json').write_text(json.dumps(run))"
    )

    def figures(first, shared):
        work = tmp_path / f"{first}{shared}"
        for name in ("first", "shared"):
            (work / name).mkdir(parents=True)
        check = gpu_check.Check(tmp_path, work, "cpu", None)
        losses = {"first": first, "shared": shared}
        monkeypatch.setattr(
            gpu_check.Check,
            "_sweep",
            lambda self, name: (
                [sys.executable, "-c", code.format(losses[name])],
                30,
                work / name,
            ),
        )
        list(check.sweep())
        return [figure.holds for figure in check.shared()]

    assert figures(first=5, shared=3) == [True, True]
    assert figures(first=5, shared=4) == [True, False]
    assert not set(gpu_check.NAMED_S) & set(gpu_check.LIMITS_S)


def test_all_parts_together_end_in_eight_minutes():
    assert sum(gpu_check.LIMITS_S.values()) <= 480


def test_two_sweeps_are_as_far_apart_as_their_farthest_loss(tmp_path):
    for name, losses in (("one", (4.0, 5.0)), ("other", (4.0, 5.5))):
        runs = tmp_path / name / "data/sweep/runs"
        runs.mkdir(parents=True)
        for number, loss in enumerate(losses):
            held_out = {"news": {"loss_nats": loss}}
            result = {"budgets": [{"held_out": held_out}]}
            run = {"trunk_id": str(number), "result": result}
            (runs / f"{number}.json").write_text(json.dumps(run))
    apart = gpu_check._apart(tmp_path / "one", tmp_path / "other")
    assert apart == pytest.approx(abs(5.0 / 5.5 - 1))


def test_cases_are_held_to_what_is_asked():
    row = {"tokens_per_second": 4.0, "mfu": 0.2, "peak_bytes": 100}
    case = {
        "ways": {
            "ours, 64 at once": row,
            "plain loop, one at a time": row | {"tokens_per_second": 1.0},
        },
        "times": 3.0,
        "goal_mfu": 0.35,
        "planned_bytes": 120,
    }
    found = {
        figure.name: figure.holds
        for figure in gpu_check._case_figures({"64 x 10M": case})
    }
    assert found == {
        "64 x 10M: MFU": False,
        "64 x 10M: times the plain loop": True,
        "64 x 10M: planned over seen memory": False,
    }
