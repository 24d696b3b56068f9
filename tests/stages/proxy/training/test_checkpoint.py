"""Runs killed at random steps and resumed must end in the same bits."""

import json
import random

import pytest
import torch

from stages.foundation.errors import InputError
from stages.proxy.training.train import train_group


class Killed(Exception):
    pass


def kill_at(step):
    def on_step(done):
        if done == step:
            raise Killed

    return on_step


def bits(results):
    """All numbers of results apart from the clock."""
    values = [result.to_dict() for result in results]
    for value in values:
        value.pop("seconds")
        for budget in value["budgets"]:
            budget.pop("seconds")
    return json.dumps(values)


@pytest.fixture(scope="module")
def specs(make_spec):
    return [make_spec(dropout=0.1), make_spec(arm="half", seed=2, lr=0.006)]


@pytest.fixture(scope="module")
def expected(specs, data):
    return bits(train_group(specs, data))


# trunk to 0.8 x 50, then 20 % of 10, 20 and 50
N_STEPS = 40 + 10 // 5 + 20 // 5 + 50 // 5


@pytest.mark.parametrize("attempt", range(10))
def test_killed_and_resumed_ends_in_the_same_bits(
    specs, data, expected, tmp_path, attempt
):
    chance, path = random.Random(attempt), tmp_path / "run.pt"
    for step in sorted(chance.sample(range(14, N_STEPS + 1), 2)):
        with pytest.raises(Killed):
            train_group(
                specs,
                data,
                checkpoint=path,
                checkpoint_every_steps=chance.randint(1, 12),
                on_step=kill_at(step),
            )
    assert path.exists()
    assert bits(train_group(specs, data, checkpoint=path)) == expected
    assert list(tmp_path.iterdir()) == [path]
    steps = []
    assert (
        bits(train_group(specs, data, checkpoint=path, on_step=steps.append))
        == expected
    )
    assert steps == [], (
        "killed before its results were safe, a finished group gives them without"
        " training"
    )


@pytest.mark.parametrize("step", [8, 9, 10, N_STEPS])
def test_killed_on_the_edges_of_a_branch(specs, data, expected, tmp_path, step):
    path = tmp_path / "run.pt"
    with pytest.raises(Killed):
        train_group(
            specs,
            data,
            checkpoint=path,
            checkpoint_every_steps=1,
            on_step=kill_at(step),
        )
    assert bits(train_group(specs, data, checkpoint=path)) == expected


def test_a_resumed_run_repeats_no_step(specs, data, tmp_path):
    path, steps = tmp_path / "run.pt", []
    with pytest.raises(Killed):
        train_group(
            specs, data, checkpoint=path, checkpoint_every_steps=1, on_step=kill_at(30)
        )
    train_group(specs, data, checkpoint=path, on_step=steps.append)
    assert steps == list(range(31, N_STEPS + 1))


def test_a_checkpoint_of_other_specs_or_a_broken_one_is_refused(specs, data, tmp_path):
    path = tmp_path / "run.pt"
    with pytest.raises(Killed):
        train_group(
            specs, data, checkpoint=path, checkpoint_every_steps=1, on_step=kill_at(3)
        )
    with pytest.raises(InputError, match="belongs to other specs or data; delete it"):
        train_group(specs[:1], data, checkpoint=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read"):
        train_group(specs, data, checkpoint=path)


def test_seconds_decide_when_steps_do_not(specs, data, tmp_path):
    path = tmp_path / "run.pt"
    with pytest.raises(Killed):
        train_group(
            specs, data, checkpoint=path, checkpoint_every_s=0, on_step=kill_at(2)
        )
    assert path.exists()
    path.unlink()
    with pytest.raises(Killed):
        train_group(
            specs, data, checkpoint=path, checkpoint_every_s=3600, on_step=kill_at(2)
        )
    assert not path.exists()


def test_a_full_disk_costs_a_note_and_no_run(
    specs, data, expected, tmp_path, monkeypatch
):
    save = torch.save
    monkeypatch.setattr(torch, "save", lambda state, path: save(state, "/dev/full"))
    results = train_group(
        specs, data, checkpoint=tmp_path / "run.pt", checkpoint_every_steps=5
    )
    for result in results:
        assert len(result.notes) == 2
        assert result.notes[1].startswith(
            "checkpoint run.pt was not written (RuntimeError: "
        )
        object.__setattr__(result, "notes", result.notes[:1])
    assert bits(results) == expected
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "wsd_s"},
        {"schedule": "cosine"},
        {"schedule": "constant"},
        {
            "decay_arm": "half",
            "z_loss": 1e-3,
            "base_width": 8,
            "base_depth": 1,
            "unique_tokens": 1500,
        },
    ],
)
def test_every_option_resumes_to_the_same_bits(make_spec, data, tmp_path, options):
    specs, path = (
        [make_spec(**options), make_spec(seed=4, lr=0.005, **options)],
        tmp_path / "run.pt",
    )
    whole = bits(train_group(specs, data))
    for step in (9, 30):
        with pytest.raises(Killed):
            train_group(
                specs,
                data,
                checkpoint=path,
                checkpoint_every_steps=1,
                on_step=kill_at(step),
            )
    assert bits(train_group(specs, data, checkpoint=path)) == whole
