"""A sweep from its plan to its files, with one worker and over cards that are made up; what a full disk leaves."""

import logging
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stages.foundation.errors import InputError
from stages.foundation.files import read_json, whole_file, write_json
from stages.proxy.heldout.evaluate import HeldOut
from stages.proxy.network.graphs import UNRECORDED
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.proxy.training.data import ProxyData
from stages.proxy.workforce import gpus, kinds, lease
from stages.proxy.workforce.kinds import Kind, kind_of
from stages.proxy.workforce.lease import device_lease
from stages.proxy.workforce.probe import Candidate
from stages.runs.run_files import RUNS
from stages.sweeping import known_kinds, train_trunks


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
        RUNS / known_kinds.PROBES,
        {
            "sweep": known_kinds.sweep_id(sweep[0]),
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


def test_steps_that_could_not_be_recorded_are_told_with_the_first_run_that_ends(
    sweep, monkeypatch, caplog
):
    """Not only when the whole sweep has taken so long; the others are counted at its end."""
    train_here, said = train_trunks.Workers.train, []

    def unrecorded(self, groups, *, on_result, **how):
        def noted(result):
            note = f"{UNRECORDED}: a CUDA graph could not be recorded (why)"
            on_result(replace(result, notes=(*result.notes, note)))
            said.append([line for line in caplog.messages if "(why)" in line])

        return train_here(self, groups, on_result=noted, **how)

    monkeypatch.setattr(train_trunks.Workers, "train", unrecorded)
    train_trunks.train(*sweep, "cpu")
    assert (
        said[0]
        == said[-1]
        == [
            "sweep: runs take three to eight times as long as they need: steps are started"
            " one by one: a CUDA graph could not be recorded (why)"
        ]
    )
    assert "sweep: 3 runs took their steps one by one" in caplog.messages


@pytest.fixture
def two_cards(tmp_path, monkeypatch):
    """A machine with two cards, whose workers train on the processor; what each worker was shown."""
    monkeypatch.setattr(lease, "lease_folder", lambda: tmp_path)
    monkeypatch.setattr(gpus, "gpu_names", lambda: ["a", "b"])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: None)
    monkeypatch.setattr(kinds, "available_bytes", lambda device: 80 * 10**9)
    cuda = torch.device("cuda"), torch.bfloat16, "device cuda (made up)"
    monkeypatch.setattr(train_trunks, "choose_device", lambda *asked: cuda)
    card = SimpleNamespace(
        name="NVIDIA H200", total_memory=80 * 10**9, major=9, minor=0
    )
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: card)
    shown = []
    start = gpus.Workers

    def started(data, n_workers, environments, **options):
        shown.extend(each["CUDA_VISIBLE_DEVICES"] for each in environments)
        return start(data, n_workers, environments, **options)

    monkeypatch.setattr(gpus, "Workers", started)
    return shown


def test_a_sweep_on_two_cards_is_the_same_to_the_bit_when_one_of_them_is_taken(
    sweep, two_cards, caplog
):
    caplog.set_level(logging.INFO, "assay")
    train_trunks.train(*sweep, "cpu")
    assert two_cards == ["GPU-a", "GPU-b"]
    assert any("on 2 processes on 2 cards" in line for line in caplog.messages)
    assert any("sweep: attention by " in line for line in caplog.messages)
    assert any(line.startswith("sweep: 100 %") for line in caplog.messages)
    both = results()
    assert len(both) == 3
    for file in RUNS.glob("t*.json"):
        file.unlink()
    two_cards.clear()
    with device_lease(["a"]):
        train_trunks.train(*sweep, "cpu")
    assert two_cards == [] and results() == both
    assert any("on one process on the GPU" in line for line in caplog.messages)


def test_groups_that_share_a_card_are_asked_for_by_the_machine_and_change_no_run(
    sweep, two_cards, monkeypatch
):
    trunks, data = sweep
    before = train_trunks.missing_work(*sweep, "cpu").headers
    monkeypatch.setenv("ASSAY_GROUPS_PER_CARD", "2")
    with device_lease(["b"]):
        train_trunks.train(trunks, data, "cpu")
    assert two_cards == ["GPU-a", "GPU-a"] and len(results()) == 3
    work = train_trunks.missing_work(*sweep, "cpu")
    assert work.groups == [] and work.headers == before
    assert read_json(RUNS / known_kinds.PROBES)["per_card"] == 2


def test_memory_is_counted_anew_where_a_card_is_shared_by_more(
    sweep, two_cards, monkeypatch
):
    monkeypatch.setattr(kinds, "available_bytes", lambda device: 2 * 10**9)
    train_trunks.missing_work(*sweep, "cpu")
    [whole] = read_json(RUNS / known_kinds.PROBES)["kinds"].values()
    monkeypatch.setenv("ASSAY_GROUPS_PER_CARD", "2")
    train_trunks.missing_work(*sweep, "cpu")
    [half] = read_json(RUNS / known_kinds.PROBES)["kinds"].values()
    assert half["most"] < whole["most"]


def test_processes_for_who_hands_out_groups(sweep, two_cards, monkeypatch):
    """One a card, as many as there are groups and as were asked for; None is this process."""
    held = gpus.Cards(["a", "b"], [])
    work = train_trunks.missing_work(*sweep, "cpu", cards=held)
    assert [env and env["CUDA_VISIBLE_DEVICES"] for env in work.environments()] == [
        "GPU-a",
        "GPU-b",
    ]
    assert work.environments(1) == [None]
    alone = train_trunks.missing_work(*sweep, "cpu", cards=gpus.Cards(["a"], []))
    assert alone.environments() == [None]
    monkeypatch.setattr(train_trunks, "is_large", lambda spec: True)
    assert work.environments() == [None], "a large run takes both cards"
