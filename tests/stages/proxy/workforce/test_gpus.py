"""Groups over cards that are made up: who sees which card, who waits, and that results are those of one process."""

import os
import sys
import threading
from pathlib import Path

import pytest
import torch

from stages.foundation.errors import InputError, RefusedError
from stages.proxy.specs.stack import stacks
from stages.proxy.training.train import train_group
from stages.proxy.workforce import gpus, lease
from stages.proxy.workforce.gpus import (
    check_seen,
    gpus_held,
    train_on_gpus,
    visible,
    worker_environments,
)
from stages.proxy.workforce.lease import device_lease
from tests.stages.proxy.workforce.test_workers import (
    by_seed,
    kill_worker_once,
    worker_pids,
)

A, B, C = "8932f937-d72c", "0a1b2c3d-0001", "ffee0011-0002"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """machine(*names): a machine with these cards, leases of its own; the indices that became this process's device."""
    monkeypatch.setattr(lease, "lease_folder", lambda: tmp_path)
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.01)

    def make(*names):
        chosen = []
        monkeypatch.setattr(gpus, "gpu_names", lambda: list(names))
        monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
        return chosen

    return make


def free(*names):
    """Those of these cards that nobody holds."""
    found = []
    for name in names:
        try:
            with device_lease([name], timeout_s=0):
                found.append(name)
        except InputError:
            pass
    return found


def test_cpu_runs_hold_no_card(make_spec):
    with gpus_held([make_spec()], "cpu") as cards:
        assert cards.names == []


def test_small_runs_hold_the_cards_that_are_free_up_to_what_they_use(
    make_spec, machine
):
    chosen = machine(A, B, C)
    with device_lease([A]), gpus_held([make_spec()], "cuda", most=8) as cards:
        assert cards.names == [B, C] and chosen == [1]
        assert free(A, B, C) == []
        cards.keep(1)
        assert cards.names == [B] and free(A, B, C) == [C]
    assert free(A, B, C) == [A, B, C]
    with gpus_held([make_spec()], "cuda", most=2) as cards:
        assert cards.names == [A, B] and free(C) == [C]
    with gpus_held([make_spec()], "cuda") as cards:
        assert cards.names == [A]


def test_leases_end_with_an_error_too(make_spec, machine):
    machine(A, B)
    with pytest.raises(KeyboardInterrupt), gpus_held([make_spec()], "cuda", most=2):
        raise KeyboardInterrupt
    assert free(A, B) == [A, B]


def test_the_first_card_is_waited_for(make_spec, machine):
    machine(A, B)
    held, let_go = threading.Event(), threading.Event()

    def other():
        with device_lease([A]), device_lease([B]):
            held.set()
            let_go.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(10)
    threading.Timer(0.3, let_go.set).start()
    with gpus_held([make_spec()], "cuda", most=2) as cards:
        assert let_go.is_set() and cards.names
    thread.join()


def test_a_large_run_holds_every_card(make_spec, machine, monkeypatch):
    machine(B, A)
    monkeypatch.setattr(gpus, "is_large", lambda spec: True)
    with gpus_held([make_spec()], "cuda", most=1) as cards:
        assert cards.names == [B, A] == sorted([A, B])


def test_neighbouring_workers_see_different_cards_by_the_names_that_cuda_takes():
    """CUDA wants `GPU-` before a UUID, which torch leaves out."""
    assert worker_environments([A, B], 2) == [
        {"CUDA_VISIBLE_DEVICES": f"GPU-{name}"} for name in (A, B, A, B)
    ]
    assert visible(f"GPU-{A}") == f"GPU-{A}" and visible("MIG-1") == "MIG-1"


