"""What defines a proxy run (RunSpec) and what comes out of it (RunResult); both turn into JSON and back.

A spec holds everything that decides the numbers of a run except the data behind the name of its arm, so a run can
be named by the hash of (spec, data, code). No torch here: stages read and write these without loading it.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from stages.foundation.errors import InputError
from stages.foundation.files import content_hash
from stages.proxy.specs.branch import Branch, branch_segments
from stages.proxy.specs.schedule import (
    DECAY_SHAPES,
    SCHEDULES,
    Schedule,
    Segment,
    segments,
)
from stages.proxy.specs.shape import Shape, whole_batches

STACKED_ALIKE = (
    "shape",
    "budgets_tokens",
    "batch_tokens",
    "warmup_steps",
    "decay_fraction",
    "dtype",
    "schedule",
    "decay_shape",
    "power_tokens",
    "z_loss",
    "base_width",
    "base_depth",
    "has_curriculum",
    "documents_apart",
    "grown_from",
    "growth_tokens",
    "growth",
    "start",
    "loss",
)
LOSSES = ("all", "answer")


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One trunk: a model, an arm and the budgets that branch off it.

    Example: `RunSpec(arm="top_40", shape=Shape.named("25k"), budgets_tokens=(65_536, 262_144), seed=1, data_seed=1)`.
    """

    arm: str  # name of a view
    shape: Shape
    budgets_tokens: tuple[int, ...]  # rising, each a multiple of batch_tokens
    lr: float = 0.012  # measured: best within a factor of 2 from 25k to 147k parameters; 0.010 above d_model 64
    weight_decay: float = 0.1  # decoupled, scaled by lr; on the transformer's matrices, not on embedding and head
    dropout: float = 0.0  # on the embedding and on every residual branch
    batch_tokens: int = 512  # measured: right below 500k tokens, 1024 up to 4M
    warmup_steps: int = 30
    decay_fraction: float = 0.2  # of each budget, linear to zero
    seed: int = 0  # initial weights and dropout
    data_seed: int = 0  # order of the documents
    pool_draw: int = 0  # which resample of the pool; a label, the view holds its effect
    dtype: str = "auto"  # auto | float32 | bfloat16
    schedule: str = "wsd"  # wsd | wsd_s | power | cosine | constant, see schedule.py
    decay_shape: str = "linear"  # linear | sqrt, of every decay but a cosine
    # schedule power: tokens at which the stable rate begins to fall
    power_tokens: float = math.inf
    z_loss: float = 0.0  # times the squared log of the softmax's sum; 1e-4 is usual (PaLM, Chowdhery et al. 2022)
    # lr and weight_decay are those of this width and are scaled to the shape's, see transfer.py
    base_width: int | None = None
    base_depth: int | None = None  # the same for the number of layers
    # a curriculum: the view that decays read, from its own start
    decay_arm: str | None = None
    # simulated epoching: the view is cut to about so many distinct tokens
    unique_tokens: int | None = None
    documents_apart: bool = False  # attention stops at document boundaries
    grown_from: int = 0  # layers that training starts with; 0: all of them
    growth_tokens: int = 0  # tokens before the layers are stacked to the shape's
    growth: str = "copy"  # copy | identity: what the added layers do at first
    # goes on from a trained trunk; budgets are then counted from there on
    branch: Branch | None = None
    loss: str = "all"  # all | answer: tokens of a prompt are read and not scored

    def __post_init__(self):
        object.__setattr__(
            self, "budgets_tokens", tuple(int(n) for n in self.budgets_tokens)
        )
        object.__setattr__(self, "power_tokens", float(self.power_tokens))
        _check_budgets(self)
        _check_optimiser(self)
        _check_growth(self)
        _check_branch(self)

    @property
    def context(self) -> int:
        return self.shape.context

    @property
    def has_curriculum(self) -> bool:
        return self.decay_arm is not None

    @property
    def segments(self) -> list[Segment]:
        """The steps of the run in the order in which they are trained."""
        if self.branch is not None:
            schedule = Schedule(
                warmup_steps=self.warmup_steps, decay_shape=self.decay_shape
            )
            return branch_segments(
                self.branch, self.budgets_tokens, self.batch_tokens, schedule
            )
        return segments(
            self.budgets_tokens,
            batch_tokens=self.batch_tokens,
            decay_fraction=self.decay_fraction,
            warmup_steps=self.warmup_steps,
            name=self.schedule,
            decay_shape=self.decay_shape,
            power_tokens=self.power_tokens,
        )

    @property
    def key(self) -> str:
        """A hash of all that the spec says."""
        return content_hash(self.to_dict())

    @property
    def start(self) -> tuple[int, bool] | None:
        """What branches of one stack share: tokens of the trunk, and whether moments come with it."""
        if self.branch is None:
            return None
        return self.branch.trunk_tokens, self.branch.warm

    @property
    def stack_key(self) -> tuple:
        """Specs with equal keys can train as one batched model."""
        return tuple(getattr(self, name) for name in STACKED_ALIKE)

    def flops(self, n_tokens: int, exact: bool = False) -> float:
        """Training FLOPs of the first `n_tokens`: 6 N a token, or with head and attention; tokens
        before growth at the shallow cost.
        """

        def per_token(shape: Shape) -> int:
            return shape.flops_per_token if exact else shape.flops_per_token_6n

        n_shallow = min(n_tokens, self.growth_tokens) if self.grown_from else 0
        shallow = dataclasses.replace(
            self.shape, n_layers=self.grown_from or self.shape.n_layers
        )
        return float(
            per_token(shallow) * n_shallow
            + per_token(self.shape) * (n_tokens - n_shallow)
        )

    def to_dict(self) -> dict:
        # JSON knows no infinity
        endless = {"power_tokens": None} if math.isinf(self.power_tokens) else {}
        values = (
            dataclasses.asdict(self)
            | {"budgets_tokens": list(self.budgets_tokens)}
            | endless
        )
        # left out where they say nothing, so that the names of all other runs stay
        for name, usual in (("branch", None), ("loss", "all")):
            if values[name] == usual:
                del values[name]
        return values

    @classmethod
    def from_dict(cls, values: Mapping) -> "RunSpec":
        endless = (
            {"power_tokens": math.inf} if values.get("power_tokens") is None else {}
        )
        parts = {
            "shape": Shape(**values["shape"]),
            "branch": Branch.from_dict(values.get("branch")),
        }
        return cls(**{**values, **parts, **endless})


