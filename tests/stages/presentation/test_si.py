import pytest

from stages.presentation.si import si


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (999, "999"),
        (1000, "1k"),
        (75e6, "75M"),
        (1.234e9, "1.23B"),
        (3e12, "3T"),
        (3e15, "3e+15"),
    ],
)
def test_thousands_become_a_letter(value, shown):
    assert si(value) == shown
