from dataclasses import dataclass, replace

import pytest

from stages.presentation.numbers import flops_text, interval_text


@dataclass(frozen=True)
class Found:
    """A budget with its interval, FLOPs."""

    flops: float
    low: float | None
    high: float | None


@pytest.mark.parametrize(
    ("value", "shown"), [(4.1e15, "4.1e15"), (1000, "1.0e3"), (9.96e9, "1.0e10")]
)
def test_flops_have_two_digits_and_a_short_exponent(value, shown):
    assert flops_text(value) == shown


def test_an_interval_says_where_it_leaves_the_range():
    flip = Found(flops=4.1e10, low=3e10, high=5.5e10)
    assert interval_text(flip) == "4.1e10 FLOPs [3.0e10, 5.5e10]"
    assert interval_text(replace(flip, low=None)) == (
        "4.1e10 FLOPs [below the range, 5.5e10]"
    )
    assert interval_text(replace(flip, high=None)) == (
        "4.1e10 FLOPs [3.0e10, beyond the range]"
    )
