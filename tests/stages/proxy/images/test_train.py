"""Stacked image models: the same as each alone, exact in what they read, and able to learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.foundation.errors import InputError
from stages.proxy.images.data import ImageData, Order
from stages.proxy.images.model import ImageWeights, logits, sample_losses
from stages.proxy.images.observe import (
    correct_over_time,
    early,
    gradient_norms,
    out_of_fold,
    pool_features,
    subset_results,
    trained,
)
from stages.proxy.images.spec import ImageShape, ImageSpec
from stages.proxy.images.stack import ImageStack
from stages.proxy.images.train import train_images

MLP = ImageShape("mlp", 12, 2, 1, 6, 6, 3)
RESIDUAL = ImageShape("residual", 4, 1, 1, 6, 6, 3)


def stripes(n, seed):
    """Images of three classes: a bright row, a bright column, or neither, at a random place."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, n)
    pixels = random.normal(0, 0.3, (n, 1, 6, 6))
    for i, place in enumerate(random.integers(0, 6, n)):
        if labels[i] < 2:
            pixels[i, 0][(slice(None),) * labels[i] + (place,)] += 2
    return pixels.astype(np.float32), labels


@pytest.fixture(scope="module")
def data():
    pixels, labels = stripes(300, 0)
    return ImageData(
        pixels,
        labels,
        *stripes(100, 1),
        {"all": np.arange(300), "few": np.arange(0, 300, 10)},
    )


def spec(**changes):
    return ImageSpec(
        **(
            {
                "arm": "all",
                "shape": MLP,
                "budgets_samples": (320, 640),
                "batch_samples": 16,
                "lr": 0.01,
                "warmup_steps": 5,
            }
            | changes
        )
    )


@pytest.mark.parametrize("shape", [MLP, RESIDUAL])
def test_a_stack_gives_what_each_run_gives_alone(data, shape):
    specs = [
        spec(shape=shape, seed=1),
        spec(shape=shape, seed=2, data_seed=5, lr=0.003),
        spec(shape=shape, arm="few", weight_decay=1.0),
    ]
    together = train_images(specs, data, device="cpu")
    for one, stacked in zip(specs, together, strict=True):
        [alone] = train_images([one], data, device="cpu")
        for mine, theirs in zip(stacked.budgets, alone.budgets, strict=True):
            np.testing.assert_allclose(
                mine.sample_loss_nats, theirs.sample_loss_nats, rtol=2e-3, atol=2e-4
            )
        assert stacked.stack_size == 3


@pytest.mark.parametrize("shape", [MLP, RESIDUAL])
def test_models_learn_the_classes(data, shape):
    [result] = train_images(
        [spec(shape=shape, budgets_samples=(6400,))], data, device="cpu"
    )
    assert result.budgets[0].error < 0.12 and not result.budgets[0].diverged


def test_a_budget_is_the_same_with_and_without_other_budgets_and_twice(data):
    [branched] = train_images([spec()], data, device="cpu")
    for place, budget in enumerate((320, 640)):
        [alone] = train_images([spec(budgets_samples=(budget,))], data, device="cpu")
        np.testing.assert_array_equal(
            branched.budgets[place].sample_loss_nats, alone.budgets[0].sample_loss_nats
        )


class Killed(Exception):
    pass


