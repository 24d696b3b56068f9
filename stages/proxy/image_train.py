"""Train a group of image models of one shape at once: trunk, branches, held-out error and loss of every run.

Question: what error does each arm, seed or setting reach? Input: specs of one stack and ImageData. Output: an ImageResult a
spec, in order. One batched model, one optimiser step over all runs; arms may differ in size, since each run draws its
batches from its own rows. `watch` sees the stack while it trains: difficulty scores are read off it (image_observe.py).
Cost: MLPs of width 64 on 28 x 28 pixels, batch 32: 3,000 steps of one run a CPU-second, 16 runs at once (1,800 one alone);
a residual net of width 8 with one block 470 (measured).
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from stages.errors import InputError
from stages.proxy.adamw import AdamW
from stages.proxy.device import choose_device, one_thread
from stages.proxy.image_data import ImageData, Order, batches
from stages.proxy.image_model import ImageWeights, features, logits, sample_losses
from stages.proxy.image_spec import ImageBudget, ImageResult, ImageSpec
from stages.proxy.record import diverged
from stages.proxy.schedule import Segment, segments

CHUNK_STEPS = 64  # batches whose rows are drawn at once (assumed)
SCORED_SAMPLES = 8192  # samples of all runs in one forward pass (assumed)


class ImageStack:
    """R runs in training. `watch` callbacks read `probabilities`, `features` and `weights` of it."""

    def __init__(self, specs: Sequence[ImageSpec], data: ImageData, device: str = "auto"):
        first = _one_stack(specs, data)
        self.specs, self.data, self.shape = list(specs), data, first.shape
        self.device, _, self.reason = choose_device(device, "float32")
        self.weights = ImageWeights(first.shape, [spec.seed for spec in specs], self.device)
        self.optimiser = AdamW(self.weights, [spec.lr for spec in specs], [spec.weight_decay for spec in specs])
        self.rows = [data.rows(spec.arm) for spec in specs]
        self.orders = [Order(rows, spec.data_seed) for rows, spec in zip(self.rows, specs, strict=True)]
        self.pixels = torch.from_numpy(data.scaled(data.pixels)).to(self.device)
        self.labels = torch.from_numpy(np.asarray(data.labels, np.int64)).to(self.device)
        self._chunk_first, self._chunk = 0, None

    def step(self, step: int, lr_factor: float) -> torch.Tensor:
        """One update of all runs on their next batches; their mean losses (R,)."""
        rows = self._rows_at(step)
        losses = sample_losses(self.weights.named, self.shape, self.pixels[rows], self.labels[rows]).mean(1)
        gradients = torch.autograd.grad(losses.sum(), list(self.weights.named.values()))
        torch._foreach_copy_(list(self.weights.named_grad.values()), gradients)
        self.optimiser.step(lr_factor)
        return losses.detach()

    def _rows_at(self, step: int) -> torch.Tensor:
        if self._chunk is None or not 0 <= step - self._chunk_first < len(self._chunk):
            drawn = batches(self.orders, step, self.specs[0].batch_samples, CHUNK_STEPS)
            self._chunk_first, self._chunk = step, torch.from_numpy(drawn).to(self.device)
        return self._chunk[step - self._chunk_first]

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Class probabilities of every run (R, n, K) float32 for raw pixels (n, C, H, W)."""
        return self._over(pixels, lambda block: torch.softmax(logits(self.weights.named, self.shape, block), -1))

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """The layer before the head (R, n, width): embeddings of images."""
        return self._over(pixels, lambda block: features(self.weights.named, self.shape, block))

    @torch.no_grad()
    def _over(self, pixels: np.ndarray, function: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
        n_runs, parts = len(self.specs), []
        for block in torch.from_numpy(self.data.scaled(pixels)).split(max(1, SCORED_SAMPLES // n_runs)):
            parts.append(function(block.to(self.device).expand(n_runs, *block.shape)).cpu())
        return torch.cat(parts, 1).numpy()


Watch = Callable[[int, ImageStack], None]


def train_images(specs: Sequence[ImageSpec], data: ImageData, *, device: str = "auto",
                 watch: Watch | None = None, watch_every: int = 1, on_end: Callable[[ImageStack], None] | None = None) -> list[ImageResult]:
    """Train specs of one stack; `watch(steps_done, stack)` is called on the trunk after every `watch_every` steps, `on_end` after the last budget.

    Example: `[result] = train_images([spec], data); result.budgets[-1].error`.
    """
    with one_thread():
        stack, started = ImageStack(specs, data, device), time.monotonic()
        first, trunk_losses, budgets = stack.specs[0], [], []
        plan = segments(first.budgets_samples, batch_tokens=first.batch_samples, decay_fraction=first.decay_fraction, warmup_steps=first.warmup_steps)
        for segment in plan:
            if segment.budget_tokens is None:
                trunk_losses += _steps(stack, segment, watch, watch_every)
                continue
            trunk = stack.optimiser.state()
            losses = torch.stack(trunk_losses + _steps(stack, segment)).cpu().numpy()
            budgets.append(_budgets(stack, segment.budget_tokens, losses, (time.monotonic() - started) / len(specs)))
            if segment is not plan[-1]:
                stack.optimiser.load(trunk)
        if on_end:
            on_end(stack)
        return [ImageResult(spec, own, stack.device.type, len(specs)) for spec, own in zip(stack.specs, zip(*budgets, strict=True), strict=True)]


def _steps(stack: ImageStack, segment: Segment, watch: Watch | None = None, watch_every: int = 1) -> list[torch.Tensor]:
    """Run a segment; the mean losses (R,) of each step."""
    losses = []
    for done, lr_factor in enumerate(segment.lr_factors, start=1):
        losses.append(stack.step(segment.first_step + done - 1, float(lr_factor)))
        if watch and (segment.first_step + done) % watch_every == 0:
            watch(segment.first_step + done, stack)
    return losses


def _budgets(stack: ImageStack, n_seen: int, losses: np.ndarray, seconds: float) -> list[ImageBudget]:
    """Held-out results of every run at the end of a branch; `losses` (steps, R) led there."""
    labels = np.asarray(stack.data.held_out_labels)
    probabilities = stack.probabilities(stack.data.held_out_pixels)
    correct = probabilities.argmax(-1) == labels
    nats = -np.log(np.maximum(np.take_along_axis(probabilities, labels[None, :, None], 2)[..., 0].astype(np.float64), 1e-38))
    shape = stack.shape
    return [ImageBudget(
        n_samples_seen=n_seen, n_samples_unique=min(n_seen, len(rows)), epochs=n_seen / len(rows), flops=6.0 * shape.n_params * n_seen,
        flops_exact=float(shape.flops_per_sample) * n_seen, seconds=seconds, diverged=diverged(losses[:, run]) or not np.isfinite(probabilities[run]).all(),
        correct=correct[run], sample_loss_nats=nats[run]) for run, rows in enumerate(stack.rows)]


def _one_stack(specs: Sequence[ImageSpec], data: ImageData) -> ImageSpec:
    if not specs:
        raise InputError("no specs to train; name at least one arm")
    shape = specs[0].shape
    if any(spec.stack_key != specs[0].stack_key for spec in specs):
        raise InputError("the specs differ in shape, budgets, batch or schedule; train them in separate groups")
    if data.pixels.shape[1:] != (shape.channels, shape.height, shape.columns) or data.labels.max() >= shape.n_classes:
        raise InputError(f"images of {data.pixels.shape[1:]} with labels up to {data.labels.max()} do not fit {shape}; make the shape of the images")
    return specs[0]
