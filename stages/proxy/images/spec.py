"""What defines an image run (ImageShape, ImageSpec) and what comes out of it (ImageResult); no torch here.

Samples take the place of tokens. A shape is an MLP of equal hidden layers, or a small residual network: a 3 x 3 stem of
stride 2, `depth` blocks of two 3 x 3 convolutions at that resolution, means over a 4 x 4 grid, head.
"""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError

KINDS = ("mlp", "residual")
BACKWARD = 3  # a training step costs three forward passes
STEM_STRIDE = 2
# means a side before the head; measured: one global mean leaves mnist_5k at 31 % error after 600
# steps, these at 3 %
GRID = 4


@dataclass(frozen=True)
class ImageShape:
    """A model of images. Example: `ImageShape("mlp", width=64, depth=1, channels=1, height=28,
    columns=28, n_classes=10)`.
    """

    kind: str
    width: int
    depth: int
    channels: int
    height: int
    columns: int
    n_classes: int

    def __post_init__(self):
        if self.kind not in KINDS:
            raise InputError(
                f"no image model {self.kind!r}; known are {', '.join(KINDS)}"
            )
        if (
            min(self.width, self.channels, self.height, self.columns) < 1
            or self.depth < (self.kind == "mlp")
            or self.n_classes < 2
        ):
            raise InputError(
                "an image shape needs positive sizes and two classes, this one is"
                f" {self}; raise what is too small"
            )

    def weight_sizes(self) -> dict[str, tuple[int, int]]:
        """Rows and columns of every weight, biases as one column; a 3 x 3 kernel has 9 columns a
        channel. The head comes last.
        """
        sizes, fan_in = (
            {},
            self.channels
            * (9 if self.kind == "residual" else self.height * self.columns),
        )
        names = (
            [
                "stem",
                *(f"{block}.{half}" for block in range(self.depth) for half in "ab"),
            ]
            if self.kind == "residual"
            else map(str, range(self.depth))
        )
        for name in names:
            sizes[name], sizes[f"{name}.bias"] = (self.width, fan_in), (self.width, 1)
            fan_in = self.width * (9 if self.kind == "residual" else 1)
        return sizes | {
            "head": (self.n_classes, self.n_features),
            "head.bias": (self.n_classes, 1),
        }

    @property
    def n_features(self) -> int:
        """Columns of the layer before the head."""
        return self.width * (GRID**2 if self.kind == "residual" else 1)

    @property
    def n_params(self) -> int:
        """All weights: an image model has no embedding table."""
        return sum(rows * columns for rows, columns in self.weight_sizes().values())

    @property
    def flops_per_sample(self) -> int:
        """Training FLOPs of one sample: three forward passes of all matrix products, a kernel at
        every place it visits.
        """
        places = (
            math.ceil(self.height / STEM_STRIDE) * math.ceil(self.columns / STEM_STRIDE)
            if self.kind == "residual"
            else 1
        )
        products = sum(
            rows * columns * (1 if name.startswith("head") else places)
            for name, (rows, columns) in self.weight_sizes().items()
            if "bias" not in name
        )
        return BACKWARD * 2 * products


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """One trunk: a model, an arm (a name in ImageData.arms) and the budgets, in samples, that branch off it."""

    arm: str
    shape: ImageShape
    budgets_samples: tuple[int, ...]  # rising, each a multiple of batch_samples
    # measured on mnist_5k: within a factor 3 of the best for MLPs of width 16 to 256; residual nets
    # want 0.01 to 0.03
    lr: float = 0.003
    weight_decay: float = 0.1
    batch_samples: int = 32
    warmup_steps: int = 20
    decay_fraction: float = 0.2
    seed: int = 0  # initial weights
    data_seed: int = 0  # order of the samples

    def __post_init__(self):
        budgets = tuple(int(n) for n in self.budgets_samples)
        object.__setattr__(self, "budgets_samples", budgets)
        if (
            self.batch_samples < 1
            or not budgets
            or list(budgets) != sorted(set(budgets))
            or any(n < 1 or n % self.batch_samples for n in budgets)
        ):
            raise InputError(
                f"budgets_samples {list(budgets)} must rise and be whole batches of"
                f" {self.batch_samples}; round them"
            )
        if not (
            self.lr > 0
            and self.weight_decay >= 0
            and self.warmup_steps >= 0
            and 0 <= self.decay_fraction <= 1
        ):
            raise InputError(
                f"lr {self.lr}, weight_decay {self.weight_decay}, warmup_steps"
                f" {self.warmup_steps}, decay_fraction {self.decay_fraction}: need lr >"
                " 0, the others from 0, the fraction up to 1"
            )

    @property
    def stack_key(self) -> tuple:
        """Specs with equal keys can train as one batched model."""
        return (
            self.shape,
            self.budgets_samples,
            self.batch_samples,
            self.warmup_steps,
            self.decay_fraction,
        )

    def to_dict(self) -> dict:
        return dataclasses.asdict(self) | {
            "budgets_samples": list(self.budgets_samples)
        }


@dataclass(frozen=True, eq=False)
class ImageBudget:
    """A finished branch. `correct` (m,) bool and `sample_loss_nats` (m,) over the held-out images."""

    n_samples_seen: int
    n_samples_unique: int
    epochs: float
    flops: float  # 6 N D
    flops_exact: float
    seconds: float
    diverged: bool
    correct: np.ndarray
    sample_loss_nats: np.ndarray

    @property
    def error(self) -> float:
        return float(1 - self.correct.mean())

    @property
    def loss_nats(self) -> float:
        return float(self.sample_loss_nats.mean())


@dataclass(frozen=True, eq=False)
class ImageResult:
    """All budgets of one trunk; `seconds` is its share of the stack's."""

    spec: ImageSpec
    budgets: tuple[ImageBudget, ...]
    device: str
    stack_size: int

    def rows(self, run_id: str, **shared) -> list[dict]:
        """Rows of the runs table, two a budget (error and loss), with n_samples_* in place of
        n_tokens_*; `shared` is added to each.
        """
        spec = self.spec
        fixed = {
            "trunk_id": run_id,
            "arm": spec.arm,
            "modality": "image",
            "n_params": spec.shape.n_params,
            "n_params_total": spec.shape.n_params,
            "seed": spec.seed,
            "lr": spec.lr,
            "weight_decay": spec.weight_decay,
            "batch_samples": spec.batch_samples,
            "device": self.device,
        } | shared
        found = []
        for budget in self.budgets:
            counts = {
                name: getattr(budget, name)
                for name in (
                    "n_samples_seen",
                    "n_samples_unique",
                    "epochs",
                    "flops",
                    "flops_exact",
                    "seconds",
                    "diverged",
                )
            }
            for metric, each in (
                ("error", ~budget.correct),
                ("loss", budget.sample_loss_nats),
            ):
                error = (
                    float(np.std(each, ddof=1) / np.sqrt(len(each)))
                    if len(each) > 1
                    else float("nan")
                )
                found.append(
                    {
                        "run_id": f"{run_id}-{budget.n_samples_seen}",
                        **fixed,
                        **counts,
                        "metric": metric,
                        "value": float(each.mean()),
                        "value_se": error,
                    }
                )
        return found
