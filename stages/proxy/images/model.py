"""R image models of one shape as one batched model: `bmm` over runs for an MLP, grouped
convolutions for a residual net.

Hidden layers are ReLU; the residual net normalises each sample of each run over channels and places
(group norm without weights), so a stack of runs computes what each computes alone. Maps start with
variance 2 / fan-in (He et al. 2015), the second half of a residual block, biases and head at zero.
Axes: R runs, B samples, C channels, K classes, P weights of a run.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from stages.proxy.images.spec import GRID, STEM_STRIDE, ImageShape

Named = dict[str, torch.Tensor]


class ImageWeights:
    """All weights of R runs in one flat buffer (R, P) and their gradients in another, as
    `model.Weights` has them for text.
    """

    def __init__(self, shape: ImageShape, seeds: Sequence[int], device="cpu"):
        self.shape, self.sizes = shape, shape.weight_sizes()
        self.flat = torch.stack([_initial(self.sizes, seed) for seed in seeds]).to(
            device
        )
        self.grad = torch.zeros_like(self.flat)
        self.named, self.named_grad = (
            views(self.flat, self.sizes),
            views(self.grad, self.sizes),
        )
        for weight in self.named.values():
            weight.requires_grad_()

    @property
    def inner(self) -> slice:
        """Columns of the flat buffer that weight decay acts on: all but the head."""
        return slice(
            0, self.flat.shape[1] - self.shape.n_classes * (self.shape.n_features + 1)
        )


def views(flat: torch.Tensor, sizes: dict[str, tuple[int, int]]) -> Named:
    """name -> (R, rows, columns) views into a flat buffer (R, P)."""
    found, start = {}, 0
    for name, (rows, columns) in sizes.items():
        found[name] = flat[:, start : start + rows * columns].view(
            len(flat), rows, columns
        )
        start += rows * columns
    return found


def _initial(sizes: dict[str, tuple[int, int]], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for name, (rows, columns) in sizes.items():
        zero = "bias" in name or name == "head" or name.endswith(".b")
        drawn = torch.randn(rows * columns, generator=generator) * (2 / columns) ** 0.5
        parts.append(torch.zeros_like(drawn) if zero else drawn)
    return torch.cat(parts)


def features(named: Named, shape: ImageShape, pixels: torch.Tensor) -> torch.Tensor:
    """The layer before the head (R, B, n_features) of pixels (R, B, C, H, W)."""
    return (
        _residual(named, shape, pixels)
        if shape.kind == "residual"
        else _mlp(named, shape, pixels)
    )


def logits(named: Named, shape: ImageShape, pixels: torch.Tensor) -> torch.Tensor:
    """Class scores (R, B, K) of pixels (R, B, C, H, W)."""
    return _affine(features(named, shape, pixels), named, "head")


def sample_losses(
    named: Named, shape: ImageShape, pixels: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy in nats (R, B)."""
    scores = logits(named, shape, pixels)
    return F.cross_entropy(
        scores.flatten(0, 1), labels.flatten(), reduction="none"
    ).view(labels.shape)


def _affine(x: torch.Tensor, named: Named, name: str) -> torch.Tensor:
    """x (R, B, columns) times weight (R, rows, columns) transposed, plus bias."""
    return torch.baddbmm(
        named[f"{name}.bias"].transpose(1, 2), x, named[name].transpose(1, 2)
    )


def _mlp(named: Named, shape: ImageShape, pixels: torch.Tensor) -> torch.Tensor:
    x = pixels.flatten(2)
    for layer in range(shape.depth):
        x = F.relu(_affine(x, named, str(layer)))
    return x


def _residual(named: Named, shape: ImageShape, pixels: torch.Tensor) -> torch.Tensor:
    n_runs = len(pixels)
    x = pixels.transpose(0, 1).flatten(1, 2)  # (B, R C, H, W)
    x = _convolved(x, named, name="stem", n_runs=n_runs, stride=STEM_STRIDE)
    for block in range(shape.depth):
        half = _convolved(
            F.relu(F.group_norm(x, n_runs)), named, name=f"{block}.a", n_runs=n_runs
        )
        x = x + _convolved(
            F.relu(F.group_norm(half, n_runs)), named, name=f"{block}.b", n_runs=n_runs
        )
    pooled = F.adaptive_avg_pool2d(F.relu(F.group_norm(x, n_runs)), GRID)
    return pooled.unflatten(1, (n_runs, shape.width)).transpose(0, 1).flatten(2)


def _convolved(
    x: torch.Tensor, named: Named, name: str, n_runs: int, stride: int = 1
) -> torch.Tensor:
    """3 x 3 convolution of each run's channels (B, R C, H, W) by its own kernels: (B, R width, H', W')."""
    kernels = named[name].flatten(0, 1).unflatten(1, (-1, 3, 3))
    return F.conv2d(
        x,
        kernels,
        named[f"{name}.bias"].flatten(),
        stride=stride,
        padding=1,
        groups=n_runs,
    )
