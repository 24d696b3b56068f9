import numpy as np

from stages.curation.kernels.hashing import MULTIPLIER
from stages.curation.text.characters import mixed


def test_the_constants_are_those_of_splitmix64():
    """Its first two outputs from seed 0, as published with its reference code."""
    with np.errstate(over="ignore"):
        states = MULTIPLIER * np.array([1, 2], np.uint64)
    assert [hex(value) for value in mixed(states)] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
    ]
