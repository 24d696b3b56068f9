"""How a decision's metric is spoken of: loss or error, in which unit, and what its budgets count."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricWords:
    """`difference_unit` is that of a lead; `counted` is what proxies see and pools hold."""

    value: str
    unit: str
    difference_unit: str
    counted: str


def metric_words(metric: dict[str, str]) -> MetricWords:
    """The words for {name, domain, unit} of a record.

    >>> metric_words({"name": "loss_news", "unit": "nats/token"}).unit
    'nats a token'
    """
    if metric["unit"] == "share wrong":
        return MetricWords("error", "share wrong", "share wrong", "images")
    counted = metric["unit"].partition("/")[2]
    return MetricWords(
        "loss",
        f"nats {'an' if counted == 'image' else 'a'} {counted}",
        "nats",
        f"{counted}s",
    )
