"""Crossover budgets: found where they are, covered by their intervals, open where the data do not say."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.deciding.crossover import crossovers
from stages.laws.deciding.path import arm_path
from stages.laws.fitting.fit import fit_law

ARMS = {"a": {}, "b": {}}
RANGE = (1e15, 1e23)


def fitted(rows, n_draws=150, seed=0):
    fit = fit_law(
        get_law("chinchilla"),
        rows,
        by_arm=("E", "B"),
        n_starts=8,
        identify=False,
        delta=None,
    )
    return bootstrap(fit, rows, clusters="pool_draw", n_draws=n_draws, seed=seed)


def test_a_known_crossover_is_covered(arm_runs):
    clean, _ = arm_runs(np.random.default_rng(0), 2, noise=0.0)
    true = crossovers(fitted(clean, n_draws=5), ARMS, *RANGE).switches[0].flops
    rng, hits, shares = np.random.default_rng(1), [], []
    for seed in range(100):
        found = crossovers(
            fitted(arm_runs(rng, 5)[0], seed=seed), ARMS, *RANGE
        ).switches
        assert len(found) == 1 and (found[0].first, found[0].second) == ("a", "b")
        hits.append((found[0].low or 0) <= true <= (found[0].high or np.inf))
        shares.append(found[0].share)
    assert 0.84 <= np.mean(hits) <= 0.97 and np.mean(shares) > 0.95


def test_the_sequence_covers_the_range_and_matches_the_values(arm_runs):
    boot = fitted(arm_runs(np.random.default_rng(0), 5)[0])
    found = crossovers(boot, {"a": {}, "b": {}, "c": {}}, *RANGE)
    assert found.sequence[0][:2] == ("a", RANGE[0]) and found.sequence[-1][
        2
    ] == pytest.approx(RANGE[1])
    for (_, _, end), (_, start, _) in zip(
        found.sequence, found.sequence[1:], strict=False
    ):
        assert end == start
    at = found.switches[0].flops
    path = arm_path(boot, [at / 3, at * 3], ARMS)
    assert (
        path.values["a"][0] < path.values["b"][0]
        and path.values["a"][1] > path.values["b"][1]
    )
    assert set(found.pairs) == {("a", "b"), ("a", "c"), ("b", "c")}


def test_equal_arms_have_an_open_crossover_that_few_draws_confirm(arm_runs):
    open_ends, shares = [], []
    for seed in range(10):
        found = crossovers(
            fitted(arm_runs(np.random.default_rng(seed), 5, equal=True)[0], seed=seed),
            ARMS,
            1e17,
            1e20,
        )
        shares.append(found.pair_share["a", "b"])
        open_ends += [c.low is None or c.high is None for c in found.switches]
    assert all(open_ends) and np.mean(shares) < 0.8


def test_limited_unique_data_makes_the_flip(simulated):
    rows, _ = simulated("overfit")
    boot = bootstrap(
        fit_law(get_law("overfit"), rows, n_starts=16, identify=False), rows, n_draws=20
    )
    found = crossovers(
        boot,
        {"scarce": {"n_tokens_unique": 1e8}, "plenty": {"n_tokens_unique": 1e10}},
        1e16,
        1e21,
        n_params=1e8,
    )
    assert [arm for arm, _, _ in found.sequence] == ["scarce", "plenty"]
    assert found.switches[0].flops == pytest.approx(
        6 * 1e8 * 1e8, rel=0.2
    )  # equal until the first repeat
    with pytest.raises(InputError, match="must grow"):
        crossovers(boot, {"all": {"n_tokens_unique": 1e8}}, 1e20, 1e18)
