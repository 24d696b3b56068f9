"""Out of memory halves a group, deaths are forgiven once, and every result is handed on once."""

import pytest
import torch

from stages.proxy.specs.outcome import Outcome, is_out_of_memory
from stages.proxy.training.train import train_group
from stages.proxy.workforce import attempt
from stages.proxy.workforce.backlog import Backlog, train_here


def seeds(results):
    return sorted(result.spec.seed for result in results)


def test_out_of_memory_halves_until_it_fits_and_is_recorded(
    make_spec, data, monkeypatch
):
    def small_machine(group, data, **options):
        if len(group) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return train_group(group, data, **options)

    monkeypatch.setattr(attempt, "train_group", small_machine)
    results = []
    specs = [make_spec(seed=seed, budgets_tokens=(1280,)) for seed in range(5)]
    assert train_here([specs], data, on_result=results.append, device="cpu") == []
    assert seeds(results) == list(range(5))
    assert [
        result.stack_size
        for result in sorted(results, key=lambda result: result.spec.seed)
    ] == [2, 2, 1, 2, 2]
    first = next(result for result in results if result.spec.seed == 0)
    assert first.notes[1:] == (
        "out of memory with 5 runs stacked; trained as 3 and 2",
        "out of memory with 3 runs stacked; trained as 2 and 1",
    )
    alone = train_group([specs[0]], data)[0]
    assert first.budgets[0].held_out["held"].loss_nats == pytest.approx(
        alone.budgets[0].held_out["held"].loss_nats, rel=1e-4
    )


def test_one_run_that_does_not_fit_fails_in_one_line_and_the_others_go_on(
    make_spec, data, monkeypatch
):
    def tiny_machine(group, data, **options):
        if any(spec.seed == 1 for spec in group):
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't"
                " allocate memory: you tried to allocate 9 bytes"
            )
        return train_group(group, data, **options)

    monkeypatch.setattr(attempt, "train_group", tiny_machine)
    results = []
    specs = [make_spec(seed=seed, budgets_tokens=(1280,)) for seed in range(3)]
    [failure] = train_here([specs], data, on_result=results.append, device="cpu")
    assert seeds(results) == [0, 2]
    assert failure.specs == (specs[1],)
    assert failure.message.startswith(
        "run of arm 'all' seed 1 (d_model 16) failed: RuntimeError: [enforce fail"
    )
    assert failure.message.endswith("; lower batch_tokens or the size of the model")
    assert "\n" not in failure.message


def test_a_death_is_forgiven_once_then_the_group_is_halved_then_given_up(make_spec):
    backlog = Backlog([[make_spec(seed=0), make_spec(seed=1)]])
    backlog.died(backlog.take(), "was killed by signal 9")
    again = backlog.take()
    assert [spec.seed for spec in again.group] == [0, 1]
    assert again.notes == (
        "its worker was killed by signal 9; went on from its last checkpoint",
    )
    backlog.died(again, "was killed by signal 9")
    assert [[spec.seed for spec in job.group] for job in backlog.waiting] == [[0], [1]]
    assert (
        backlog.waiting[0].notes[-1]
        == "its worker was killed by signal 9 with 2 runs stacked; trained as 1 and 1"
    )
    for _ in range(2):
        backlog.died(backlog.take(), "ended with code 1")
    assert (
        backlog.failures[0].message
        == "run of arm 'all' seed 0 (d_model 16) gave no result: its worker ended with"
        " code 1, 2 times; run again to retrain it"
    )


def test_a_checkpoint_lives_until_every_result_is_handed_on(make_spec, data, tmp_path):
    kept = []
    specs = [make_spec(seed=seed, budgets_tokens=(1280,)) for seed in range(3)]
    path = tmp_path / "group.pt"
    assert (
        train_here(
            [specs],
            data,
            device="cpu",
            on_result=lambda result: kept.append(path.exists()),
            checkpoint=lambda group: path,
        )
        == []
    )
    assert kept == [True, True, True]
    assert not path.exists()


def test_other_failures_are_not_retried(make_spec):
    backlog = Backlog([[make_spec(seed=0), make_spec(seed=1)]])
    backlog.settle(backlog.take(), Outcome(message="no arm"), on_result=pytest.fail)
    assert not backlog.waiting
    assert (
        backlog.failures[0].message
        == "run of arm 'all' seed 0, 'all' seed 1 (d_model 16) failed: no arm"
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_lack_of_memory_is_told_from_other_errors(error, expected):
    assert is_out_of_memory(error) is expected