def _check_budgets(spec: RunSpec) -> None:
    if spec.batch_tokens < 1 or spec.batch_tokens % spec.context:
        raise InputError(
            f"batch_tokens {spec.batch_tokens} is no multiple of the context"
            f" {spec.context}; use {whole_batches(spec.batch_tokens, spec.context)}"
        )
    budgets = spec.budgets_tokens
    if not budgets or list(budgets) != sorted(set(budgets)) or budgets[0] < 1:
        raise InputError(
            f"budgets_tokens {list(budgets)} must be positive and rising; sort them and"
            " drop doubles"
        )
    for budget in budgets:
        if budget % spec.batch_tokens:
            raise InputError(
                f"budget of {budget} tokens is not a whole number of batches of"
                f" {spec.batch_tokens}; use {whole_batches(budget, spec.batch_tokens)}"
            )


def _check_optimiser(spec: RunSpec) -> None:
    bounds = {
        "lr": (0, math.inf),
        "weight_decay": (0, math.inf),
        "dropout": (0, 0.999),
        "warmup_steps": (0, math.inf),
        "decay_fraction": (0, 1),
        "z_loss": (0, 1),
        "power_tokens": (1, math.inf),
    }
    for name in ("base_width", "base_depth", "unique_tokens"):
        if getattr(spec, name) is not None and getattr(spec, name) < 1:
            raise InputError(
                f"{name} is {getattr(spec, name)}, it must be at least 1; leave it out"
                " to turn it off"
            )
    for name, known in (("schedule", SCHEDULES), ("decay_shape", DECAY_SHAPES)):
        if getattr(spec, name) not in known:
            raise InputError(
                f"{name} is {getattr(spec, name)!r}; use {', '.join(known)}"
            )
    if spec.has_curriculum and spec.schedule not in ("wsd", "power"):
        raise InputError(
            f"decay_arm {spec.decay_arm!r} needs branches that decay and return,"
            f" schedule {spec.schedule} has none; use wsd or power"
        )
    for name, (low, high) in bounds.items():
        if not low <= getattr(spec, name) <= high:
            raise InputError(
                f"{name} is {getattr(spec, name)}, it must lie between {low} and {high}"
            )
    if spec.dtype not in ("auto", "float32", "bfloat16"):
        raise InputError(f"dtype is {spec.dtype!r}; use auto, float32 or bfloat16")


