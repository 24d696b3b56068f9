"""The `sweep` section of params.yaml."""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from stages.foundation.stage import Section
from stages.proxy.specs.shape import LADDER, whole_batches
from stages.settings.hyperparameters import Tuning
from stages.settings.model_forms import (
    IMAGE_SIZE,
    Experts,
    Growth,
    fault_in_time,
    fault_of,
)
from stages.target.target import Target

Passes = Annotated[float, Field(gt=0)]


class Regularisation(Section):
    """One setting that every arm is tried at; an arm is judged at its best."""

    weight_decay: float = Field(0.1, ge=0, le=100)
    dropout: float = Field(0.0, ge=0, lt=1)
    min_epochs: float = Field(
        0.0,
        ge=0,
        description="tried only on arms whose largest budget passes this many epochs",
    )


class AddedRun(Section):
    """A cell beyond the grid, or once more, on every resample from a seed of its own."""

    arm: str
    size: str
    tokens: int = Field(ge=1, description="budget of each run")
    weight_decay: float = Field(0.1, ge=0, le=100)
    dropout: float = Field(0.0, ge=0, lt=1)


class SweepParams(Section):
    sizes: list[str] = Field(
        min_length=1,
        description="proxies by non-embedding parameters: " + ", ".join(LADDER),
    )
    budgets_tokens: list[int] = Field(
        min_length=1, description="token budgets that branch off each trunk, rising"
    )
    regularisations: list[Regularisation] = Field(min_length=1)
    control_sizes: list[str] = Field(
        min_length=1,
        description=(
            "sizes at which drop_half and duplicate_half are trained; `same` is trained"
            " as its arm is"
        ),
    )
    added: list[AddedRun] = Field(
        [],
        description=(
            "further runs, which `assay run --until` writes here; taken out, they are"
            " not read any more"
        ),
    )
    context: int = Field(128, ge=8, le=65_536, description="tokens of context")
    batch_tokens: int = Field(512, ge=8, description="tokens a step")
    lr: float = Field(0.012, gt=0, le=10, description="peak learning rate")
    warmup_steps: int = Field(30, ge=0)
    decay_fraction: float = Field(
        0.2,
        gt=0,
        le=1,
        description="part of each budget over which the learning rate falls to zero",
    )
    schedule: Literal["wsd", "wsd_s", "cosine", "constant"] = Field(
        "wsd", description="see stages/proxy/specs/schedule.py"
    )
    decay_shape: Literal["linear", "sqrt"] = "linear"
    qk_norm: bool = Field(True, description="queries and keys to unit mean square")
    z_loss: float = Field(
        0.0,
        ge=0,
        le=1,
        description="weight of the squared log of the softmax's sum; 1e-4 is usual",
    )
    tuning: Tuning = Field(
        Tuning(), description="how sizes come to their learning rate and batch"
    )
    decay_mix: dict[str, str] = Field(
        {}, description="curriculum: arm -> the arm whose documents its decays read"
    )
    pool_passes: Passes | Literal["target"] | None = Field(
        None,
        description=(
            "simulated epoching: how often the target run passes over its whole pool;"
            " every budget is then a run of its own on as small a part of each arm as"
            " repeats it so often; target: as often as the section `target` says, which"
            " is the default where there is one"
        ),
    )
    target: Target | None = Field(None, description="taken from the section `target`")
    device: str = Field("auto", pattern="^(auto|cpu|cuda)$")
    documents_apart: bool = Field(
        False, description="attention stops at document boundaries"
    )
    experts: Experts | None = Field(None, description="null: dense proxies")
    growth: Growth | None = Field(
        None, description="null: every layer is there from the start"
    )
    watch: bool = Field(
        False,
        description=(
            "curves also say the largest attention logit and the size of the gradient,"
            " of the runs that are trained from now on; carried to the target they"
            " foretell an unstable run"
        ),
    )
    items: str | None = Field(
        None,
        description=(
            "jsonl of items scored at every budget: {question, choices, answer: index}"
            " or {question, answer: text}"
        ),
    )

    def fault(self, arms: Collection[str]) -> tuple[str, str] | None:
        """What a sweep of text cannot train: the key and why. arms: names of the arms that there are."""
        for run in self.added:
            if run.arm not in arms:
                return "added", (
                    f"no arm {run.arm!r}; take its runs out, or name one of"
                    f" {', '.join(arms)}"
                )
            if run.size not in LADDER:
                return "added", f"{run.size} is no text proxy; take its runs out"
        return None if self.tuning.sets_batch else self._uneven()

    def _uneven(self) -> tuple[str, str] | None:
        """A batch that is not whole contexts, or a budget that is not whole batches."""
        batch = self.batch_tokens
        if batch % self.context:
            return "batch_tokens", (
                f"{batch} is no multiple of the context {self.context}; use"
                f" {whole_batches(batch, self.context)}"
            )
        asked = [("budgets_tokens", budget) for budget in self.budgets_tokens]
        asked += [("added", run.tokens) for run in self.added]
        for key, budget in asked:
            if budget % batch:
                return key, (
                    f"budget of {budget} tokens is not a whole number of batches of"
                    f" {batch}; use {whole_batches(budget, batch)}"
                )
        return None

    @field_validator("sizes", "control_sizes", "added")
    @classmethod
    def _known_sizes(cls, given: list) -> list:
        for name in (each if isinstance(each, str) else each.size for each in given):
            if name not in LADDER and not IMAGE_SIZE.fullmatch(name):
                raise ValueError(
                    f"no proxy size {name!r}; choose among {', '.join(LADDER)}; of"
                    " images mlp-32, residual-8 and so on"
                )
        return given

    @model_validator(mode="after")
    def _agree(self) -> "SweepParams":
        if self.pool_passes == "target" and self.target is None:
            raise ValueError("pool_passes: target needs a section `target`")
        if self.budgets_tokens != sorted(set(self.budgets_tokens)):
            raise ValueError(f"budgets_tokens {self.budgets_tokens} must rise")
        if fault := fault_of(
            [*self.sizes, *self.control_sizes], self.experts, self.growth
        ):
            raise ValueError(fault)
        if (
            self.growth
            and not self.tuning.sets_batch
            and (
                fault := fault_in_time(
                    self.growth,
                    self.budgets_tokens[0],
                    batch_tokens=self.batch_tokens,
                    decay_fraction=self.decay_fraction,
                    schedule=self.schedule,
                )
            )
        ):
            raise ValueError(fault)
        if self.tuning.rule == "power" and self.schedule != "wsd":
            raise ValueError(
                "tuning.rule power is a schedule of its own (value schedule:"
                f" {self.schedule}); leave schedule at wsd"
            )
        return self
