"""Two mixtures as one swarm and back."""

import numpy as np
import pytest

from stages.mixtures.phases import (
    domains_of,
    groups_of,
    in_search,
    overall,
    part_of,
    spoken,
    to_search,
)

TWO = {"over": ["web", "code"], "two_phases": True}
ONE = {"over": ["web", "code"], "two_phases": False}


def test_each_phase_has_every_pool_and_half_of_the_shares():
    assert domains_of(TWO) == ["stable web", "stable code", "decay web", "decay code"]
    assert [(own.tolist(), total) for own, total in groups_of(TWO)] == [
        ([0, 1], 0.5),
        ([2, 3], 0.5),
    ]
    caps = to_search(TWO, {"web": 0.6})
    assert caps == {"stable web": 0.3, "decay web": 0.3}
    assert in_search(TWO, [0.6, 0.4, 1.0, 0.0]).tolist() == [0.3, 0.2, 0.5, 0.0]
    assert spoken(TWO, {"stable web": 0.3}) == {"stable web": 0.6}
    assert spoken(TWO, {"stable web": [0.1, 0.2]}) == {"stable web": [0.2, 0.4]}


def test_one_mixture_stays_as_it_is():
    assert domains_of(ONE) == ["web", "code"] and groups_of(ONE) == ()
    assert to_search(ONE, {"web": 0.6}) == spoken(ONE, {"web": 0.6}) == {"web": 0.6}
    assert in_search(ONE, np.array([0.6, 0.4])).tolist() == [0.6, 0.4]


def test_what_is_read_overall_weighs_the_phases_by_their_tokens():
    shares = {
        "stable web": 0.5,
        "stable code": 0.5,
        "decay web": 1.0,
        "decay code": 0.0,
    }
    assert overall(TWO, shares, 0.2) == pytest.approx({"web": 0.6, "code": 0.4})
    assert part_of("decay", 0.2) == 0.2 and part_of("stable", 0.2) == 0.8
