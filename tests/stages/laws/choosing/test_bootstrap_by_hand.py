"""Refits, weights and intervals with numbers that are known by hand."""

from dataclasses import replace

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.bootstrap import (
    MAX_LEVERAGE,
    Bootstrap,
    _notes,
    bootstrap,
    cluster_leverage,
    cluster_shapes,
    cluster_weights,
    equal_tailed,
    leverage,
    residual_noise,
    run_weights,
    stretch_factor,
)
from stages.laws.fitting.fit import fit_law

# log residuals of twelve runs of each arm, alternating
NOISE = {"a": 0.01, "b": 0.03}


@pytest.fixture(scope="module")
def rows():
    """Two arms, each 12 runs: 2 + 40 / tokens^.5 and 3 + 40 / tokens^.5, off by 1 % or 3 % in turn."""
    tokens = np.tile(np.geomspace(1e3, 64e3, 6), 4)
    arm = np.repeat(["a", "b"], 12)
    floor = np.where(arm == "a", 2.0, 3.0)
    draw = np.tile(np.repeat(["0", "1"], 6), 2)
    sign = np.where(draw == "0", 1.0, -1.0)
    size = np.where(arm == "a", NOISE["a"], NOISE["b"])
    return {
        "n_tokens_seen": tokens,
        "arm": arm,
        "pool_draw": draw,
        "value": (floor + 40 / tokens**0.5) * np.exp(sign * size),
    }


@pytest.fixture(scope="module")
def fit(rows):
    return fit_law(
        get_law("power_floor_tokens"),
        rows,
        by_arm=("E",),
        n_starts=12,
        identify=False,
        objective="least_squares_log",
    )


@pytest.fixture
def known(fit):
    """known(shifts, stretch): refits whose floor of arm a lies a factor off the fit's, in log theta."""

    def made(shifts, stretch=1.0):
        theta = np.tile(fit.theta, (len(shifts), 1))
        theta[:, 0] = fit.theta[0] + np.asarray(shifts)
        return Bootstrap(fit, theta, 2, stretch, [])

    return made


AT = {"n_tokens_seen": np.array([4e3, 1e12])}


def test_the_quantiles_are_equal_tailed():
    draws = np.arange(101.0)[:, None] * [1, 10]
    low, high = equal_tailed(draws, 0.8)
    assert low == pytest.approx([10, 100]) and high == pytest.approx([90, 900])


def test_deviations_are_stretched_about_the_fit_in_log_value(known, fit):
    plain, wide = known([-0.1, 0.0, 0.1]), known([-0.1, 0.0, 0.1], stretch=3.0)
    assert plain.n_draws == 3
    centre = fit.predict(AT, "a")
    assert plain.predict(AT, "a")[1] == pytest.approx(centre)
    off = np.log(plain.predict(AT, "a") / centre)
    assert off[0, 0] < 0 < off[2, 0]
    assert np.log(wide.predict(AT, "a") / centre) == pytest.approx(3 * off)
    # the other arm's floor did not move
    assert plain.predict(AT, "b") == pytest.approx(
        np.tile(fit.predict(AT, "b"), (3, 1))
    )


def test_an_interval_is_made_of_the_draws(known, fit):
    boot = known(np.arange(-5, 6) / 50)
    low, high = boot.interval(AT, "a", level=0.8)
    drawn = np.sort(boot.predict(AT, "a"), axis=0)
    assert low == pytest.approx(drawn[1]) and high == pytest.approx(drawn[9])
    wide_low, wide_high = boot.interval(AT, "a")
    assert wide_low == pytest.approx(np.quantile(drawn, 0.05, axis=0))
    assert wide_high == pytest.approx(np.quantile(drawn, 0.95, axis=0))


def test_a_new_run_adds_the_noise_of_its_own_arm(known, fit):
    boot = known(np.zeros(4_000))
    for arm in "ab":
        drawn = np.log(boot.predict(AT, arm, new_run=True) / fit.predict(AT, arm))
        seen = np.unique(np.round(drawn, 9))
        own = np.unique(np.round(residual_noise(fit, "ab".index(arm)), 9))
        assert set(seen) <= set(own) and len(seen) > 1
    spread = {arm: boot.predict(AT, arm, new_run=True).std(axis=0) for arm in "ab"}
    assert (spread["b"] > 2 * spread["a"]).all()
    same = boot.predict(AT, "a", new_run=True)
    assert np.array_equal(same, boot.predict(AT, "a", new_run=True, seed=0))
    assert not np.array_equal(same, boot.predict(AT, "a", new_run=True, seed=1))
    low, high = boot.interval(AT, "b", new_run=True)
    assert (high > low).all()
    assert (np.subtract(*boot.interval(AT, "b")) == 0).all()


