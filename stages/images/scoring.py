"""How images are scored: the section `score.images`, without what trains and computes."""

from typing import Literal

from pydantic import Field, field_validator

from stages.foundation.section import Section

# pruning metrics, see difficulty.py
METRIC_NAMES = (
    "el2n",
    "grand",
    "forgetting",
    "margin",
    "active_learning",
    "ddd",
    "memorisation",
    "influence_max",
    "influence_sum_abs",
    "class_prototypes",
    "prototypes",
    "random",
)


class ImageScoring(Section):
    """How models are trained for scores."""

    metrics: list[str] = Field(
        ["el2n"],
        min_length=1,
        description="pruning metrics, one column each: " + ", ".join(METRIC_NAMES),
    )
    kind: Literal["mlp", "residual"] = "mlp"
    width: int = Field(32, ge=1)
    depth: int = Field(1, ge=1)
    samples: int = Field(
        19_200, ge=32, description="samples that each model is trained on"
    )
    batch_samples: int = Field(32, ge=1)
    lr: float = Field(0.003, gt=0)
    models: int = Field(4, ge=1, description="models that a metric is averaged over")

    @field_validator("metrics")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        if unknown := [name for name in names if name not in METRIC_NAMES]:
            raise ValueError(
                f"no pruning metric {unknown[0]!r}; known are {', '.join(METRIC_NAMES)}"
            )
        return names
