"""Sums read off a table of half-lives equal the sums over passes."""

import numpy as np
import pytest

from stages.laws.repetition.half_life import _log_stepped, _log_tokens
from stages.laws.repetition.pass_sums import FEWEST, between_nodes

SEEN = np.array([1e6, 2.5e6, 1.6e7, 3e8, 1e9])
UNIQUE = np.array([1e6, 1e6, 1e6, 1e6, 1e5])  # 1 pass to 10,000


@pytest.mark.parametrize("direct", [_log_tokens, _log_stepped])
def test_many_half_lives_are_read_off_the_table(direct):
    tau = np.geomspace(0.05, 1e6, 1201)[:, None]
    assert tau.size > FEWEST
    exact = direct(tau, SEEN, UNIQUE)
    np.testing.assert_allclose(
        between_nodes(tau, SEEN, UNIQUE, direct), exact, rtol=1e-8
    )


def test_every_point_may_have_a_half_life_of_its_own():
    tau = np.geomspace(0.5, 50, 300)[:, None] * np.array([1.0, 2.0, 0.5, 3.0, 0.1])
    exact = _log_tokens(tau, SEEN, UNIQUE)
    found = between_nodes(tau, SEEN, UNIQUE, _log_tokens)
    np.testing.assert_allclose(found, exact, rtol=1e-8)


def test_two_passes_by_hand():
    seen, unique = np.array([2e3]), np.array([1e3])
    tau = np.full((FEWEST, 1), 1.0)  # the second pass is worth half
    by_hand = np.log(1e3) + 0.5 * np.log(2)
    found = between_nodes(tau, seen, unique, _log_tokens)
    np.testing.assert_allclose(found, by_hand, rtol=1e-8)
    tokens = between_nodes(tau, seen, unique, _log_stepped)
    np.testing.assert_allclose(np.exp(tokens), 1500, rtol=1e-6)
