"""Losses are spoken of in nats, errors in shares, and budgets in what the proxies see."""

import pytest

from stages.presentation.metric_words import MetricWords, metric_words


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("nats/token", ("loss", "nats a token", "nats", "tokens")),
        ("nats/image", ("loss", "nats an image", "nats", "images")),
        ("bits/byte", ("loss", "bits a byte", "bits a byte", "tokens")),
        ("nats/item", ("loss", "nats an item", "nats", "tokens")),
        ("squared error", ("score", "squared error", "squared error", "tokens")),
        ("share wrong", ("error", "share wrong", "share wrong", "images")),
    ],
)
def test_the_words_follow_the_unit(unit, words):
    assert metric_words(unit) == MetricWords(*words)
