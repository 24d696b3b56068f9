"""A sweep from its plan to its files, with one worker; what a full disk leaves."""

import logging

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.foundation.files import read_json, whole_file, write_json
from stages.proxy.heldout.evaluate import HeldOut
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.proxy.training.data import ProxyData
from stages.proxy.workforce.kinds import Kind, kind_of
from stages.proxy.workforce.probe import Candidate
from stages.runs.run_files import RUNS
from stages.sweeping import train_trunks


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_JOBS", "1")
    random = np.random.default_rng(0)
    pack = write_packed(
        tmp_path / "pack",
        ((str(i), random.integers(1, 64, 50), 60) for i in range(40)),
        vocab_size=64,
        eos_id=0,
    )
    specs = [
        RunSpec(
            arm="all/0",
            shape=Shape(16, 1, 1, 32, 64),
            budgets_tokens=(256, 512),
            batch_tokens=128,
            seed=seed,
        )
        for seed in range(3)
    ]
    trunks = [
        {
            "trunk_id": f"t{spec.seed}",
            "arm": "all",
            "control": "",
            "data_hash": "d",
            "code_hash": "c",
            "spec": spec,
        }
        for spec in specs
    ]
    return trunks, ProxyData({"all/0": View(pack, range(40))}, {"held": HeldOut(pack)})


def test_a_sweep_prints_its_plan_writes_a_file_a_run_and_does_nothing_twice(
    sweep, caplog
):
    caplog.set_level(logging.INFO, "assay")
    train_trunks.train(*sweep, "cpu")
    assert sorted(file.name for file in RUNS.glob("t*.json")) == [
        "t0.json",
        "t1.json",
        "t2.json",
    ]
    run = read_json(RUNS / "t1.json")
    assert run["result"]["budgets"][1]["n_tokens_seen"] == 512
    planned = next(line for line in caplog.messages if "core-hours" in line)
    assert planned.startswith("sweep: 3 runs in ")
    assert any(
        line.startswith("sweep: stack ") and "tokens/s by stack 1: " in line
        for line in caplog.messages
    )
    shown = [
        line for line in caplog.messages if " tokens/s, " in line and " left (" in line
    ]
    assert len(shown) >= 2, "each of the two groups ends past a fifth"
    assert shown[-1].startswith("sweep: 100 %")
    assert any(line.startswith("sweep: trained in ") for line in caplog.messages)
    assert "sweep: 0 of 3 runs are done" in caplog.messages
    (RUNS / "t1.json").unlink()
    assert len(train_trunks.missing_work(*sweep, "cpu").groups) == 1
    assert "sweep: 2 of 3 runs are done" in caplog.messages


def test_a_finished_sweep_has_no_work_left(sweep):
    train_trunks.train(*sweep, "cpu")
    assert train_trunks.missing_work(*sweep, "cpu").groups == []


def test_a_kill_between_two_files_of_a_group_changes_no_digit(sweep, monkeypatch):
    spec = sweep[0][0]["spec"]
    # a busy machine may measure that stacks do not pay
    rates = Kind({Candidate(1): 1e5, Candidate(2): 2e5, Candidate(4): 4e5}, most=4)
    write_json(
        RUNS / train_trunks.PROBES,
        {
            "sweep": train_trunks.sweep_id(sweep[0]),
            "kinds": {kind_of(spec, "cpu"): rates.to_dict()},
        },
    )
    train_trunks.train(*sweep, "cpu")
    whole = results()
    for file in RUNS.glob("t*.json"):
        file.unlink()

    save = train_trunks.save_run

    def save_one(header, result, folder):
        save(header, result, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(train_trunks, "save_run", save_one)
    with pytest.raises(KeyboardInterrupt):
        train_trunks.train(*sweep, "cpu")
    monkeypatch.setattr(train_trunks, "save_run", save)
    [first] = RUNS.glob("t*.json")
    written = first.stat().st_mtime_ns
    begun, *_ = train_trunks.missing_work(*sweep, "cpu").groups
    assert len(begun) > 1, "the group of the first file goes on whole"
    train_trunks.train(*sweep, "cpu")
    assert results() == whole
    assert first.stat().st_mtime_ns == written
    assert list(train_trunks.CHECKPOINTS.glob("*.pt")) == []


def results():
    """Held-out losses of every run on disk."""
    return {
        file.stem: [
            budget["held_out"] for budget in read_json(file)["result"]["budgets"]
        ]
        for file in RUNS.glob("t*.json")
    }


def test_a_full_disk_stops_the_sweep_in_one_line_and_keeps_finished_runs(
    sweep, monkeypatch
):
    save, saved = train_trunks.save_run, []

    def save_until_full(header, result, folder):
        saved.append(header["trunk_id"])
        if len(saved) < 3:
            save(header, result, folder)
        else:
            with whole_file(RUNS / "x.json"), open("/dev/full", "w") as file:
                file.write("x" * 100_000)

    monkeypatch.setattr(train_trunks, "save_run", save_until_full)
    with pytest.raises(
        InputError,
        match=(
            r"x\.json cannot be written: No space left on device; make room and run"
            r" again"
        ),
    ):
        train_trunks.train(*sweep, "cpu")
    assert sorted(file.stem for file in RUNS.glob("t*.json")) == sorted(saved[:2])
    [[left]] = train_trunks.missing_work(*sweep, "cpu").groups
    assert f"t{left.seed}" == saved[2]
