"""Recorded steps with a stand-in for the recorder: numbers of each step reach it, failures are
told, and nothing is lost.
"""

import pytest
import torch

from stages.proxy.network.engine import AutogradEngine
from stages.proxy.network.graphs import WARM_STEPS, GraphedStep, PlainStep, step_runner
from stages.proxy.training.train import Trainer, train_group


def stand_in(step):
    """As CUDA's: recording runs nothing; a replay runs the same function, on the tensors it was
    made with, into one loss.
    """
    loss = torch.zeros(2)
    return lambda: loss.copy_(step()), loss


def refusing(step):
    raise RuntimeError("operation not permitted when stream is capturing\nmore")


@pytest.fixture
def recorded(monkeypatch):
    """recorded(recorder) makes every run on CPU take recorded steps."""

    def by(recorder):
        made = []

        def runner(engine, optimiser, note, graphs=True):
            plain = AutogradEngine(engine.weights, z_loss=engine.z_loss)
            made.append(
                GraphedStep(plain, optimiser, note, recorder)
                if graphs
                else PlainStep(plain, optimiser)
            )
            return made[-1]

        monkeypatch.setattr("stages.proxy.training.train.step_runner", runner)
        return made

    return by


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dropout": 0.2, "base_width": 8, "schedule": "wsd_s", "z_loss": 1e-3},
        {"decay_arm": "half"},
    ],
)
def test_replays_see_the_batch_rate_and_step_of_their_time(
    data, make_spec, recorded, options
):
    """Over branches that return to the trunk, and over several learning rates."""
    specs = [make_spec(seed=seed, lr=0.01 * seed, **options) for seed in (1, 2)]
    made = recorded(stand_in)
    replayed = train_group(specs, data, device="cpu", curve_every=1)
    assert made[0].n_plain == WARM_STEPS and made[0]._replay
    plain = train_group(specs, data, device="cpu", curve_every=1, graphs=False)
    for a, b in zip(plain, replayed, strict=True):
        assert a.curve["loss_nats"] == pytest.approx(b.curve["loss_nats"], rel=1e-4)
        assert [x.held_out["held"].loss_nats for x in a.budgets] == pytest.approx(
            [x.held_out["held"].loss_nats for x in b.budgets], rel=1e-4
        )


def test_a_killed_run_goes_on_recorded(data, make_spec, recorded, tmp_path):
    recorded(stand_in)
    specs = [make_spec(seed=seed, dropout=0.1) for seed in (1, 2)]
    whole = train_group(specs, data, device="cpu")

    def stop(step):
        if step == 17:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_group(
            specs,
            data,
            device="cpu",
            checkpoint=tmp_path / "c.pt",
            checkpoint_every_steps=8,
            on_step=stop,
        )
    again = train_group(specs, data, device="cpu", checkpoint=tmp_path / "c.pt")
    assert again[1].budgets[-1].held_out["held"].loss_nats == pytest.approx(
        whole[1].budgets[-1].held_out["held"].loss_nats, rel=1e-5
    )


def test_a_recording_that_fails_leaves_plain_steps_and_a_note(
    data, make_spec, recorded
):
    specs = [make_spec(seed=seed) for seed in (1, 2)]
    made = recorded(refusing)
    failed = train_group(specs, data, device="cpu", curve_every=1)
    assert (
        "steps are started one by one: a CUDA graph could not be recorded"
        " (RuntimeError: operation not permitted when stream is capturing)"
        in failed[0].notes
    )
    assert made[0].failed and not made[0]._replay
    plain = train_group(specs, data, device="cpu", curve_every=1, graphs=False)
    assert failed[0].curve["loss_nats"] == plain[0].curve["loss_nats"]


def test_experts_are_never_recorded(data, make_spec, recorded):
    shape = make_spec().shape.with_experts(2, 1)
    recorded(refusing)
    [result] = train_group(
        [make_spec(shape=shape, budgets_tokens=(1280,))], data, device="cpu"
    )
    assert not [note for note in result.notes if "recorded" in note]


def test_a_cpu_takes_plain_steps(data, make_spec):
    trainer = Trainer([make_spec()], data, "cpu")
    assert isinstance(trainer.train_step, PlainStep)
    assert isinstance(
        step_runner(AutogradEngine(trainer.weights), trainer.optimiser, print),
        PlainStep,
    )
