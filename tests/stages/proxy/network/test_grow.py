"""Growth in depth: what the deep model computes at first, what it costs, and that it resumes."""

import pytest
import torch

from stages.foundation.errors import InputError
from stages.proxy.network.engine import AutogradEngine
from stages.proxy.network.grow import stack_layers
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape
from stages.proxy.training.train import Trainer, train_group

DEEP = Shape(d_model=16, n_layers=4, n_heads=2, context=32, vocab_size=64)
SHALLOW = Shape(d_model=16, n_layers=2, n_heads=2, context=32, vocab_size=64)


@pytest.mark.parametrize("silent", [True, False])
def test_identity_keeps_the_function_and_copy_repeats_the_layers(silent):
    shallow, deep = (
        Weights(SHALLOW, [1, 2], dtype=torch.float64),
        Weights(DEEP, [3, 4], dtype=torch.float64),
    )
    shallow.flat.normal_(generator=torch.Generator().manual_seed(0)).mul_(0.3)
    stack_layers(shallow.flat, SHALLOW, deep.flat, DEEP, silent)
    tokens = torch.randint(
        0, 64, (2, 2, 32), generator=torch.Generator().manual_seed(1)
    )
    same = torch.allclose(
        AutogradEngine(deep).token_losses(*tokens),
        AutogradEngine(shallow).token_losses(*tokens),
        rtol=1e-10,
    )
    assert same == silent
    assert torch.equal(deep.named["3.qkv"], shallow.named["1.qkv"]) and torch.equal(
        deep.named["head"], shallow.named["head"]
    )
    assert deep.named["2.out"].any().item() != silent


@pytest.mark.parametrize("growth", ["copy", "identity"])
def test_a_grown_run_learns_on_and_pays_for_the_layers_it_had(data, make_spec, growth):
    spec = make_spec(
        shape=DEEP,
        grown_from=2,
        growth_tokens=2560,
        growth=growth,
        budgets_tokens=(6400,),
        lr=0.02,
    )
    [result] = train_group([spec], data, device="cpu")
    curve = result.curve["loss_nats"]
    assert curve[-1] < curve[1] - 0.2
    assert result.budgets[0].flops == 6.0 * (
        SHALLOW.n_params * 2560 + DEEP.n_params * (6400 - 2560)
    )
    [note] = [note for note in result.notes if note.startswith("grown")]
    jump = float(note.split()[-2])
    assert (abs(jump) < 1e-4) == (
        growth == "identity"
    ) and "from 2 to 4 layers at 2560 tokens" in note


def flops_of_a_step(weights, batch_tokens, exact):
    """Training operations of one step, counted product by product for the model as it is at that step."""
    shape, total = weights.shape, 0
    for name, (rows, columns) in weights.sizes.items():
        if name == "embedding" or (name == "head" and not exact):
            continue
        # every weight meets every token once
        total += 2 * rows * columns * batch_tokens
    if exact:
        for _ in range(shape.n_layers):
            for position in range(
                shape.context
            ):  # scores and values of each key it sees, itself included
                total += (
                    2
                    * (2 * shape.d_model * (position + 1))
                    * (batch_tokens // shape.context)
                )
    return 3 * total  # forward, and two products backward


def test_operations_of_a_grown_run_are_those_of_its_steps(data, make_spec):
    """Every budget's path is counted step by step; branches of other budgets do not belong to it."""
    spec = make_spec(
        shape=DEEP, grown_from=2, growth_tokens=1024, budgets_tokens=(2560, 5120)
    )
    trainer, counted, at = Trainer([spec], data, "cpu"), [], 0

    def count(step):
        counted.append(
            [
                flops_of_a_step(trainer.weights, spec.batch_tokens, exact)
                for exact in (False, True)
            ]
        )

    trainer.run(on_step=count)
    segments = {}
    for segment in trainer.plan:
        segments[segment] = counted[at : at + segment.n_steps]
        at += segment.n_steps
    for budget in trainer.record.results(1)[0].budgets:
        branch = next(
            segment
            for segment in trainer.plan
            if segment.budget_tokens == budget.budget_tokens
        )
        path = [
            steps
            for segment, steps in segments.items()
            if segment is branch
            or (not segment.budget_tokens and segment.first_step < branch.first_step)
        ]
        sums = [
            sum(step[exact] for steps in path for step in steps) for exact in (0, 1)
        ]
        assert [budget.flops, budget.flops_exact] == sums
        assert budget.flops < 6 * DEEP.n_params * budget.n_tokens_seen


@pytest.mark.parametrize("kill_at", [10, 20, 21, 40])
def test_a_grown_run_resumes_to_the_bit(data, make_spec, tmp_path, kill_at):
    spec = make_spec(
        shape=DEEP, grown_from=2, growth_tokens=2560, budgets_tokens=(5120, 6400)
    )
    [whole] = train_group([spec], data, device="cpu")

    def stop(step):
        if step == kill_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_group(
            [spec],
            data,
            device="cpu",
            checkpoint=tmp_path / "c.pt",
            checkpoint_every_steps=10,
            on_step=stop,
        )
    [resumed] = train_group([spec], data, device="cpu", checkpoint=tmp_path / "c.pt")
    assert (
        resumed.budgets[-1].held_out["held"].loss_nats
        == whole.budgets[-1].held_out["held"].loss_nats
    )
    assert resumed.notes == whole.notes


def test_growth_that_cannot_be_is_refused(make_spec):
    for changes, said in [
        ({"grown_from": 3}, "must divide the 4 layers"),
        ({"growth_tokens": 100}, "whole batches"),
        ({"shape": DEEP.with_experts(2, 1, every=4)}, "whole stretches of 4 layers"),
        ({"growth_tokens": 6400}, "before the first decay"),
        ({"growth": "magic"}, "copy or identity"),
    ]:
        with pytest.raises(InputError, match=said):
            make_spec(
                **(
                    {
                        "shape": DEEP,
                        "grown_from": 2,
                        "growth_tokens": 512,
                        "budgets_tokens": (6400,),
                    }
                    | changes
                )
            )


def test_an_ungrown_trainer_starts_with_the_shape_itself(data, make_spec):
    assert not Trainer([make_spec()], data, "cpu").is_shallow