@pytest.mark.parametrize("shape", [MLP, RESIDUAL])
@pytest.mark.parametrize("killed_at", [1, 7, 16, 18, 20, 25, 36, 40])
def test_a_killed_group_goes_on_to_the_same_bits(
    data, tmp_path, monkeypatch, shape, killed_at
):
    """On the trunk, inside a branch and between them: 16 steps of trunk, a branch of 4, 16 of trunk, a branch of 8."""
    specs = [spec(shape=shape, seed=1), spec(shape=shape, arm="few", seed=2)]
    undisturbed = train_images(specs, data, device="cpu")
    calls, alive, step = [], [], ImageStack.step

    def step_or_die(stack, *arguments):
        if len(calls) == killed_at and alive == []:
            raise Killed
        calls.append(arguments)
        return step(stack, *arguments)

    monkeypatch.setattr(ImageStack, "step", step_or_die)
    with pytest.raises(Killed):
        train_images(
            specs,
            data,
            device="cpu",
            checkpoint=tmp_path / "group.pt",
            checkpoint_every_steps=1,
        )
    alive.append(True)
    resumed = train_images(
        specs,
        data,
        device="cpu",
        checkpoint=tmp_path / "group.pt",
        checkpoint_every_steps=1,
    )
    assert len(calls) == 44  # no step was taken twice
    for before, after in zip(undisturbed, resumed, strict=True):
        for one, other in zip(before.budgets, after.budgets, strict=True):
            np.testing.assert_array_equal(one.sample_loss_nats, other.sample_loss_nats)
            np.testing.assert_array_equal(one.correct, other.correct)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_other_data_is_refused(data, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "stages.proxy.images.train._budgets",
        lambda *_, **__: (_ for _ in ()).throw(Killed),
    )
    with pytest.raises(Killed):
        train_images(
            [spec()],
            data,
            device="cpu",
            checkpoint=tmp_path / "group.pt",
            checkpoint_every_steps=5,
        )
    with pytest.raises(InputError, match="belongs to other specs or data"):
        train_images(
            [spec()],
            data.with_arms({"all": np.arange(200)}),
            device="cpu",
            checkpoint=tmp_path / "group.pt",
        )


def test_every_epoch_reads_every_row_once_in_a_new_order_whatever_the_pieces():
    rows = np.array([3, 5, 8, 13])
    order = Order(rows, seed=7)
    stream = order.at(0, 40)
    assert [sorted(part) for part in stream.reshape(10, 4).tolist()] == [
        rows.tolist()
    ] * 10
    assert len({tuple(part) for part in stream.reshape(10, 4).tolist()}) > 3
    np.testing.assert_array_equal(
        np.concatenate([Order(rows, seed=7).at(first, 7) for first in range(0, 35, 7)]),
        stream[:35],
    )


def test_counts_and_rows_of_the_runs_table(data):
    [result] = train_images([spec(arm="few")], data, device="cpu")
    small, large = result.budgets
    assert (small.n_samples_seen, small.n_samples_unique) == (
        320,
        30,
    ) and large.epochs == pytest.approx(640 / 30)
    rows = result.rows("trunk", pool_draw=2, data_hash="d")
    assert [row["metric"] for row in rows] == ["error", "loss", "error", "loss"]
    assert rows[0]["value"] == pytest.approx(small.error) and rows[1][
        "value"
    ] == pytest.approx(small.loss_nats)
    assert rows[0]["value_se"] == pytest.approx(
        np.sqrt(small.error * (1 - small.error) / 99)
    )
    assert (
        {row["modality"] for row in rows} == {"image"}
        and rows[2]["n_samples_seen"] == 640
        and rows[2]["pool_draw"] == 2
    )
    from stages.runs.schema import COLUMNS

    renamed = {
        name.replace("batch_samples", "batch_tokens").replace("samples", "tokens")
        for name in rows[0]
    }
    assert renamed <= set(COLUMNS)


@pytest.mark.parametrize("shape", [MLP, RESIDUAL])
def test_sizes_and_flops(shape):
    assert ImageWeights(shape, [0]).flat.shape[1] == shape.n_params
    assert MLP.flops_per_sample == 6 * (36 * 12 + 12 * 12 + 12 * 3)
    assert RESIDUAL.flops_per_sample == 6 * (9 * 4 * 9 + 2 * 9 * 16 * 9 + 4 * 16 * 3)


