"""Budgets in FLOPs or in hours of one accelerator; each fault in one line."""

import pytest

from flows.commands.budgets import budget
from stages.foundation.errors import InputError


@pytest.mark.parametrize(
    ("text", "flops"),
    [("1e21", 1e21), ("40h", 40 * 3600 * 4e14), ("1.5e3h", 1500 * 3600 * 4e14)],
)
def test_hours_are_flops_at_what_the_accelerator_sustains(text, flops):
    assert budget(text, flops_per_s=4e14) == pytest.approx(flops)


@pytest.mark.parametrize(
    ("text", "rate", "message"),
    [
        ("40h", None, "40h: hours of an accelerator are a budget with --flops-per-s"),
        ("h", 4e14, "'h' is no budget"),
        ("e-h", 4e14, "'e-h' is no budget"),
        ("4O", 4e14, "'4O' is no budget; give FLOPs as 1e21"),
        ("nan", None, "nan is no amount"),
        ("-1", None, "-1 is no amount; give 0 to 1e.60 FLOPs"),
        ("1e400", None, "1e400 is no amount"),
        ("1e50h", 4e14, "1e50h is no amount"),
    ],
)
def test_what_is_no_budget_is_named(text, rate, message):
    with pytest.raises(InputError, match=message) as error:
        budget(text, rate)
    assert len(str(error.value)) < 300