def test_residual_noise_is_centred_and_widened_for_what_was_fitted(fit, rows):
    plain = np.log(rows["value"] / fit.predict(rows))
    plain = plain - plain.mean()
    wide = residual_noise(fit)
    # 24 runs, 4 unknowns: two floors, an amplitude, an exponent
    assert fit.n_free == 4
    assert wide == pytest.approx(plain * np.sqrt(24 / 20))
    own = residual_noise(fit, 1)
    assert own.size == 12 and own.mean() == pytest.approx(0, abs=1e-12)
    assert own == pytest.approx(wide[12:] - wide[12:].mean())


def test_an_arm_of_few_runs_has_the_noise_of_all(rows):
    short = {name: column[:-1] for name, column in rows.items()}
    fit = fit_law(
        get_law("power_floor_tokens"),
        short,
        by_arm=("E",),
        n_starts=12,
        identify=False,
        objective="least_squares_log",
    )
    assert residual_noise(fit, 0).size == 12 and residual_noise(fit, 1).size == 23


def test_parameters_are_stretched_in_the_scale_of_the_fit(known, fit):
    shifts = np.array([-0.02, 0.0, 0.02])
    plain, wide = known(shifts), known(shifts, stretch=2.0)
    draws = plain.param_draws()
    assert draws["E"].shape == (3, 2) and draws["beta"].shape == (3, 1)
    assert draws["E"][1] == pytest.approx([fit.params["E"]["a"], fit.params["E"]["b"]])
    off = draws["E"][:, 0] - fit.params["E"]["a"]
    assert wide.param_draws()["E"][:, 0] - fit.params["E"]["a"] == pytest.approx(
        2 * off
    )
    assert draws["E"][:, 1] == pytest.approx([fit.params["E"]["b"]] * 3)


def test_parameters_have_limits_by_name_and_by_arm(known, fit):
    boot = known(np.arange(-5, 6) / 500)
    limits = boot.params(0.8)
    assert set(limits) == {"E", "B", "beta"} and set(limits["E"]) == {"a", "b"}
    low, high = limits["E"]["a"]
    drawn = np.sort(boot.param_draws()["E"][:, 0])
    assert (low, high) == (pytest.approx(drawn[1]), pytest.approx(drawn[9]))
    assert limits["beta"] == pytest.approx((fit.params["beta"],) * 2)
    wide = boot.params()["E"]["a"]
    assert wide == pytest.approx(tuple(np.quantile(drawn, [0.05, 0.95])))


def test_stretched_parameters_stay_in_their_range(known, fit):
    layout = fit.problem.layout
    low, high = layout.range("low", "high")
    ends = known([-1e3, 1e3]).param_draws()["E"][:, 0]
    theta = np.tile(fit.theta, (2, 1))
    theta[:, 0] = low[0], high[0]
    assert ends == pytest.approx(layout.to_params(theta)["E"][:, 0])


@pytest.mark.parametrize(
    ("n_clusters", "freedom", "factor"),
    [
        # sqrt((G + 1) / (G - 1)) t(.95, df) / 1.644854
        (4, 3, np.sqrt(5 / 3) * 2.353363 / 1.644854),
        (2, 1, np.sqrt(3) * 6.313752 / 1.644854),
        (30, 29, np.sqrt(31 / 29) * 1.699127 / 1.644854),
        (1, 0, np.sqrt(2) * 6.313752 / 1.644854),
    ],
)
def test_the_stretch_is_student_s(n_clusters, freedom, factor):
    assert stretch_factor(n_clusters, freedom) == pytest.approx(factor, rel=1e-5)


def test_leverage_adds_up_to_the_unknowns(fit):
    own = leverage(fit)
    assert own.shape == (24,) and own.sum() == pytest.approx(4.0)
    # twins of one design have the same
    assert own[:6] == pytest.approx(own[6:12])


def test_leverage_counts_by_the_residuals_inside_huber_s_delta(fit):
    def judged(delta):
        return leverage(
            replace(fit, problem=fit.problem.with_objective("huber_log", delta))
        ).sum()

    assert judged(1.0) == pytest.approx(4.0)
    # arm a is off by about 1 %, arm b by about 3 %
    assert judged(0.02) == pytest.approx(2.0, abs=0.35)


