"""The form of a sweep's proxies: dense, with experts, or grown in depth while they train; the
checks of what is asked for.

Every size takes the same form, so that a law over sizes compares like with like.
"""

import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from stages.foundation.stage import Section
from stages.proxy.specs.shape import LADDER, Shape, whole_batches

# how the size of an image proxy is written: kind and width
IMAGE_SIZE = re.compile(r"(mlp|residual)-(\d{1,5})")


class Experts(Section):
    """A mixture of experts in place of every `every`-th MLP; granularity 1 splits the dense MLP
    over the active experts.
    """

    n_experts: int = Field(ge=1, le=1024)
    top_k: int = Field(ge=1)
    granularity: float = Field(1.0, gt=0, le=64)
    every: int = Field(1, ge=1, description="layers from one with experts to the next")


class Growth(Section):
    """Training starts with the first layers alone, which are then stacked to the size's own
    (see grow.py).
    """

    from_layers: int = Field(
        ge=1,
        description="layers that training starts with; must divide those of every size",
    )
    at_tokens: int = Field(
        gt=0,
        description=(
            "tokens before the layers are stacked, before the first decay of every"
            " budget"
        ),
    )
    kind: Literal["copy", "identity"] = Field(
        "copy",
        description=(
            "what added layers do at first: what their originals do, or nothing"
        ),
    )


def fault_of(
    sizes: Iterable[str], experts: Experts | None, growth: Growth | None
) -> str:
    """Why these sizes cannot have this form, in one line; empty where they can."""
    for name in sizes if experts or growth else ():
        if name not in LADDER:
            return (
                f"experts and growth are forms of text proxies, {name} is none; leave"
                " them out"
            )
        n_layers = LADDER[name][1]
        if experts and experts.every > n_layers:
            return (
                f"experts.every {experts.every} leaves size {name} of {n_layers} layers"
                " without experts; lower it"
            )
        if experts and experts.top_k > experts.n_experts:
            return (
                f"experts.top_k {experts.top_k} is more than the {experts.n_experts}"
                " experts; lower it"
            )
        if growth and (n_layers % growth.from_layers or growth.from_layers == n_layers):
            return (
                f"growth.from_layers {growth.from_layers} must divide the {n_layers}"
                f" layers of size {name} and be fewer; change it or leave the size out"
            )
        if growth and experts and growth.from_layers % experts.every:
            return (
                f"growth.from_layers {growth.from_layers} must be whole stretches of"
                f" experts.every {experts.every} layers"
            )
    return ""


def fault_in_time(
    growth: Growth,
    budget_tokens: int,
    batch_tokens: int,
    decay_fraction: float,
    schedule: str,
) -> str:
    """Why runs cannot grow when they are asked to, in one line; empty where they can."""
    if schedule == "cosine":
        return (
            "growth needs a trunk before the first decay, schedule cosine has none; use"
            " wsd, wsd_s or constant"
        )
    if growth.at_tokens % batch_tokens:
        return (
            f"growth.at_tokens {growth.at_tokens} is no multiple of batch_tokens"
            f" {batch_tokens}; use {whole_batches(growth.at_tokens, batch_tokens)}"
        )
    leave = budget_tokens * (1.0 if schedule == "constant" else 1 - decay_fraction)
    if growth.at_tokens >= leave:
        return (
            f"growth.at_tokens {growth.at_tokens} must come before the first decay at"
            f" {leave:.0f} tokens; lower it or drop the smallest budget"
        )
    return ""


def formed(shape: Shape, experts: Experts | None) -> Shape:
    """The shape with its experts."""
    return shape.with_experts(**dict(experts)) if experts else shape


def grown(growth: Growth | None, batch_tokens: int) -> dict[str, Any]:
    """Fields of a RunSpec; tokens in whole batches, as a rule of tuning may have set the batch."""
    if growth is None:
        return {}
    return {
        "grown_from": growth.from_layers,
        "growth_tokens": whole_batches(growth.at_tokens, batch_tokens),
        "growth": growth.kind,
    }
