"""The `decide` section of params.yaml."""

from pydantic import Field, NonNegativeFloat

from stages.foundation.section import Section
from stages.target.target import Target


class DecideParams(Section):
    target_flops: list[float] = Field(
        min_length=1, description="budgets that an answer is wanted for, FLOPs (6ND)"
    )
    target: Target | None = Field(None, description="taken from the section `target`")
    n_params: int | None = Field(
        None,
        ge=1,
        description=(
            "model size that the answer speaks for; null: the largest trained, 0 is not"
            " a size"
        ),
    )
    baseline: str | None = Field(
        None,
        description=(
            "arm that others are worth compute against; null: the one that keeps"
            " everything, and the second best where there is none"
        ),
    )
    veto: dict[str, NonNegativeFloat] = Field(
        {},
        description=(
            "judge of fit.judges -> bits a byte that the winner may be worse there than"
            " the baseline; more than that, and nothing is decided. Of a mixture than"
            " the prior, and only mixtures that keep it are proposed"
        ),
    )
    level: float = Field(0.9, gt=0.5, lt=1, description="coverage of every interval")
    decide_at: float = Field(
        0.9, gt=0.5, lt=1, description="P(best) from which an arm may be called decided"
    )
    tie_fraction: float = Field(
        0.005,
        ge=0,
        lt=1,
        description="a lead surely below this fraction of the loss is a tie",
    )
    max_decades: float = Field(
        0.5,
        ge=0,
        le=4,
        description=(
            "factors of ten above the largest measured compute beyond which nothing is"
            " decided"
        ),
    )
    search_decades: float = Field(
        1.0,
        ge=0,
        le=6,
        description=(
            "factors of ten above the largest measured compute that are searched for"
            " flips"
        ),
    )
