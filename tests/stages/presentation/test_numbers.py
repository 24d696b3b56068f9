from dataclasses import dataclass, replace

import pytest

from stages.foundation.one_line import share_text, told_apart
from stages.presentation.numbers import (
    flops_text,
    interval_text,
)


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


@pytest.mark.parametrize(
    ("share", "bounds", "shown"),
    [
        (1.0, (), "100%"),
        (0.9999999999999998, (), "100%"),  # a sum of weights
        (0.995, (), "99.5%"),
        (0.002, (), "0.2%"),
        (0.0, (), "0%"),
        (0.94875, (0.95,), "94.9%"),
        (0.9496, (0.95,), "94.96%"),
        (0.95, (0.95,), "95%"),
        (0.5, (0.95,), "50%"),
    ],
)
def test_a_share_reads_as_an_end_or_a_bound_only_where_it_is_that(share, bounds, shown):
    assert share_text(share, *bounds) == shown


def test_a_number_just_beyond_a_bound_has_the_digits_that_say_so():
    assert told_apart(1.00103, 1, digits=1) == "1.001"
    assert told_apart(1.7, 1, digits=1) == "1.7"
    assert told_apart(0.03, 0, digits=1) == "0.03"
