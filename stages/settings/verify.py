"""The `verify` section of params.yaml."""

from pydantic import Field

from stages.foundation.stage import Section


class VerifyParams(Section):
    train: bool = Field(True, description="false: judge only what is there")
    times: float = Field(
        8.0,
        gt=1,
        le=1e4,
        description="compute to train to, times the largest fitted at the size",
    )
    flops: float | None = Field(
        None, gt=0, description="compute to train to in FLOPs (6ND), in place of times"
    )
    best_arms: int = Field(
        2,
        ge=1,
        le=4,
        description=(
            "arms that are predicted best there; the unfiltered one is trained too"
        ),
    )
    control: bool = Field(
        False, description="also the twins of these arms, where the sweep has them"
    )
    draws: int = Field(1, ge=1, description="resamples of the pool that are trained")
    questions: list[str] | None = Field(
        None, min_length=1, description="questions to train for; null: all of them"
    )
    device: str = Field("auto", pattern="^(auto|cpu|cuda)$")