def test_leverage_is_bounded(rows):
    alone = {name: column[[0, 1, 2, 3, 17]] for name, column in rows.items()}
    fit = fit_law(
        get_law("power_floor_tokens"),
        alone,
        by_arm=("E",),
        n_starts=12,
        identify=False,
        objective="least_squares_log",
    )
    assert leverage(fit)[-1] == MAX_LEVERAGE  # the only run of its arm


def test_leverage_of_repeats_of_one_design_is_one_over_their_number(fit, rows):
    assert cluster_leverage(fit, rows["pool_draw"]) == pytest.approx([0.5, 0.5])
    by_arm = cluster_leverage(fit, rows["arm"])
    assert (by_arm > 0.5).all() and (by_arm <= MAX_LEVERAGE).all()


def test_shapes_follow_the_leverage_and_the_stretch_of_the_smallest_arm():
    # (1 / (G-1) * (G+1)) (1 - h)^2, at most 1; four clusters, all arms have four
    shapes = cluster_shapes(np.array([0.0, 0.5, 0.9, 0.25]), 4)
    assert shapes == pytest.approx([1.0, 5 / 3 * 0.25, 5 / 3 * 0.01, 5 / 3 * 0.5625])
    spare = stretch_factor(2, 1) / stretch_factor(4, 3)
    assert cluster_shapes(np.full(4, 0.9), 2) == pytest.approx(
        [spare**2 * 5 / 3 * 0.01] * 4
    )


def test_weights_have_mean_one_and_the_variance_of_their_shape():
    weights = run_weights(np.array([1.0, 0.25]), 200_000, np.random.default_rng(0))
    assert weights.shape == (200_000, 2)
    assert weights.mean(axis=0) == pytest.approx([1, 1], abs=0.02)
    assert weights.var(axis=0) == pytest.approx([1, 4], rel=0.05)


def test_a_cluster_has_one_weight_and_clusterings_multiply():
    labels = np.array(["x", "y", "x", "y"]), np.array(["p", "p", "q", "q"])
    rng = np.random.default_rng(0)
    one = cluster_weights(labels[:1], 50_000, rng)
    assert np.array_equal(one[:, 0], one[:, 2]) and np.array_equal(one[:, 1], one[:, 3])
    assert not np.array_equal(one[:, 0], one[:, 1])
    assert one.var(axis=0) == pytest.approx([1] * 4, rel=0.05)
    both = cluster_weights(labels, 50_000, rng)
    assert both.var(axis=0) == pytest.approx([3] * 4, rel=0.1)
    shaped = cluster_weights(labels[:1], 50_000, rng, [np.array([0.25, 1.0])])
    assert shaped.var(axis=0) == pytest.approx([4, 1, 4, 1], rel=0.07)


def test_refits_scatter_about_the_fit_and_repeat_with_their_seed(fit, rows):
    boot = bootstrap(fit, rows, clusters="pool_draw", n_draws=40, seed=3)
    assert boot.theta.shape == (40, 4) and boot.n_clusters == 2 and boot.fit is fit
    assert boot.stretch == pytest.approx(stretch_factor(2, 1))
    values = boot.predict(AT, "a")
    assert values[:, 0].min() < fit.predict(AT, "a")[0] < values[:, 0].max()
    again = bootstrap(fit, rows, clusters=["pool_draw"], n_draws=40, seed=3)
    assert np.array_equal(again.theta, boot.theta)
    other = bootstrap(fit, rows, clusters="pool_draw", n_draws=40, seed=4)
    assert not np.array_equal(other.theta, boot.theta)
    plain = bootstrap(fit, rows, clusters="pool_draw", n_draws=40)
    assert np.array_equal(
        plain.theta,
        bootstrap(fit, rows, clusters="pool_draw", n_draws=40, seed=0).theta,
    )


def test_clusters_of_opposite_noise_scatter_more_than_independent_runs(fit, rows):
    """A draw of the pool moves all its runs together, by 1 % up or down for arm a."""
    clustered = bootstrap(fit, rows, clusters="pool_draw", n_draws=200)
    alone = bootstrap(fit, rows, n_draws=200)
    assert alone.n_clusters == 24 and alone.warnings == []
    assert alone.stretch == pytest.approx(stretch_factor(24, 20))
    rows_a = {"n_tokens_seen": np.array([8e3])}
    spread = [
        np.log(b.fit.values(b.theta, rows_a, "b")).std() for b in (clustered, alone)
    ]
    assert spread[0] > 1.5 * spread[1] > 0


