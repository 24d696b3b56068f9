"""Which parameters arms share."""

import pytest

from stages.foundation.errors import InputError
from stages.laws import LAWS, get_law
from stages.laws.fitting.sharing import freed, separate


def test_parameters_are_shared_as_asked():
    law = get_law("chinchilla")
    assert separate(law) == law.arm_parameters == ("E", "B")
    assert separate(law, "none") == law.parameter_names and separate(law, "all") == ()
    assert separate(law, "alpha, beta") == ("E", "A", "B")
    with pytest.raises(InputError, match="no parameter 'gamma' to share; it has: E, A"):
        separate(law, "alpha,gamma")


def test_the_exponents_of_separate_amplitudes_are_freed():
    assert freed(get_law("chinchilla"), ("E", "B")) == ("E", "B", "beta")
    assert freed(get_law("chinchilla"), ("E",)) == ("E",)
    for law in LAWS.values():
        assert (
            set(law.arm_parameters)
            <= set(freed(law, law.arm_parameters))
            <= set(law.parameter_names)
        )
