"""How a decision's metric is spoken of: loss or error, in which unit, and what its budgets count."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricWords:
    """`difference_unit` is that of a lead; `counted` is what proxies see and pools hold."""

    value: str
    unit: str
    difference_unit: str
    counted: str


def metric_words(unit: str) -> MetricWords:
    """The words for the unit of a metric: `nats/token`, `nats/image` or `share wrong`.

    >>> metric_words("nats/token").unit
    'nats a token'
    """
    if unit == "share wrong":
        return MetricWords(
            "error", unit="share wrong", difference_unit="share wrong", counted="images"
        )
    counted = unit.partition("/")[2]
    article = "an" if counted == "image" else "a"
    return MetricWords(
        "loss",
        unit=f"nats {article} {counted}",
        difference_unit="nats",
        counted=f"{counted}s",
    )
