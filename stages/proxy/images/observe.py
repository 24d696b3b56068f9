"""What stacks of image models know about every example of a pool: the raw material of difficulty
scores.

Input: ImageData, whose arms this file makes itself, and an ImageSpec as the recipe of every model
(its arm and seeds are replaced). Output: arrays over models and examples. The scores are pure
functions of these arrays elsewhere. Models are trained `STACK` at a time as one batched model.
Cost: the training; a gradient norm an example costs one backward pass of that example.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from stages.foundation.errors import InputError
from stages.proxy.images.data import ImageData
from stages.proxy.images.model import sample_losses
from stages.proxy.images.spec import ImageSpec
from stages.proxy.images.stack import ImageStack
from stages.proxy.images.train import train_images

STACK = 16  # measured: MLPs of width 64 gain nothing beyond on CPU
# weights of all examples whose gradients are held at once: 64 MB, a few times (assumed)
GRADIENT_WEIGHTS = 1 << 24


def early(
    data: ImageData,
    spec: ImageSpec,
    seeds: Sequence[int],
    at_step: int,
    gradients: bool = False,
) -> np.ndarray:
    """What models say of every pool example after `at_step` steps on the whole pool: probabilities
    (models, n, K), or gradient norms (models, n).
    """
    found: list[np.ndarray] = []

    def watch(step: int, stack: ImageStack) -> None:
        if step == at_step:
            found.append(
                gradient_norms(stack, data.pixels, data.labels)
                if gradients
                else stack.probabilities(data.pixels)
            )

    for group in _groups(data, spec, seeds):
        train_images(group, _whole(data), watch=watch)
    if not found:
        raise InputError(
            f"no model was seen at step {at_step}: its trunk is shorter; use a smaller"
            " step or a larger budget"
        )
    return np.concatenate(found)


def correct_over_time(
    data: ImageData, spec: ImageSpec, seeds: Sequence[int], every_steps: int
) -> np.ndarray:
    """Whether every pool example was right at each check of a training on the whole pool (models, checks, n) bool."""
    found = []
    for group in _groups(data, spec, seeds):
        checks: list[np.ndarray] = []

        def check(_: int, stack: ImageStack, checks: list = checks) -> None:
            checks.append(stack.probabilities(data.pixels).argmax(-1) == data.labels)

        train_images(group, _whole(data), watch_every=every_steps, watch=check)
        found.append(
            np.stack(checks, axis=1)
            if checks
            else np.zeros((len(group), 0, len(data.labels)), bool)
        )
    return np.concatenate(found)


def trained_on_subsets(
    data: ImageData, spec: ImageSpec, included: np.ndarray
) -> Iterator[tuple[slice, ImageStack]]:
    """Fully trained stacks, model m on the pool rows where included[m] (models, n) bool, and which
    models each stack holds.
    """
    for first in range(0, len(included), STACK):
        models = slice(first, min(first + STACK, len(included)))
        arms = {
            f"subset {m}": np.flatnonzero(included[m])
            for m in range(models.start, models.stop)
        }
        group = [
            replace(spec, arm=arm, seed=spec.seed + m, data_seed=spec.data_seed + m)
            for m, arm in enumerate(arms, first)
        ]
        yield models, trained(group, data.with_arms(arms))


def trained(group: Sequence[ImageSpec], data: ImageData) -> ImageStack:
    """The stack itself after its last budget, weights decayed to the end."""
    last = max(group[0].budgets_samples)
    kept: list[ImageStack] = []
    train_images(
        [replace(spec, budgets_samples=(last,)) for spec in group],
        data,
        on_end=kept.append,
    )
    return kept[0]


def subset_results(
    data: ImageData, spec: ImageSpec, included: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong of models trained on subsets: on the pool (models, n) and on the held-out
    images (models, m), bool.
    """
    pool = np.empty(included.shape, bool)
    held_out = np.empty((len(included), len(data.held_out_labels)), bool)
    for models, stack in trained_on_subsets(data, spec, included):
        pool[models] = stack.probabilities(data.pixels).argmax(-1) == data.labels
        held_out[models] = (
            stack.probabilities(data.held_out_pixels).argmax(-1) == data.held_out_labels
        )
    return pool, held_out


def out_of_fold(
    data: ImageData, spec: ImageSpec, n_pairs: int, seed: int = 0
) -> np.ndarray:
    """Probabilities (pairs, n, K) of models that did not see the example: each pair trains on two
    halves of the pool.
    """
    n, random = len(data.labels), np.random.default_rng(seed)
    first_half = np.zeros((n_pairs, n), bool)
    for half in first_half:
        half[random.permutation(n)[: n // 2]] = True
    included = np.stack([first_half, ~first_half], axis=1).reshape(2 * n_pairs, n)
    found = np.empty((n_pairs, n, spec.shape.n_classes), np.float32)
    for models, stack in trained_on_subsets(data, spec, included):
        for m, probabilities in zip(
            range(models.start, models.stop),
            stack.probabilities(data.pixels),
            strict=True,
        ):
            found[m // 2, ~included[m]] = probabilities[~included[m]]
    return found


def pool_features(data: ImageData, spec: ImageSpec) -> np.ndarray:
    """Embeddings of the pool (n, n_features): the layer before the head of one model trained on the whole pool."""
    return trained([replace(spec, arm="pool")], _whole(data)).features(data.pixels)[0]


def gradient_norms(
    stack: ImageStack, pixels: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Norm of the gradient of each example's own loss over all weights of each run (R, n).

    Examples take the place of runs: the weights of a run are repeated for each of them, and one
    backward pass gives every gradient apart.
    """
    scaled = torch.from_numpy(stack.data.scaled(pixels)).to(stack.device)
    targets = torch.from_numpy(np.array(labels, np.int64)).to(stack.device)
    at_once = max(1, GRADIENT_WEIGHTS // stack.weights.flat.shape[1])
    found = [
        [
            _norms(stack, run, pixels=block, labels=target)
            for block, target in zip(
                scaled.split(at_once), targets.split(at_once), strict=True
            )
        ]
        for run in range(len(stack.specs))
    ]
    return torch.stack([torch.cat(blocks) for blocks in found]).cpu().numpy()


def _norms(
    stack: ImageStack, run: int, pixels: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    repeated = {
        name: (
            weight[run]
            .detach()
            .expand(len(pixels), *weight.shape[1:])
            .contiguous()
            .requires_grad_()
        )
        for name, weight in stack.weights.named.items()
    }
    with torch.enable_grad():
        losses = sample_losses(
            repeated, stack.shape, pixels=pixels[:, None], labels=labels[:, None]
        )
        gradients = torch.autograd.grad(losses.sum(), list(repeated.values()))
    return (
        torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients])
        .sum(0)
        .sqrt()
    )


def _groups(
    data: ImageData, spec: ImageSpec, seeds: Sequence[int]
) -> Iterator[list[ImageSpec]]:
    for first in range(0, len(seeds), STACK):
        yield [
            replace(spec, arm="pool", seed=int(seed), data_seed=int(seed))
            for seed in seeds[first : first + STACK]
        ]


def _whole(data: ImageData) -> ImageData:
    return data.with_arms({"pool": np.arange(len(data.labels))})
