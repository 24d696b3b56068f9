"""Intervals of a weighted mean of laws: they cover on simulated truth, grow beyond the runs, and keep arms paired.

Coverage: 25 tables of 12 new runs each, which share a fit.
"""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.choosing.averaged import _whole, mixture
from stages.laws.choosing.choose import choose_law
from stages.laws.fitting.variant import variants_of

LAWS = [get_law(name) for name in ("chinchilla", "coupled")]
OPTIONS = {"n_starts": 8, "delta": None}


def table(rng, noise=0.01):
    """60 runs of a known law; the 12 of largest compute reach .7 decades further."""
    n, d = (
        np.exp(rng.uniform(np.log(5e6), np.log(1e9), 60)),
        np.exp(rng.uniform(np.log(1e8), np.log(2e10), 60)),
    )
    truth = get_law("chinchilla").value(
        {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.36},
        {"n_params": n, "n_tokens_seen": d},
    )
    rows = {
        "n_params": n,
        "n_tokens_seen": d,
        "flops": 6 * n * d,
        "value": truth * np.exp(noise * rng.standard_normal(60)),
    }
    order = np.argsort(n * d)
    return [{k: v[part] for k, v in rows.items()} for part in (order[:48], order[48:])]


def test_intervals_cover_new_larger_runs():
    rng, inside = np.random.default_rng(0), []
    for _ in range(25):
        below, above = table(rng)
        mixed = mixture(choose_law(LAWS, below, **OPTIONS), below, n_draws=150)
        low, high = mixed.interval(above, new_run=True)
        inside.append(np.mean((low <= above["value"]) & (above["value"] <= high)))
    assert 0.85 <= np.mean(inside) <= 0.97, np.mean(inside)


def test_the_centre_is_the_weighted_mean_of_the_laws_and_what_they_leave_over():
    below, above = table(np.random.default_rng(1))
    choice = choose_law(LAWS, below, **OPTIONS)
    mixed = mixture(choice, below, n_draws=50)
    by_hand = sum(share * np.log(fit.predict(above)) for fit, share in choice.members)
    near = mixed.errors.misfit.mean(above, np.full(12, "all"))
    np.testing.assert_allclose(np.log(mixed.central(above)), by_hand + near)
    assert (
        np.abs(near).max() < 0.001
    )  # the law is right, so next to nothing is left over
    assert mixed.fit is choice.fit and mixed.n_draws == 50


def test_draws_repeat_and_lie_around_the_centre():
    below, above = table(np.random.default_rng(1))
    choice = choose_law(variants_of(LAWS[0]), below, **OPTIONS)
    mixed = mixture(choice, below, n_draws=400)
    np.testing.assert_array_equal(mixed.predict(above), mixed.predict(above))
    low, high = mixed.interval(above)
    assert np.all((low < mixed.central(above)) & (mixed.central(above) < high))


def test_intervals_grow_with_the_distance_beyond_the_runs():
    below, _ = table(np.random.default_rng(2), noise=0.002)
    mixed = mixture(choose_law(LAWS, below, **OPTIONS), below, n_draws=400)
    times = np.array([1.0, 4.0, 16.0, 64.0])
    far = {"n_params": 1e9 * times**0.5, "n_tokens_seen": 2e10 * times**0.5}
    low, high = mixed.interval(far)
    widths = np.log(high / low)
    assert np.all(np.diff(widths) > 0) and widths[-1] > 2 * widths[0]


def test_the_noise_of_a_new_run_widens_an_interval():
    below, above = table(np.random.default_rng(3))
    mixed = mixture(choose_law(LAWS, below, **OPTIONS), below, n_draws=300)
    narrow, wide = (
        np.log(np.divide(*reversed(mixed.interval(above, new_run=new_run))))
        for new_run in (False, True)
    )
    assert np.all(wide > narrow)


def test_an_error_common_to_the_arms_leaves_their_lead(arm_runs):
    rows, _ = arm_runs(np.random.default_rng(0), 5, equal=True)
    choice = choose_law(LAWS, rows, **OPTIONS)
    mixed = mixture(choice, rows, clusters="pool_draw", n_draws=2000)
    far = {"n_params": np.array([1e11]), "n_tokens_seen": np.array([2e12])}
    first, second = (np.log(mixed.predict(far, arm))[:, 0] for arm in ("a", "b"))
    assert np.corrcoef(first, second)[0, 1] > 0.3
    apart = np.sqrt(first.var() + second.var())
    assert (first - second).std() < 0.9 * apart


def test_a_law_that_reads_a_missing_column_leaves_its_weight_to_the_others():
    below, above = table(np.random.default_rng(4))
    laws = [get_law("chinchilla"), get_law("power_floor")]
    choice = choose_law(laws, below, **OPTIONS)
    mixed = mixture(choice, below, n_draws=50)
    del above["flops"]
    alone = next(fit for fit, _ in choice.members if fit.law.name == "chinchilla")
    np.testing.assert_allclose(mixed.central(above), alone.predict(above))


@pytest.mark.parametrize(
    ("shares", "n_draws", "counts"),
    [
        ([0.5, 0.5], 10, [5, 5]),
        ([0.7, 0.2, 0.1], 10, [7, 2, 1]),
        ([0.55, 0.45], 3, [2, 1]),
        ([1.0], 4, [4]),
    ],
)
def test_draws_are_shared_out_by_weight(shares, n_draws, counts):
    assert _whole(np.array(shares), n_draws).tolist() == counts


def repeated_runs(rng):
    """24 runs over one pool of 5e8 tokens, up to 20 epochs, whose repeats decay."""
    size, tokens = (
        axis.ravel()
        for axis in np.meshgrid(np.geomspace(1e7, 3e8, 4), np.geomspace(3e8, 1e10, 6))
    )
    rows = {
        "n_params": size,
        "n_tokens_seen": tokens,
        "n_tokens_unique": np.minimum(5e8, tokens),
        "flops": 6 * size * tokens,
    }
    truth = {"E": 1.8, "A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.36}
    truth |= {"R_D_star": 12.0, "R_N_star": 20.0}
    noise = np.exp(0.003 * rng.standard_normal(size.size))
    return rows | {"value": get_law("data_constrained").value(truth, rows) * noise}


@pytest.mark.parametrize(("pool", "share"), [(5e8, 0.5), (1.5e9, 1.0)])
def test_draws_depart_by_half_of_their_law_and_by_all_of_it_in_another_pool(
    pool, share
):
    """Two laws fit one pool alike. Draws of each lie, on average, that share of the way from the mean to the law."""
    laws = [get_law(name) for name in ("data_constrained", "overfit_log_one")]
    below = repeated_runs(np.random.default_rng(0))
    choice = choose_law(laws, below, **OPTIONS)
    mixed = mixture(choice, below, n_draws=4_000)
    asked = {"n_params": 3e8, "n_tokens_seen": 20 * pool, "n_tokens_unique": pool}
    asked = {name: np.array([value]) for name, value in asked.items()}
    said = np.log([fit.predict(asked)[0] for fit, _ in choice.members])
    drawn = np.log(mixed.predict(asked)[:, 0])
    means = [drawn[mixed.member == i].mean() for i in range(2)]
    assert np.ptp(means) == pytest.approx(share * np.ptp(said), abs=0.004)
    if pool > 5e8:
        assert np.ptp(said) > 0.05