@pytest.mark.parametrize("shape", [MLP, RESIDUAL])
def test_gradient_norms_are_those_of_one_backward_pass_an_example(data, shape):
    stack = ImageStack([spec(shape=shape, seed=seed) for seed in (0, 1)], data, "cpu")
    with torch.no_grad():
        stack.weights.flat.add_(
            0.1
            * torch.randn(
                stack.weights.flat.shape, generator=torch.Generator().manual_seed(0)
            )
        )
    found = gradient_norms(stack, data.pixels[:5], data.labels[:5])
    pixels, labels = (
        torch.from_numpy(data.scaled(data.pixels)),
        torch.from_numpy(data.labels),
    )
    for i in range(5):
        losses = sample_losses(
            stack.weights.named,
            shape,
            pixels[None, i : i + 1].expand(2, -1, -1, -1, -1),
            labels[i].expand(2, 1),
        )
        gradients = torch.autograd.grad(
            losses.sum(), list(stack.weights.named.values())
        )
        norms = sum(
            gradient.flatten(1).square().sum(1) for gradient in gradients
        ).sqrt()
        np.testing.assert_allclose(found[:, i], norms.numpy(), rtol=1e-4)


def test_what_is_observed_has_the_promised_shape(data):
    recipe = spec(budgets_samples=(640,))
    assert early(data, recipe, range(3), 5).shape == (3, 300, 3) and early(
        data, recipe, [0], 5, gradients=True
    ).shape == (1, 300)
    assert correct_over_time(data, recipe, range(2), 8).shape == (2, 4, 300)
    included = np.random.default_rng(0).random((4, 300)) < 0.5
    pool, held_out = subset_results(data, recipe, included)
    assert (
        pool.shape == (4, 300) and held_out.shape == (4, 100) and held_out.mean() > 0.5
    )
    assert pool_features(data, recipe).shape == (300, 12)
    with pytest.raises(InputError, match="no model was seen at step 99"):
        early(data, recipe, [0], 99)


def test_out_of_fold_predictions_come_from_models_that_did_not_see_the_example(data):
    """With random labels a model that saw an example can know its label, one that did not cannot."""
    noise = ImageData(
        data.pixels,
        np.random.default_rng(9).integers(0, 3, 300),
        data.held_out_pixels,
        data.held_out_labels,
    )
    recipe = spec(budgets_samples=(16000,), shape=replace(MLP, width=64))
    outside = out_of_fold(noise, recipe, 2).argmax(-1) == noise.labels
    inside = (
        trained([replace(recipe, arm="all")], noise.with_arms({"all": np.arange(300)}))
        .probabilities(noise.pixels)
        .argmax(-1)
        == noise.labels
    )
    assert abs(outside.mean() - 1 / 3) < 0.08 and inside.mean() > 0.9


def test_what_does_not_fit_is_named(data):
    with pytest.raises(InputError, match="whole batches of 16"):
        spec(budgets_samples=(100,))
    with pytest.raises(InputError, match="separate groups"):
        train_images([spec(), spec(batch_samples=32)], data)
    with pytest.raises(InputError, match="do not fit"):
        train_images([spec(shape=replace(MLP, n_classes=2))], data)
    with pytest.raises(InputError, match="no arm 'other' in the images"):
        train_images([spec(arm="other")], data)
    with pytest.raises(InputError, match="no image model 'tree'"):
        replace(MLP, kind="tree")
    with pytest.raises(InputError, match="a label from 0 each"):
        ImageData(
            data.pixels, data.labels[:5], data.held_out_pixels, data.held_out_labels
        )


def test_a_run_that_blows_up_is_marked_and_its_neighbour_is_not(data):
    wild, tame = train_images([spec(lr=1e4), spec()], data, device="cpu")
    assert wild.budgets[-1].diverged and not tame.budgets[-1].diverged


def test_zero_head_starts_undecided():
    scores = logits(ImageWeights(MLP, [0]).named, MLP, torch.randn(1, 4, 1, 6, 6))
    assert (scores == 0).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.filterwarnings("ignore")  # torch's own while compiling
@pytest.mark.parametrize("shape", [MLP, RESIDUAL])
def test_cuda_ends_where_cpu_does(data, shape):
    specs = [spec(shape=shape, seed=1), spec(shape=shape, arm="few", seed=2)]
    found = (train_images(specs, data, device=device) for device in ("cpu", "cuda"))
    for one, other in zip(*found, strict=True):
        for mine, theirs in zip(one.budgets, other.budgets, strict=True):
            np.testing.assert_allclose(
                mine.sample_loss_nats, theirs.sample_loss_nats, rtol=2e-3, atol=2e-3
            )
