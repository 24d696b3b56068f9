"""How a decision's metric is spoken of: loss or error, in which unit, and what its budgets count."""

from dataclasses import dataclass

UNITS = {
    "loss": "nats/token",
    "error": "share wrong",
    "bpb": "bits/byte",
    "correct_nats": "nats/item",
    "correct_bpb": "bits/byte",
    "brier": "squared error",
}
SUITE = "bpb_suite"  # the mean of several judges


@dataclass(frozen=True)
class MetricWords:
    """`difference_unit` is that of a lead; `counted` is what proxies see and pools hold."""

    value: str
    unit: str
    difference_unit: str
    counted: str


def metric_parts(metric: str) -> tuple[str, str]:
    """Kind of a metric of the runs table, and the held-out domain or the items that it is measured on.

    >>> metric_parts("loss_news"), metric_parts("correct_bpb_copy")
    (('loss', 'news'), ('correct_bpb', 'copy'))
    """
    kinds = [kind for kind in UNITS if metric.startswith(f"{kind}_")]
    kind = max(kinds, key=len, default=metric.partition("_")[0])
    return kind, metric.removeprefix(f"{kind}_")


def metric_unit(metric: str, modality: str = "text") -> str:
    """The unit of a metric of the runs table.

    >>> metric_unit("loss_news"), metric_unit("loss_digits", "image"), metric_unit("bpb_news")
    ('nats/token', 'nats/image', 'bits/byte')
    """
    kind = metric_parts(metric)[0]
    return "nats/image" if (kind, modality) == ("loss", "image") else UNITS[kind]


def metric_words(unit: str) -> MetricWords:
    """The words for the unit of a metric.

    >>> metric_words("nats/token").unit
    'nats a token'
    """
    if unit == "share wrong":
        return MetricWords("error", unit=unit, difference_unit=unit, counted="images")
    if unit == "squared error":
        return MetricWords("score", unit=unit, difference_unit=unit, counted="tokens")
    measure, _, each = unit.partition("/")
    article = "an" if each[0] in "aeiou" else "a"
    return MetricWords(
        "loss",
        unit=f"{measure} {article} {each}",
        difference_unit="nats" if measure == "nats" else f"{measure} {article} {each}",
        counted="images" if each == "image" else "tokens",
    )
