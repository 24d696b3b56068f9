"""Rows of a decision for a person."""

import pytest

from stages.decision.tables import counted


@pytest.mark.parametrize(
    ("given", "shown"), [(5.0, "5"), (5, "5"), (4.34, "4.3"), (7.96, "8")]
)
def test_counts_have_no_idle_decimals(given, shown):
    assert str(counted(given)) == shown
