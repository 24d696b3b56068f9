"""The worth of a run, by the formulas of two arms whose lead is normal."""

from statistics import NormalDist

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws.deciding.advisor import (
    WORTH,
    Outlook,
    chances,
    likelihoods,
    ranked,
)

DRAWS = 600
# quantiles of a standard normal in any order, so that its numbers are those of the formulas
NORMAL = np.random.default_rng(1).permutation(
    [NormalDist().inv_cdf((i + 0.5) / DRAWS) for i in range(DRAWS)]
)


def two_arms(lead):
    return Outlook.of(np.stack([lead, np.zeros(lead.size)], axis=1))


@pytest.mark.parametrize(("noise", "wrong"), [(1.0, 0.25), (0.5774, 1 / 6)])
def test_a_run_of_the_lead_itself_leaves_the_error_of_a_normal(noise, wrong):
    """Lead and noise normal: the sign of what is measured is wrong in arctan(noise / spread) / pi of the cases."""
    outlook = two_arms(NORMAL)
    assert outlook.expected("wrong") == pytest.approx(0.5, abs=0.03)
    after = outlook.after(NORMAL, noise, seed=5)
    assert after.expected("wrong") == pytest.approx(wrong, abs=0.03)


def test_the_regret_of_not_knowing_is_that_of_the_normal():
    """E max(0, lead) of a standard normal is 1 / sqrt(2 pi); after a run as noisy as the lead is wide, (1 - .707) of
    it."""
    outlook = two_arms(NORMAL)
    full = 1 / np.sqrt(2 * np.pi)
    assert outlook.expected("regret") == pytest.approx(full, abs=0.05)
    after = outlook.after(NORMAL, 1.0, seed=5).expected("regret")
    assert after == pytest.approx((1 - np.sqrt(0.5)) * full, abs=0.04)


def test_doubt_falls_by_a_run_that_cannot_change_the_answer():
    """Best in 90 % of the draws: a run that moves this to 85 or 95 % names no other arm."""
    rng = np.random.default_rng(0)
    lead = np.where(np.arange(400) < 40, 1.0, -1.0)
    tells = 0.3 * lead + rng.standard_normal(400)
    outlook = two_arms(lead)
    after = outlook.after(tells, 0.2, seed=1)
    assert outlook.expected("wrong") == pytest.approx(0.1, abs=1e-3)
    assert outlook.expected("doubt") == pytest.approx(2 * 0.1 * 0.9, abs=1e-3)
    assert after.expected("doubt") < outlook.expected("doubt") - 0.005


def test_runs_that_say_the_same_are_worth_less_together():
    outlook = two_arms(NORMAL)
    after = outlook.after(NORMAL, 0.3, seed=1)
    first = outlook.expected() - after.expected()
    second = after.expected() - after.after(NORMAL, 0.3, seed=2).expected()
    assert second < first / 2


def test_candidates_are_ranked_per_flop_and_those_worth_little_come_last():
    other = np.random.default_rng(9).standard_normal(DRAWS)
    predicted = np.stack([NORMAL, NORMAL, other], axis=1)
    flops = [2.0, 1.0, 1e-9]
    best, dearer, idle = ranked(
        two_arms(NORMAL), predicted, flops=flops, noise=0.5, seed=2
    )
    assert [best.candidate, dearer.candidate, idle.candidate] == [1, 0, 2]
    assert best.fall == dearer.fall and best.per_flop == 2 * dearer.per_flop
    assert idle.fall < WORTH * best.fall and idle.before == best.before
    assert best.before == pytest.approx(0.5, abs=0.01)


def test_the_chance_of_an_arm_is_its_share_of_the_draws():
    values = np.array([[1, 2, 3], [2, 1, 3], [1, 4, 3], [5, 4, 3]], float)
    assert chances(values).tolist() == [0.5, 0.25, 0.25]


def test_a_run_that_all_draws_agree_on_tells_nothing():
    same = likelihoods(np.full(7, 2.0), noise=0.1)
    assert np.ptp(same, axis=1) == pytest.approx(0)
    outlook = two_arms(NORMAL)
    [advice] = ranked(outlook, np.ones((DRAWS, 1)), flops=[3.0], noise=0.1)
    assert advice.fall == pytest.approx(0) and advice.flops == 3.0


def test_one_arm_leaves_nothing_to_choose_and_shapes_must_agree():
    with pytest.raises(InputError, match=r"\(draws, arms\) .* got \(5, 1\)"):
        Outlook.of(np.ones((5, 1)))
    with pytest.raises(InputError, match=r"\(600, 2\), got \(600, 1\)"):
        ranked(two_arms(NORMAL), np.ones((DRAWS, 1)), flops=[1.0, 2.0], noise=0.1)