def test_workers_of_a_single_device_see_what_this_process_sees(monkeypatch):
    """It may be a part of a card, whose name torch does not say."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert worker_environments([A], 2) == [{}, {}]


class Seeing:
    """Workers that answer what they see."""

    def __init__(self, *answers):
        self.answers = answers

    def ask(self, _function):
        return self.answers


def test_a_worker_that_sees_no_card_or_another_is_refused():
    own = worker_environments([A, B])
    check_seen(Seeing([A], [B]), own)
    check_seen(Seeing([A], [A]), [{}, {}])
    with pytest.raises(RefusedError, match=f"card GPU-{B} sees no card; set CUDA"):
        check_seen(Seeing([A], []), own)
    with pytest.raises(RefusedError, match=f"card GPU-{A} sees GPU-{A}, GPU-{B}"):
        check_seen(Seeing([A, B], [B]), own)
    with pytest.raises(RefusedError, match=f"card GPU-{B} sees GPU-{A};"):
        check_seen(Seeing([A], [A]), own)


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def cards_of_workers():
    """CUDA_VISIBLE_DEVICES of each worker process of this one, by process."""
    found = {}
    for pid in worker_pids(os.getpid()):
        lines = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        seen = [line for line in lines if line.startswith("CUDA_VISIBLE_DEVICES=")]
        found[pid] = "".join(seen).partition("=")[2]
    return found


def trained(groups, data, **options):
    """Failures, results, the groups in the order in which they began, and what workers saw at the first result."""
    results, begun, seen = [], [], []

    def keep(result):
        results.append(result)
        seen.append(cards_of_workers())

    def settings(group):
        begun.append(list(group))
        return {}

    failures = train_on_gpus(
        groups, data, on_result=keep, settings=settings, device="cpu", **options
    )
    return failures, results, begun, seen[0]


@pytest.fixture
def groups(make_spec):
    """Of two sizes, the longest in the middle."""
    short = [make_spec(seed=seed, budgets_tokens=(1280,)) for seed in range(4)]
    long = [make_spec(seed=9, budgets_tokens=(128 * 400,))]
    return [*stacks(short[:2], 2), long, *stacks(short[2:], 2)]


def alone(groups, data):
    return by_seed([result for group in groups for result in train_group(group, data)])


@needs_proc
def test_groups_are_spread_over_cards_the_longest_first(groups, data):
    failures, results, begun, seen = trained(groups, data, cards=[A, B], n_gpus=2)
    assert not failures and begun[0] == groups[1]
    assert sorted(seen.values()) == sorted([f"GPU-{A}", f"GPU-{B}"])
    assert by_seed(results) == alone(groups, data)
    assert worker_pids(os.getpid()) == []


@needs_proc
def test_two_groups_share_a_card_in_a_process_each(groups, data):
    _, results, _, seen = trained(groups, data, cards=[A], per_card=2)
    assert list(seen.values()) == [f"GPU-{A}"] * 2
    assert by_seed(results) == alone(groups, data)


@needs_proc
@pytest.mark.parametrize("cards", [[], [A], [A, B]])
def test_one_group_or_one_card_starts_no_process(groups, data, cards):
    several = groups[:1] if len(cards) > 1 else groups
    failures, results, _, seen = trained(several, data, cards=cards)
    assert not failures and seen == {}
    assert by_seed(results) == alone(several, data)


@needs_proc
def test_a_killed_worker_is_replaced_on_its_card_and_its_group_goes_on(
    make_spec, data, tmp_path
):
    """Ends in the same bits, from the checkpoint that the killed process wrote."""
    long = make_spec(seed=50, budgets_tokens=(128 * 600,), dropout=0.1)
    short = make_spec(seed=1, budgets_tokens=(1280,))
    results, seen = [], []

    def keep(result):
        results.append(result)
        seen.append(cards_of_workers())

    killer = threading.Thread(
        target=kill_worker_on, args=(tmp_path / "50.pt", f"GPU-{A}"), daemon=True
    )
    killer.start()
    failures = train_on_gpus(
        [[long], [short]],
        data,
        on_result=keep,
        device="cpu",
        cards=[A, B],
        checkpoint=lambda group: tmp_path / f"{group[0].seed}.pt",
        settings=lambda _group: {"checkpoint_every_steps": 40},
    )
    killer.join()
    assert not failures and by_seed(results) == alone([[long], [short]], data)
    [resumed] = [result for result in results if result.spec == long]
    assert "went on from its last checkpoint" in resumed.notes[-1]
    assert sorted(seen[-1].values()) == sorted([f"GPU-{A}", f"GPU-{B}"])


def kill_worker_on(checkpoint, card):
    kill_worker_once(
        checkpoint,
        of=lambda: [pid for pid, seen in cards_of_workers().items() if seen == card],
    )


def test_large_runs_come_first_on_all_cards(groups, data, monkeypatch):
    large = groups[1]
    order = []

    def on_all(group, data, n_ranks, *, device, sharded, **options):
        order.append((group, n_ranks))
        return train_group(group, data, device=device, notes=options["notes"])

    monkeypatch.setattr(gpus, "train_on_ranks", on_all)
    monkeypatch.setattr(gpus, "is_large", lambda spec, _least: spec == large[0])
    failures, results, begun, _ = trained(groups, data, cards=[A, B], n_gpus=2)
    assert not failures and order == [(large, 2)]
    assert begun[0] == large and sorted(map(len, begun[1:])) == [2, 2]
    assert by_seed(results) == alone(groups, data)
