"""The loop of `assay run --until`, with stages that write records of known P(best)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.commands.project.until import (
    Until,
    add,
    follow,
    require_target,
    until_of,
)
from stages.decision.record import NextRun, read_decision
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.settings.params import load_params
from stages.settings.sweep import AddedRun

# 24,576 parameters, 655,360 tokens, four resamples
COST = 4 * 6 * 24_576 * 655_360.0
ADDED = {"arm": "keep_50", "size": "25k", "tokens": 655_360, "weight_decay": 1.0, "dropout": 0.0}  # fmt: skip


def advised(**changes):
    usual = {
        "arm": "keep_50",
        "n_params": 24_576,
        "n_tokens_seen": 655_360,
        "flops": COST,
        "n_runs": 4,
        "weight_decay": 1.0,
        "dropout": 0.0,
        "p_best": (0.6, 0.7),
        "variance_removed": 0.1,
        "settles": ("keep_50", "keep_20", 2e11),
        "text": "Train keep_50 once more.",
    }
    return NextRun(**usual | changes)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the demo's parameters; project([(P(best), run, dropped), ...]) gives `bring`, whose rounds say
    these in turn, and lists what it was asked for.
    """
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    known = read_decision(ROOT / artefacts.decision("filter"))
    Path(artefacts.DECISIONS).mkdir(parents=True)

    def made(rounds):
        asked, left = [], list(rounds)

        def bring(upto=""):
            asked.append((upto, len(written())))
            p_best, run, dropped = left.pop(0)
            targets = [
                each.model_copy(
                    update={"best": "keep_50", "p_best": {"keep_50": p_best}}
                )
                for each in known.targets
            ]
            record = known.model_copy(
                update={
                    "targets": targets,
                    "next_run": run,
                    "dropped": dropped,
                    "sureness": None,
                }
            )
            record.write(artefacts.decision("filter"))
            return 0

        return bring, asked

    return made


def written():
    return yaml.safe_load(Path("params.yaml").read_text())["sweep"].get("added", [])


def test_it_adds_trains_and_decides_until_it_is_sure(project, capsys):
    bring, asked = project(
        [
            (0.6, advised(), {}),
            (0.8, advised(arm="keep_20"), {}),
            (0.96, None, {"keep_10": 1e-7}),
        ]
    )
    assert follow(Path("params.yaml"), Until(0.9, 1e13), bring) == 0
    assert asked == [("decide", 0), ("decide", 1), ("decide", 2)]
    assert written() == [ADDED, ADDED | {"arm": "keep_20"}]
    assert "# yours: " in Path("params.yaml").read_text()
    assert load_params("params.yaml", PIPELINE)["sweep"].added[0].tokens == 655_360
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == (
        "round 1: keep_50, 24,576 parameters, 655,360 tokens, 4 runs, 3.87e+11 FLOPs:"
        " filter: keep_50, P(best) 0.600 before, 0.800 after"
    )
    assert second.endswith("P(best) 0.800 before, 0.960 after; dropped: keep_10")
    # looked at more than once, .9 needs .95
    assert last == "until: P(best) at the target is filter 0.960, at least 0.95"


def test_the_less_sure_of_two_readings_counts(project, capsys):
    bring, _ = project([(0.97, None, {})])

    def doubting(upto):
        code = bring(upto)
        file = artefacts.decision("filter")
        read_decision(file).model_copy(update={"sureness": 0.85}).write(file)
        return code

    follow(Path("params.yaml"), Until(0.9, 1e13), doubting)
    assert (
        "P(best) at the target is filter 0.850, wanted 0.9" in capsys.readouterr().out
    )


def test_the_first_look_needs_the_goal_itself_and_later_ones_more(project, capsys):
    bring, asked = project([(0.92, advised(), {})])
    follow(Path("params.yaml"), Until(0.9, 1e13), bring)
    assert written() == [] and len(asked) == 1
    bring, _ = project([(0.89, advised(), {}), (0.92, None, {})])
    follow(Path("params.yaml"), Until(0.9, 1e13), bring)
    assert len(written()) == 1
    assert "no run of these sizes and budgets would" in capsys.readouterr().out


def test_what_was_added_before_counts_and_is_gone_on_with(project, capsys):
    """As after a kill: one run stands in the file, its FLOPs leave too little for another."""
    bring, asked = project([(0.6, advised(), {})])
    add(Path("params.yaml"), [AddedRun(**ADDED)])
    assert follow(Path("params.yaml"), Until(0.9, 1.5 * COST), bring) == 0
    assert asked == [("decide", 1)] and written() == [ADDED]
    assert capsys.readouterr().out == (
        "until: 2.9e+11 of 5.8e+11 FLOPs are used up and the next run costs 3.87e+11;"
        " P(best) at the target is filter 0.600, wanted 0.95\n"
    )


def test_what_a_killed_start_left_half_written_is_removed(project):
    """A file of the same form whose process lives is its own affair."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = Path(f".params.yaml.{ended.pid}.tmp")
    alive = Path(f".params.yaml.{os.getpid()}.tmp")
    left.write_text("sweep: {ad")
    alive.write_text("")
    bring, _ = project([(0.99, None, {})])
    assert follow(Path("params.yaml"), Until(0.9, 1e13), bring) == 0
    assert alive.is_file() and not left.exists()


def test_a_round_that_fails_ends_it_with_its_code(project):
    def bring(upto):
        return 2

    assert follow(Path("params.yaml"), Until(0.9, 1e13), bring) == 2


def test_a_size_without_a_name_is_no_proxy(project):
    bring, _ = project([(0.6, advised(n_params=24_577), {})])
    with pytest.raises(InputError, match="no proxy of 24,577 parameters"):
        follow(Path("params.yaml"), Until(0.9, 1e13), bring)


@pytest.mark.parametrize(
    ("text", "flops", "why"),
    [
        ("p_best=0.95", None, "belong together"),
        (None, 1e15, "belong together"),
        ("p_best=95", 1e15, "--until p_best=95: must be p_best= and a number"),
        ("p_best=0.4", 1e15, "between 0.5 and 1"),
        ("regret=0.1", 1e15, "--until regret=0.1"),
    ],
)
def test_half_a_goal_or_another_is_refused(text, flops, why):
    with pytest.raises(InputError, match=why):
        until_of(text, flops)


def test_the_goal_is_read():
    assert until_of(None, None) is None
    assert until_of("p_best=0.95", 1e15) == Until(0.95, 1e15)
    assert until_of("p_best=.9", 1e15) == Until(0.9, 1e15)


def test_without_a_target_there_is_nothing_to_be_sure_of(project, tmp_path):
    values = yaml.safe_load(Path("params.yaml").read_text())
    del values["target"]
    Path("params.yaml").write_text(yaml.safe_dump(values))
    params = load_params("params.yaml", PIPELINE)
    with pytest.raises(InputError, match="P\\(best\\) at the target; add a section"):
        require_target(params, Path("params.yaml"))


def test_a_run_of_an_arm_that_is_gone_is_refused_and_not_written(project):
    before = Path("params.yaml").read_text()
    with pytest.raises(InputError, match=r"sweep.added: no arm 'old'; take its runs"):
        add(Path("params.yaml"), [AddedRun(**ADDED | {"arm": "old"})])
    assert Path("params.yaml").read_text() == before
