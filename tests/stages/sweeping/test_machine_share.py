"""What the environment says of the machine is a whole number, or one line."""

import pytest

from stages.foundation.errors import InputError
from stages.sweeping import machine_share


@pytest.mark.parametrize(
    ("variable", "value", "function"),
    [
        ("ASSAY_GROUPS_PER_CARD", "0", machine_share.groups_per_card),
        ("ASSAY_GROUPS_PER_CARD", "two", machine_share.groups_per_card),
        ("ASSAY_JOBS", "-1", machine_share.jobs),
        ("ASSAY_JOBS", "all", machine_share.jobs),
    ],
)
def test_a_variable_that_is_no_whole_number_is_one_line(
    monkeypatch, variable, value, function
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=rf"{variable}={value}: must be a whole"):
        function()
    monkeypatch.setenv(variable, "")
    assert function() >= 1
