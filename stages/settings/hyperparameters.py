"""Which learning rate, batch and schedule a size and budget are trained with: one rule for all
arms, so that data are compared and not tuning.

fixed        sweep.lr and sweep.batch_tokens for every size (default)
width        both are tuned at `base_size` and carried to other widths and depths
             (stages/proxy/specs/transfer.py)
step_law     lr = lr_scale N^-lr_size D^lr_tokens, batch_tokens = batch_scale D^batch_tokens (Li et
             al. 2025); below 1M parameters its rates were measured about 5 times too high
power        a stable rate that falls as power_scale sequences D^-power_tokens (Shen et al. 2024),
             from sweep.lr down

Laws are fitted elsewhere (`assay fit step_law_lr TABLE`); their constants come in here as params,
with the published ones as default.
"""

import math
from typing import Any, Literal

from pydantic import Field, model_validator

from stages.foundation.errors import ParamsError
from stages.foundation.stage import Section
from stages.proxy.specs.shape import LADDER, Shape, whole_batches


class Tuning(Section):
    """How a size and budget come to their learning rate and batch."""

    rule: Literal["fixed", "width", "step_law", "power"] = "fixed"
    base_size: str | None = Field(
        None,
        description=(
            "width: the size at which sweep.lr was tuned; its width and depth are the"
            " base"
        ),
    )
    lrs: list[float] = Field(
        [],
        description=(
            "width: learning rates tried at base_size; the best is used and the trial"
            " kept with the runs"
        ),
    )
    lr_scale: float = Field(
        1.797, gt=0, description="step law, cited: mean of the published bootstraps"
    )
    lr_size: float = Field(0.71292, ge=0)
    lr_tokens: float = Field(0.30749, ge=0)
    batch_scale: float = Field(0.5807, gt=0)
    batch_tokens: float = Field(0.57094, ge=0)
    power_scale: float = Field(
        4.6,
        gt=0,
        description=(
            "power scheduler, cited: lr = power_scale * sequences *"
            " tokens^-power_tokens"
        ),
    )
    power_tokens: float = Field(0.51, gt=0)
    critical_batch: bool = Field(
        False,
        description=(
            "batch from the gradient noise measured at the first size, in place of"
            " sweep.batch_tokens; sweep.lr, which is for that, moves as its square root"
        ),
    )

    @model_validator(mode="after")
    def _base_is_known(self) -> "Tuning":
        if self.rule == "width" and self.base_size not in LADDER:
            raise ValueError(
                f"rule width needs base_size, one of {', '.join(LADDER)} (value"
                f" {self.base_size})"
            )
        if self.lrs and (self.rule != "width" or min(self.lrs) <= 0):
            raise ValueError(f"lrs {self.lrs} are positive and belong to rule width")
        return self

    @property
    def sets_batch(self) -> bool:
        """Whether the batch is not the one in params, so that budgets are rounded to it."""
        return self.critical_batch or self.rule == "step_law"


def hyperparameters(
    tuning: Tuning, *, shape: Shape, largest_tokens: int, lr: float, batch_tokens: int
) -> tuple[dict[str, Any], str]:
    """Fields of a RunSpec for one size whose largest budget is `largest_tokens`, and one line saying why.

    A ladder of budgets shares one trunk, so rules that depend on tokens take those of the largest budget.
    """
    settings: dict[str, Any] = {"lr": lr, "batch_tokens": batch_tokens}
    if tuning.rule == "width":
        base = Shape.named(str(tuning.base_size))
        return (
            settings
            | {
                "base_width": base.d_model,
                "base_depth": base.n_layers,
            },
            f"lr {lr:g} of {tuning.base_size}, scaled to width {shape.d_model}",
        )
    if tuning.rule == "step_law":
        found = (
            tuning.lr_scale
            * shape.n_params**-tuning.lr_size
            * largest_tokens**tuning.lr_tokens
        )
        batch = whole_batches(
            tuning.batch_scale * largest_tokens**tuning.batch_tokens, shape.context
        )
        return (
            {"lr": found, "batch_tokens": batch},
            (
                f"step law: lr {found:.3g}, batch {batch} at N {shape.n_params:,}, D"
                f" {largest_tokens:,}"
            ),
        )
    if tuning.rule == "power":
        begins = (tuning.power_scale * batch_tokens / shape.context / lr) ** (
            1 / tuning.power_tokens
        )
        power = {"schedule": "power", "power_tokens": max(1.0, begins)}
        return (
            settings | power,
            f"power scheduler: lr {lr:g}, falling from {begins:,.0f} tokens on",
        )
    return settings, f"lr {lr:g}, batch {batch_tokens} for every size"


def lr_of_batch(lr: float, batch_tokens: int, new_batch_tokens: int) -> float:
    """The learning rate of another batch: as the square root of the batch, which keeps the noise of Adam's steps
    (Malladi et al. 2022).

    >>> lr_of_batch(0.012, 512, 2048)
    0.024
    """
    return lr * math.sqrt(new_batch_tokens / batch_tokens)


def whole_budgets(budgets_tokens: list[int], batch_tokens: int) -> tuple[int, ...]:
    """The budgets in whole batches of a rule. ParamsError where two become one."""
    whole = tuple(whole_batches(budget, batch_tokens) for budget in budgets_tokens)
    if len(set(whole)) < len(whole):
        raise ParamsError(
            f"sweep.budgets_tokens {budgets_tokens} are not apart in"
            f" batches of {batch_tokens} tokens; leave the smallest out"
        )
    return whole


def lr_sensitivity(losses: dict[float, float], start_nats: float) -> float:
    """Mean loss lost over the rates tried against the best, none counted worse than an untrained
    model (Wortsman et al. 2023).

    losses: learning rate -> loss in nats. Example: `lr_sensitivity({.01: 3.0, .02: 3.1}, 6.2) ==
    0.05`.
    """
    capped = [
        min(loss, start_nats) if math.isfinite(loss) else start_nats
        for loss in losses.values()
    ]
    return sum(capped) / len(capped) - min(capped)
