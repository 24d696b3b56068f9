"""What held-out runs say of the candidates and of their intervals."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.backtest import best_shares, stretch, surprise
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.fitting.fit import fit_law


def test_a_candidate_that_always_errs_least_takes_all_and_equals_share():
    rng = np.random.default_rng(0)
    errors = np.abs(rng.standard_normal((1, 20)))
    assert best_shares([errors[0], errors[0] * 3], [5, 15])[0] == 1.0
    shares = best_shares(np.abs(rng.standard_normal((3, 400))), [200, 200])
    assert shares.sum() == pytest.approx(1) and shares.max() < 0.9
    with pytest.raises(InputError, match="20 errors for cuts of 19 runs"):
        best_shares([errors[0]], [4, 15])


def test_a_cut_of_one_run_counts_as_much_as_one_of_many():
    """The second candidate errs less on the one run of the first cut, by more than it errs more on the others."""
    first, second = np.r_[0.05, np.full(30, 0.010)], np.r_[0.01, np.full(30, 0.012)]
    assert best_shares([first, second], [1, 30])[1] > 0.8


def test_intervals_are_stretched_by_what_they_missed_and_never_shrunk():
    assert stretch(np.array([0.2, 0.9])) == 1.0 and stretch(np.ones(3)) == 1.0
    assert stretch(np.array([6.0, 6.0])) == pytest.approx(np.sqrt((2 + 12) / 4))


def test_surprise_is_one_for_runs_of_the_law_and_large_for_others(simulated):
    rows, _ = simulated("chinchilla")
    rng, large = np.random.default_rng(0), rows["n_params"] > 5e8
    found = []
    for shift in (0.0, 0.05):
        table = rows | {
            "value": (
                rows["value"]
                * np.exp(0.01 * rng.standard_normal(large.size) + shift * large)
            )
        }
        below, above = ({k: v[m] for k, v in table.items()} for m in (~large, large))
        fit = fit_law(
            get_law("chinchilla"), below, delta=None, n_starts=16, identify=False
        )
        found.append(surprise(bootstrap(fit, below, n_draws=100), above))
    assert 0.3 < found[0] < 2.5 and found[1] > 4
