"""Arms that are dropped: by a normal tail, at a level that all looks together do not exceed."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from stages.laws.deciding.hopeless import chance_to_lead, hopeless, level_at, sureness

QUANTILES = np.array([NormalDist().inv_cdf((i + 0.5) / 400) for i in range(400)])


def draws(*leads):
    """Draws of a leader at 0 and of arms that are so many of their own spreads behind."""
    return np.stack([np.zeros(400), *(lead + QUANTILES for lead in leads)], axis=1)


def test_the_chance_to_lead_is_the_normal_tail():
    found = chance_to_lead(draws(1.0, 3.0), ["a", "b", "c"])
    assert found["b"] == pytest.approx(0.1587, abs=0.005)
    assert found["c"] == pytest.approx(0.00135, abs=0.0003)
    assert found["a"] == pytest.approx(1 - found["b"]) and list(found) == list("abc")


def test_all_looks_together_spend_alpha():
    assert level_at(1, 2) == pytest.approx(0.025)
    spent = sum(4 * level_at(look, 5, alpha=0.1) for look in range(1, 100_000))
    assert spent == pytest.approx(0.1, abs=1e-5)


def test_an_arm_is_dropped_from_the_look_at_which_it_is_far_enough():
    # 3 spreads behind: .00135; two arms: .025, .0083, .0042, .0025, .00167, .00119
    values = draws(3.0)
    assert hopeless(values, ["a", "b"], look=5) == pytest.approx({"b": 0.00135}, 0.2)
    assert hopeless(values, ["a", "b"], look=6) == {}
    assert hopeless(draws(1.0), ["a", "b"], look=1) == {}


def test_few_wild_draws_do_not_make_an_arm_hopeless_or_hide_that_it_is():
    heavy = draws(2.2)
    heavy[:40, 1] -= 30.0  # a tenth of the draws says that it leads by far
    assert hopeless(heavy, ["a", "b"], look=1) == {}


def test_draws_that_all_agree_say_so():
    same = np.tile([1.0, 2.0], (50, 1))
    assert chance_to_lead(same, ["a", "b"]) == {"a": 1.0, "b": 0.0}
    assert hopeless(same, ["a", "b"], look=9) == {"b": 0.0}


def test_the_best_arm_is_seldom_dropped_over_many_looks():
    """Two equal arms, measured again and again: dropped by chance in less than alpha of the studies."""
    rng, lost, studies = np.random.default_rng(0), 0, 400
    for _ in range(studies):
        measured = []
        for look in range(1, 16):
            measured.append(rng.standard_normal())
            mean, error = np.mean(measured), 1 / math.sqrt(look)
            values = np.stack([np.zeros(400), mean + error * QUANTILES], axis=1)
            if "b" in hopeless(values, ["a", "b"], look):
                lost += 1
                break
    assert lost / studies < 0.05


def test_the_smaller_of_share_and_tails_is_how_sure_it_is():
    # behind by 1 and by 2 spreads: best in .841 of the draws, tails .159 and .023
    values = draws(1.0, 2.0)
    assert sureness(values, ["a", "b", "c"]) == pytest.approx(1 - 0.159 - 0.023, 0.01)
    # a skew lead: never behind, and by a normal of its mean and spread behind in .159
    skew = np.stack([np.zeros(400), np.full(400, 0.5)], axis=1)
    skew[:200, 1] = 1.5
    assert sureness(skew, ["a", "b"]) < 1.0
    # behind in a tenth of the draws by little, which the mean does not show
    often = np.stack([np.zeros(400), np.full(400, 5.0)], axis=1)
    often[:40, 1] = -0.1
    assert sureness(often, ["a", "b"]) == pytest.approx(0.9)
