"""R image models of one shape in training: one batched model, one optimiser step over all, each run
its own rows of the pool.

Arms may differ in size, since each run draws its batches from its own rows. `probabilities` and
`features` read the stack at any time; difficulty scores are made of them (observe.py). Cost:
MLPs of width 64 on 28 x 28 pixels, batch 32: 3,000 steps of one run a CPU-second, 16 runs at once
(1,800 one alone); a residual net of width 8 with one block 470 (measured).
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import torch

from stages.foundation.errors import InputError
from stages.proxy.images.data import ImageData, Order, batches
from stages.proxy.images.model import ImageWeights, features, logits, sample_losses
from stages.proxy.images.spec import ImageSpec
from stages.proxy.network.adamw import AdamW
from stages.proxy.network.device import choose_device

CHUNK_STEPS = 64  # batches whose rows are drawn at once (assumed)
SCORED_SAMPLES = 8192  # samples of all runs in one forward pass (assumed)


class ImageStack:
    """R runs in training. `watch` callbacks read `probabilities`, `features` and `weights` of it."""

    def __init__(
        self, specs: Sequence[ImageSpec], data: ImageData, device: str = "auto"
    ):
        first = _one_stack(specs, data)
        self.specs, self.data, self.shape = list(specs), data, first.shape
        self.device, _, self.reason = choose_device(device, "float32")
        self.weights = ImageWeights(
            first.shape, [spec.seed for spec in specs], self.device
        )
        self.optimiser = AdamW(
            self.weights,
            [spec.lr for spec in specs],
            [spec.weight_decay for spec in specs],
        )
        self.rows = [data.rows(spec.arm) for spec in specs]
        self.orders = [
            Order(rows, spec.data_seed)
            for rows, spec in zip(self.rows, specs, strict=True)
        ]
        self.pixels = torch.from_numpy(data.scaled(data.pixels)).to(self.device)
        self.labels = torch.from_numpy(np.array(data.labels, np.int64)).to(self.device)
        self._chunk_first = 0
        self._chunk: torch.Tensor | None = None

    @property
    def identity(self) -> dict:
        """What a checkpoint must agree with to be resumed."""
        digest = hashlib.blake2b(digest_size=8)
        for part in (
            self.data.pixels,
            np.asarray(self.data.labels, np.int64),
            *self.rows,
        ):
            digest.update(np.ascontiguousarray(part).data)
        return {
            "specs": [spec.to_dict() for spec in self.specs],
            "data": digest.hexdigest(),
        }

    def step(self, step: int, lr_factor: float) -> torch.Tensor:
        """One update of all runs on their next batches; their mean losses (R,)."""
        rows = self._rows_at(step)
        losses = sample_losses(
            self.weights.named,
            self.shape,
            pixels=self.pixels[rows],
            labels=self.labels[rows],
        ).mean(1)
        gradients = torch.autograd.grad(losses.sum(), list(self.weights.named.values()))
        torch._foreach_copy_(list(self.weights.named_grad.values()), gradients)
        self.optimiser.step(lr_factor)
        return losses.detach()

    def _rows_at(self, step: int) -> torch.Tensor:
        if self._chunk is None or not 0 <= step - self._chunk_first < len(self._chunk):
            drawn = batches(
                self.orders,
                step,
                batch_samples=self.specs[0].batch_samples,
                n_steps=CHUNK_STEPS,
            )
            self._chunk_first, self._chunk = (
                step,
                torch.from_numpy(drawn).to(self.device),
            )
        return self._chunk[step - self._chunk_first]

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Class probabilities of every run (R, n, K) float32 for raw pixels (n, C, H, W)."""
        return self._over(
            pixels,
            lambda block: torch.softmax(
                logits(self.weights.named, self.shape, block), -1
            ),
        )

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """The layer before the head (R, n, width): embeddings of images."""
        return self._over(
            pixels, lambda block: features(self.weights.named, self.shape, block)
        )

    @torch.no_grad()
    def _over(
        self, pixels: np.ndarray, function: Callable[[torch.Tensor], torch.Tensor]
    ) -> np.ndarray:
        n_runs, parts = len(self.specs), []
        for block in torch.from_numpy(self.data.scaled(pixels)).split(
            max(1, SCORED_SAMPLES // n_runs)
        ):
            parts.append(
                function(block.to(self.device).expand(n_runs, *block.shape)).cpu()
            )
        return torch.cat(parts, 1).numpy()


def _one_stack(specs: Sequence[ImageSpec], data: ImageData) -> ImageSpec:
    if not specs:
        raise InputError("no specs to train; name at least one arm")
    shape = specs[0].shape
    if any(spec.stack_key != specs[0].stack_key for spec in specs):
        raise InputError(
            "the specs differ in shape, budgets, batch or schedule; train them in"
            " separate groups"
        )
    if (
        data.pixels.shape[1:] != (shape.channels, shape.height, shape.columns)
        or data.labels.max() >= shape.n_classes
    ):
        raise InputError(
            f"images of {data.pixels.shape[1:]} with labels up to {data.labels.max()}"
            f" do not fit {shape}; make the shape of the images"
        )
    return specs[0]