def _check_growth(spec: RunSpec) -> None:
    if not spec.grown_from:
        return
    if (
        spec.grown_from < 1
        or spec.shape.n_layers % spec.grown_from
        or spec.grown_from == spec.shape.n_layers
    ):
        raise InputError(
            f"grown_from {spec.grown_from} must divide the {spec.shape.n_layers} layers"
            " of the shape and be fewer"
        )
    if spec.shape.n_experts and spec.grown_from % spec.shape.expert_every:
        raise InputError(
            f"grown_from {spec.grown_from} must be whole stretches of"
            f" {spec.shape.expert_every} layers, each with one of experts"
        )
    trunk = spec.segments[0]
    leave = 0 if trunk.budget_tokens else trunk.n_steps * spec.batch_tokens
    if not 0 < spec.growth_tokens < leave or spec.growth_tokens % spec.batch_tokens:
        raise InputError(
            f"growth_tokens {spec.growth_tokens} must be whole batches of"
            f" {spec.batch_tokens} before the first decay begins at {leave} tokens"
        )
    if spec.growth not in ("copy", "identity"):
        raise InputError(f"growth is {spec.growth!r}; use copy or identity")


def _check_branch(spec: RunSpec) -> None:
    if spec.loss not in LOSSES:
        raise InputError(f"loss is {spec.loss!r}; use {', '.join(LOSSES)}")
    if spec.loss == "answer" and spec.z_loss:
        raise InputError(
            f"z_loss is {spec.z_loss}, of a run that scores answers alone; set it to 0"
        )
    if spec.branch is None:
        return
    for name, wrong in (
        ("schedule", spec.schedule != "wsd"),
        ("decay_arm", spec.has_curriculum),
        ("grown_from", spec.grown_from != 0),
        ("unique_tokens", spec.unique_tokens is not None),
    ):
        if wrong:
            raise InputError(
                f"{name} is {getattr(spec, name)!r}, of a run that goes on from a trunk;"
                " such a run decays over all of its budget: leave it out"
            )


@dataclass(frozen=True, eq=False)
class DomainLoss:
    """Loss on one held-out domain. `document_loss_nats` (documents,): summed over each document, in pack order."""

    loss_nats: float  # per token
    standard_error_nats: float  # of loss_nats, over documents
    bits_per_byte: float
    n_tokens: int
    n_documents: int
    document_loss_nats: np.ndarray

    def to_dict(self) -> dict:
        return vars(self) | {"document_loss_nats": self.document_loss_nats.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping) -> "DomainLoss":
        return cls(
            **{
                **values,
                "document_loss_nats": np.array(
                    values["document_loss_nats"], np.float64
                ),
            }
        )


@dataclass(frozen=True, eq=False)
class BudgetResult:
    """A finished branch: one row of the runs table for each held-out domain."""

    budget_tokens: int
    n_tokens_seen: int
    n_tokens_unique: int
    epochs: float  # n_tokens_seen / distinct tokens of the view
    flops: float  # 6 N D with non-embedding N
    flops_exact: float  # with head and attention
    seconds: float  # of this run alone up to here: its share where runs were stacked
    diverged: bool
    shares: dict[str, float]  # fraction of the tokens seen, by group
    unique: dict[str, int]  # distinct tokens seen, by group
    held_out: dict[str, DomainLoss]
    # value and standard error, by metric
    items: dict[str, tuple[float, float]] = field(default_factory=dict)

    def to_dict(self) -> dict:
        values = vars(self) | {
            "held_out": {name: loss.to_dict() for name, loss in self.held_out.items()}
        }
        values.pop("items")
        return values | (
            {"items": {name: list(score) for name, score in self.items.items()}}
            if self.items
            else {}
        )

    @classmethod
    def from_dict(cls, values: Mapping) -> "BudgetResult":
        held_out = {
            name: DomainLoss.from_dict(loss)
            for name, loss in values["held_out"].items()
        }
        items = {name: tuple(score) for name, score in values.get("items", {}).items()}
        return cls(**{**values, "held_out": held_out, "items": items})


@dataclass(frozen=True, eq=False)
class RunResult:
    """All budgets of one trunk.

    `curve` has equally long columns: step, n_tokens_seen, budget_tokens (0 on the trunk), loss_nats (mean training
    loss of the steps up to this one), lr.
    """

    spec: RunSpec
    budgets: tuple[BudgetResult, ...]
    curve: dict[str, list]
    diverged: bool
    device: str
    seconds: float
    stack_size: int
    notes: tuple[str, ...] = field(default_factory=tuple)

    def to_dict(self) -> dict:
        budgets = [budget.to_dict() for budget in self.budgets]
        return vars(self) | {
            "spec": self.spec.to_dict(),
            "budgets": budgets,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, values: Mapping) -> "RunResult":
        budgets = tuple(BudgetResult.from_dict(budget) for budget in values["budgets"])
        return cls(
            **{
                **values,
                "spec": RunSpec.from_dict(values["spec"]),
                "budgets": budgets,
                "notes": tuple(values["notes"]),
            }
        )
