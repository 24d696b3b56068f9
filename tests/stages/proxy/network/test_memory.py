import pytest
import torch

from stages.proxy.network.memory import available_bytes, runs_that_fit, training_bytes
from stages.proxy.specs.shape import Shape
from stages.proxy.training.train import Trainer

SHAPE = Shape.named("25k")


def n_bytes(*tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def test_the_estimate_holds_what_a_group_in_training_keeps(make_spec, data):
    """In the middle of a branch with a checkpoint made: short only of the held-out buffers, which
    are as large as those of training.
    """
    specs = [make_spec(seed=seed) for seed in range(4)]
    trainer = Trainer(specs, data, "cpu")

    def stop(step):
        if step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.run(on_step=stop)
    state, weights, optimiser = trainer.state(), trainer.weights, trainer.optimiser
    buffers = [
        part
        for value in vars(trainer.engine._buffers).values()
        for part in (value if isinstance(value, list) else [value])
    ]
    copies = [
        part
        for saved in (state["optimiser"], state["place"]["trunk"])
        for part in saved.values()
        if isinstance(part, torch.Tensor)
    ]
    kept = n_bytes(
        weights.flat,
        weights.grad,
        optimiser.first,
        optimiser.second,
        optimiser._work,
        *copies,
    )
    kept += 2 * n_bytes(*(part for part in buffers if isinstance(part, torch.Tensor)))
    assert kept == training_bytes(specs[0].shape, specs[0].batch_tokens, 4)
    assert available_bytes() > kept


def test_bytes_grow_with_runs_batch_and_dropout():
    one = training_bytes(SHAPE, 512, 1)
    assert 1.8 * one < training_bytes(SHAPE, 512, 2) < 2.1 * one
    assert training_bytes(SHAPE, 1024, 1) > one
    assert training_bytes(SHAPE, 512, 1, dropout=True) > one
    assert training_bytes(SHAPE, 512, 1, "cuda") > 0


@pytest.mark.parametrize("n_runs", [1, 4, 64])
def test_runs_that_fit_is_the_largest_power_of_two(n_runs):
    needed = training_bytes(SHAPE, 512, n_runs)
    assert runs_that_fit(SHAPE, 512, n_bytes=needed) == n_runs
    assert runs_that_fit(SHAPE, 512, n_bytes=needed - 1) == n_runs // 2
