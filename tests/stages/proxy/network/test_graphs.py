"""Recorded steps with a stand-in for the recorder: numbers of each step reach it, failures are
told, and nothing is lost. The strict stand-in refuses what CUDA refuses.
"""

import gc
import weakref
from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from stages.proxy.network import compiled, engine
from stages.proxy.network.adamw import AdamW
from stages.proxy.network.answers import IGNORED
from stages.proxy.network.device import card_is_quiet
from stages.proxy.network.engine import AutogradEngine
from stages.proxy.network.graphs import WARM_STEPS, GraphedStep, PlainStep, step_runner
from stages.proxy.network.model import Weights
from stages.proxy.training.train import Trainer, train_group


def stand_in(step):
    """As CUDA's: recording runs nothing; a replay runs the same function, on the tensors it was
    made with, into one loss.
    """
    loss = torch.zeros(len(step.__self__.optimiser.weights.flat))
    return lambda: loss.copy_(step()), loss


class NoWaiting(TorchDispatchMode):
    """Refuses what makes the host wait for a number of the card."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2")

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function._schema.name.removeprefix("aten::") in self.WAITING:
            raise RuntimeError(f"{function} waits for the card while it is recorded")
        return function(*args, **(kwargs or {}))


def strict(step):
    """Runs the step once under CUDA's rules and takes its effect back: recording runs no kernel.

    What waits is looked for in plain steps alone, since torch compiles anew under another mode.
    """
    assert card_is_quiet.locked(), "another thread may allocate meanwhile"
    owner = step.__self__
    before = owner.optimiser.state()
    with nullcontext() if owner.plain.engine.compiled else NoWaiting():
        step()
    owner.optimiser.load(before)
    return stand_in(step)


def refusing(step):
    raise RuntimeError("operation not permitted when stream is capturing\nmore")


@pytest.fixture
def recorded(monkeypatch):
    """recorded(recorder) makes every run on CPU take recorded steps."""

    def by(recorder, compiled=False):
        made = []

        def runner(engine, optimiser, note, graphs=True):
            plain = AutogradEngine(
                engine.weights,
                compiled=compiled,
                z_loss=engine.z_loss,
                eos_id=getattr(engine, "eos_id", None),
            )
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


def test_memory_of_a_group_is_free_when_the_next_one_begins(data, make_spec, recorded):
    """Without waiting for the collector of cycles: a card has no room for two."""
    recorded(stand_in)
    trainer = Trainer([make_spec()], data, "cpu")
    trainer.run()
    gc.collect()
    gc.disable()
    try:
        alive = weakref.ref(trainer)
        del trainer
        assert alive() is None
    finally:
        gc.enable()


@pytest.fixture
def quick_programs(monkeypatch):
    """Compiled programs that run as they are traced."""
    torch._dynamo.reset()
    compiled.program.cache_clear()
    monkeypatch.setattr(
        engine, "program", lambda function: compiled.program(function, "eager")
    )
    yield
    compiled.program.cache_clear()
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore")  # torch's own while tracing
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dropout": 0.2, "schedule": "wsd_s", "z_loss": 1e-3},
        {"decay_arm": "half", "documents_apart": True},
        {"grown_from": 1, "growth_tokens": 640},
    ],
)
@pytest.mark.parametrize(("n_runs", "compiles"), [(1, True), (2, True), (2, False)])
def test_a_real_run_keeps_the_rules_of_recording(
    data, make_spec, recorded, quick_programs, options, n_runs, compiles
):
    """Fed from a pool as in a sweep, compiled; grown models are recorded anew."""
    specs = [make_spec(seed=seed, **options) for seed in range(n_runs)]
    made = recorded(strict, compiled=compiles)
    found = train_group(specs, data, device="cpu", curve_every=1)
    assert not [note for note in found[0].notes if "recorded" in note]
    assert len(made) == (2 if "grown_from" in options else 1)
    assert all(step._replay for step in made[-1:])


@pytest.mark.filterwarnings("ignore")
def test_a_compile_inside_a_recording_is_named(
    data, make_spec, recorded, quick_programs, monkeypatch
):
    """What was seen on a card: batches are windows of a feed, the tensors that stay in place are not."""
    monkeypatch.setattr(engine, "dense", lambda tensor: tensor)
    specs = [make_spec(seed=seed) for seed in (1, 2)]
    made = recorded(strict, compiled=True)
    found = train_group(specs, data, device="cpu")
    assert made[0].failed
    assert [note for note in found[0].notes if "Detected recompile" in note]


def test_a_number_that_the_host_waits_for_is_refused(
    data, make_spec, recorded, monkeypatch
):
    waits = AutogradEngine.step_loss

    def step_loss(self, *batch):
        loss = waits(self, *batch)
        float(loss.sum())
        return loss

    monkeypatch.setattr(AutogradEngine, "step_loss", step_loss)
    made = recorded(strict)
    train_group([make_spec(), make_spec(seed=2)], data, device="cpu")
    assert made[0].failed


@pytest.mark.parametrize("n_runs", [1, 2])
def test_losses_of_answers_alone_keep_the_rules_of_recording(make_spec, n_runs):
    weights = Weights(make_spec().shape, range(n_runs))
    optimiser = AdamW(weights, [0.01] * n_runs, [0.1] * n_runs)
    plain = AutogradEngine(weights, answer_only=True)
    notes = []
    step = GraphedStep(plain, optimiser, notes.append, strict)
    batches = torch.randint(0, 64, (2, n_runs, 4, 32))
    batches[1, :, :, :9] = IGNORED
    losses = [step(*batches, None, 1.0).clone() for _ in range(WARM_STEPS + 3)]
    assert step._replay and not notes
    assert (losses[-1] < losses[0]).all()


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
