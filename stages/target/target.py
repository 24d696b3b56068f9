"""The `target` section of params.yaml: the run that the decisions are for.

    target: {params: 1.0e+9, tokens: 2.0e+10, pool_tokens: 4.0e+11}

What a stage is not told follows from it (derived.py); without the section every stage is told.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from stages.foundation.section import Section

PER_PARAM_TOKEN = 6.0  # cited: Kaplan et al. 2020, forward and backward of a weight
SECONDS_AN_HOUR = 3600.0
SAME = 1e-6  # two ways to write one budget differ by less
# which of them says how long the target is trained
LENGTHS = ("tokens", "flops", "accelerator_hours")


class Target(Section):
    """One training run: its size, its length and the pools that it reads."""

    params: float = Field(
        ge=1, le=1e15, description="non-embedding parameters of the model to be trained"
    )
    tokens: float | None = Field(
        None, ge=1, le=1e18, description="tokens (or images) that it will see"
    )
    flops: float | None = Field(
        None, gt=0, le=1e32, description="the same as compute, FLOPs (6ND)"
    )
    accelerator_hours: float | None = Field(
        None, gt=0, le=1e12, description="the same as hours of one accelerator"
    )
    flops_per_s: float | None = Field(
        None,
        gt=0,
        le=1e20,
        description="FLOPs (6ND) a second that one accelerator sustains; with accelerator_hours",
    )
    pool_tokens: float | dict[str, float] | None = Field(
        None,
        description=(
            "different tokens of the whole pool, duplicates removed, or of each pool by"
            " name; null, and pools not named: as ingested"
        ),
    )

    generation_flops_per_token: dict[str, Annotated[float, Field(gt=0, le=1e18)]] = (
        Field(
            {},
            exclude_if=lambda flops: not flops,
            description=(
                "pool -> FLOPs spent on generating one of its tokens, where it was not written"
                " by people; taken from the compute of the arms that use it, once however"
                " often it repeats"
            ),
        )
    )

    @model_validator(mode="after")
    def _one_length(self) -> "Target":
        said = [name for name in LENGTHS if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(
                f"needs exactly one of {', '.join(LENGTHS)}; has"
                f" {' and '.join(said) or 'none'}"
            )
        if (self.accelerator_hours is None) != (self.flops_per_s is None):
            raise ValueError(
                "accelerator_hours and flops_per_s belong together; give both or"
                " neither"
            )
        stated = self.pool_tokens
        sizes = stated.values() if isinstance(stated, dict) else [stated or 1.0]
        if bad := [size for size in sizes if not 1 <= size <= 1e18]:
            raise ValueError(f"pool_tokens must lie in 1 to 1e18, got {bad[0]:g}")
        if self.n_tokens < 1:
            raise ValueError(f"{self.n_flops:g} FLOPs pay for less than one token")
        return self

    @property
    def n_flops(self) -> float:
        """Compute of the target run, FLOPs (6ND)."""
        if self.flops is not None:
            return self.flops
        if self.accelerator_hours is not None and self.flops_per_s is not None:
            return self.accelerator_hours * SECONDS_AN_HOUR * self.flops_per_s
        return PER_PARAM_TOKEN * self.params * float(self.tokens or 0)

    @property
    def n_tokens(self) -> float:
        """Tokens that the target run sees."""
        if self.tokens is not None:
            return self.tokens
        return self.n_flops / PER_PARAM_TOKEN / self.params

    def pools(self, ingested: Mapping[str, float]) -> dict[str, float]:
        """Different tokens of each pool of the target. ingested: pool -> tokens, duplicates removed.

        >>> target = Target(params=1e9, tokens=2e10, pool_tokens={"web": 4e11})
        >>> target.pools({"web": 1e6, "code": 5e5})
        {'web': 400000000000.0, 'code': 500000.0}
        >>> Target(params=1e9, tokens=2e10, pool_tokens=3e9).pools({"web": 1e6, "code": 5e5})
        {'web': 2000000000.0, 'code': 1000000000.0}
        """
        if isinstance(self.pool_tokens, dict):
            return {
                name: float(self.pool_tokens.get(name, tokens))
                for name, tokens in ingested.items()
            }
        total = sum(ingested.values())
        times = 1.0 if self.pool_tokens is None else self.pool_tokens / total
        return {name: times * tokens for name, tokens in ingested.items()}

    def passes(self, ingested: Mapping[str, float]) -> float:
        """How often the target run would pass over the whole of its pools."""
        return self.n_tokens / sum(self.pools(ingested).values())

    @property
    def stated_passes(self) -> float | None:
        """The same from what is stated alone; None where pools count as ingested."""
        if self.pool_tokens is None:
            return None
        stated = self.pool_tokens
        total = sum(stated.values()) if isinstance(stated, dict) else stated
        return self.n_tokens / total


def is_budget_of(target: Target, flops: float) -> bool:
    """Whether a budget in FLOPs is that of the target."""
    return abs(flops / target.n_flops - 1) < SAME