def test_values_by_draw_are_what_is_refitted(fit, rows):
    values = np.tile(rows["value"], (30, 1))
    values[10:20] *= 1.1
    boot = bootstrap(fit, rows, n_draws=30, values=values)
    at = {"n_tokens_seen": np.array([8e3])}
    drawn = boot.fit.values(boot.theta, at, "a")[:, 0] / fit.predict(at, "a")[0]
    assert drawn[:10].mean() == pytest.approx(1.0, abs=0.02)
    assert drawn[10:20].mean() == pytest.approx(1.1, abs=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v[:, :-1], r"= \(30, 24\), got \(30, 23\)"),
        (lambda v: v[:-1], r"shape \(draws, runs\) = \(30, 24\), got \(29, 24\)"),
        (lambda v: v * 0, "values by draw must be positive and finite; drop the runs"),
        (lambda v: v * np.nan, "values by draw must be positive and finite"),
    ],
)
def test_values_by_draw_must_fit_the_table(fit, rows, change, message):
    values = change(np.tile(rows["value"], (30, 1)))
    with pytest.raises(InputError, match=message):
        bootstrap(fit, rows, n_draws=30, values=values)


def test_few_clusters_are_said_to_be_few(fit, rows):
    [note] = bootstrap(fit, rows, clusters="pool_draw", n_draws=20).warnings
    assert note == {
        "code": "few_clusters",
        "severity": "warning",
        "message": (
            "2 clusters: intervals are wide (t with 1 degrees of freedom) and rest on"
            " that assumption"
        ),
    }
    four = rows | {"trunk": np.tile([str(i) for i in range(4)], 6)}
    assert bootstrap(fit, four, clusters="trunk", n_draws=20).warnings == []
    # the arm with the fewest counts
    uneven = rows | {
        "trunk": np.where(rows["arm"] == "a", four["trunk"], rows["pool_draw"])
    }
    boot = bootstrap(fit, uneven, clusters="trunk", n_draws=20)
    assert boot.n_clusters == 2


def test_a_single_cluster_is_refused(fit, rows):
    with pytest.raises(InputError) as error:
        bootstrap(fit, rows | {"one": np.full(24, "x")}, clusters="one", n_draws=20)
    assert str(error.value) == (
        "an arm has a single cluster, so nothing says how much a new one would differ;"
        " draw the pool again or drop clusters="
    )


def test_refits_that_failed_are_said_to_have():
    [note] = _notes(4, [np.array(["x"])], 2, 10)
    assert note == {
        "code": "failed_draws",
        "severity": "warning",
        "message": "2 of 10 refits failed and were left out",
    }
    assert _notes(4, [np.array(["x"])], 0, 10) == []


def test_few_runs_of_many_unknowns_have_the_interval_of_a_line_through_three_points():
    """A line in log compute through values 1 with errors of +e, -2e, +e: e is all residual, the noise is
    s = e sqrt(6 / 1) by one degree of freedom, and the line's middle is known to s / sqrt(3).
    """
    e = 0.001
    rows = {"flops": np.array([1e17, 1e18, 1e19])}
    rows["value"] = np.exp(e * np.array([1.0, -2.0, 1.0]))
    law = get_law("log_linear_compute")
    fit = fit_law(law, rows, delta=1.0)
    boot = bootstrap(fit, rows, n_draws=4000)
    low, high = boot.interval({"flops": np.array([1e18])})
    half = np.log(high / low)[0] / 2
    t_one = 6.3138  # 95 % point of t with one degree of freedom; sqrt((n + 1) / (n - 1)) widens it
    by_hand = t_one * np.sqrt(4 / 2) * e * np.sqrt(6) / np.sqrt(3)
    assert half == pytest.approx(by_hand, rel=0.06)
    assert boot.warnings == []


def test_as_many_unknowns_as_runs_leave_no_interval_of_no_width():
    rows = {"flops": np.array([1e17, 1e18, 1e19]), "value": np.array([4.2, 3.5, 3.0])}
    fit = fit_law(get_law("power_floor"), rows)
    assert fit.n_free == fit.n_points == 3
    boot = bootstrap(fit, rows, n_draws=400)
    low, high = boot.interval({"flops": np.array([1e17, 1e21])})
    assert (np.log(high / low) > 0.03).all()  # 2 * 1.645 * .005 * 4.5 = .074 at a run
    assert [note["code"] for note in boot.warnings] == ["noise_assumed"]
    assert "3 runs and 3 unknowns" in boot.warnings[0]["message"]
