"""Equal arms are not told apart, and arms that differ are: the whole way from a runs table to a status."""

import numpy as np
import polars as pl
import pytest

from stages.decision.controls import (
    chance_lead,
    control_effect,
    control_effects,
    detectable,
    lr_check,
    lr_runs,
    under_lower_lr,
)
from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.deciding.compare import compare
from stages.laws.fitting.fit import fit_law

TARGET = 3e11


def simulated_runs(
    rng: np.random.Generator, gap: float, draws: int = 4
) -> dict[str, np.ndarray]:
    """Arms a, b and the twin of a: b is `gap` nats worse; noise by draw and arm, and by run."""
    n, d = (
        grid.ravel() for grid in np.meshgrid([6e3, 25e3, 55e3], [2e4, 6e4, 2e5, 6e5])
    )
    parts = []
    for arm, extra in (("a", 0.0), ("b", gap), ("twin", 0.0)):
        for draw in range(draws):
            clean = 2.5 + extra + 30 / n**0.4 + 60 / d**0.35
            noise = 0.006 * rng.standard_normal() + 0.004 * rng.standard_normal(n.size)
            parts.append(
                {
                    "n_params": n,
                    "n_tokens_seen": d,
                    "value": clean * np.exp(noise),
                    "arm": np.full(n.size, arm),
                    "pool_draw": np.full(n.size, str(draw)),
                }
            )
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def status(seed: int, gap: float) -> str:
    rows = simulated_runs(np.random.default_rng(seed), gap)
    fit = fit_law(
        get_law("chinchilla"),
        rows,
        by_arm=("E", "B"),
        delta=None,
        n_starts=16,
        identify=False,
    )
    boot = bootstrap(fit, rows, clusters="pool_draw", n_draws=150, seed=seed)
    columns = {"a": {}, "b": {}, "twin": {}}
    [lead] = chance_lead(boot, columns, {"twin": "a"}, [TARGET], 55e3, 0.9)
    return compare(
        boot,
        [TARGET],
        {"a": {}, "b": {}},
        n_params=55e3,
        smallest_effect=lead,
        tolerance=0.015,
    )[0].status


def test_equal_arms_are_a_tie_or_insufficient_evidence():
    statuses = [status(seed, 0.0) for seed in range(100)]
    assert sum(s in ("tie", "insufficient_evidence") for s in statuses) >= 90, statuses


def test_a_clear_difference_is_decided():
    statuses = [status(seed, 0.25) for seed in range(20)]
    assert statuses.count("decided") >= 18, statuses


def test_the_detectable_effect_follows_the_chance_lead():
    assert detectable([0.1, 0.2, 9.0], [1.0, 2.0, 9.0], reach=2.0) == pytest.approx(
        0.15 / 1.645 * (1.96 + 1.282)
    )
    assert detectable([None], [1.0], reach=2.0) is None


def test_half_the_interval_between_an_arm_and_its_twin_is_the_chance_lead(known_boot):
    # eleven draws, so that 10 % and 90 % are the second and the tenth of them
    steps = np.arange(-5, 6) / 10
    arms = {"a": 0 * steps, "near": steps, "far": 2 * steps, "b": 9 * steps}
    curves = {arm: lambda flops: 3 + 0 * flops for arm in arms}
    boot = known_boot(curves, arms)
    columns = {arm: {} for arm in arms}

    def lead(pairs, level=0.8):
        return chance_lead(boot, columns, pairs, [1e8, 1e9], 1e3, level)

    assert lead({"near": "a"}) == pytest.approx([0.4, 0.4])
    assert lead({"far": "a"}) == pytest.approx([0.8, 0.8])
    assert lead({"near": "a"}, level=0.6) == pytest.approx([0.3, 0.3])
    assert lead({"near": "near"}) == [0.0, 0.0]
    # of two twins the one that is farther off; every draw is compared with itself
    assert lead({"near": "a", "far": "a"}) == pytest.approx([0.8, 0.8])
    assert lead({"far": "near"}) == pytest.approx([0.4, 0.4])
    assert lead({}) == [None, None]


def test_the_detectable_effect_is_of_the_level_and_of_budgets_with_a_twin():
    # half an interval of 60 % is .842 standard deviations
    found = detectable([None, 0.3, 0.1, 9.0], [1.0, 2.0, 2.0, 9.0], 2.0, level=0.6)
    assert found == pytest.approx(0.2 / 0.842 * (1.96 + 1.282))
    assert detectable([0.1], [3.0], reach=2.0) is None


# value of each draw at the two budgets, by arm and decay
CONTROLLED = {
    ("arm", 0.1): [3.0, 3.0, 3.0],
    ("half", 0.1): [3.1, 3.2, 3.3],
    # the control was not trained with this decay, the arm is better with it
    ("arm", 1.0): [2.0, 2.0, 2.0],
    ("other", 0.1): [9.0, 9.0, 9.0],
}


def controlled():
    return pl.DataFrame(
        [
            {
                "arm": arm,
                "n_params": 1_000,
                "n_tokens_seen": tokens,
                "n_tokens_unique": 500,
                "flops": 6e3 * tokens,
                "weight_decay": decay,
                "dropout": 0.0,
                "pool_draw": draw,
                "diverged": False,
                "value": value + (1.0 if tokens == 1_000 else 0.0),
            }
            for (arm, decay), values in CONTROLLED.items()
            for tokens in (1_000, 2_000)
            for draw, value in enumerate(values)
        ]
    )


def test_a_control_is_compared_with_its_arm_at_equal_settings_draw_by_draw():
    found = control_effect(controlled(), "half", "drop_half", "arm")
    assert (found.control, found.kind, found.like) == ("half", "drop_half", "arm")
    # .1, .2 and .3 worse; mean .2, standard error .1 / sqrt(3), two degrees of freedom
    assert found.difference_nats == pytest.approx(0.2) and found.n_draws == 3
    error = 0.1 / 3**0.5
    assert found.half_width_nats == pytest.approx(4.302653 * error)  # 97.5 % of t
    assert found.smallest_detectable_effect_nats == pytest.approx(
        (4.302653 + 1.885618) * error  # and 90 % of t
    )


def test_controls_are_read_at_the_metric_that_decides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = controlled().with_columns(metric=pl.lit("loss_news"))
    other = runs.with_columns(metric=pl.lit("bpb_news"), value=pl.col("value") / 10)
    (tmp_path / "data/sweep").mkdir(parents=True)
    pl.concat([other, runs]).write_parquet("data/sweep/runs.parquet")
    arms = {"controls": {"half": {"kind": "drop_half", "like": "arm"}}}
    [found] = control_effects(arms, "loss_news")
    assert found.difference_nats == pytest.approx(0.2)
    assert (found.control, found.like) == ("half", "arm")
    [found] = control_effects(arms, "bpb_news")
    assert found.difference_nats == pytest.approx(0.02)


# value of each draw after 2,000 tokens, by view; after 1,000 both arms are equal
RATED = {
    "a": [3.00, 3.01, 3.02],
    "b": [3.10, 3.11, 3.12],
    "low_a": [3.30, 3.32, 3.31],
    "low_b": [3.20, 3.21, 3.22],
}
LOWER = {f"low_{arm}": {"kind": "lr", "like": arm, "times": 0.3} for arm in ("a", "b")}


@pytest.fixture
def rated(tmp_path, monkeypatch):
    """rated(**changes of RATED): what lr_runs gives of these runs, of which b was also trained at another size."""

    def made(controls=LOWER, **changes):
        monkeypatch.chdir(tmp_path)
        cells = [
            (view, size, tokens, draw, value if tokens == 2_000 else 4.0)
            for view, values in (RATED | changes).items()
            for size in ((10, 20) if view == "b" else (10,))
            for tokens in (1_000, 2_000)
            for draw, value in enumerate(values)
        ]
        names = ["arm", "n_params", "n_tokens_seen", "pool_draw", "value"]
        runs = pl.DataFrame(cells, schema=names, orient="row").with_columns(
            pl.lit("loss_news").alias("metric"),
            seed=pl.col("pool_draw"),
            weight_decay=0.1,
            dropout=0.0,
            diverged=False,
        )
        (tmp_path / "data/sweep").mkdir(parents=True, exist_ok=True)
        runs.write_parquet("data/sweep/runs.parquet")
        return lr_runs({"controls": controls}, "loss_news", ["a", "b", "c"])

    return made


def test_a_winner_that_falls_behind_at_a_lower_rate_is_not_decided(rated, target):
    check = lr_check(rated(), "a", n_tokens=5_000, flops=2e9)
    assert (check.rival, check.n_tokens_seen, check.flips) == ("b", 2_000, True)
    # .1, .1 and .1 ahead; behind by .1, .11 and .09
    assert check.lead_nats == pytest.approx(-0.1)
    assert check.half_width_nats == pytest.approx(0, abs=1e-9)
    assert check.lower_lead_nats == pytest.approx(0.1)
    assert check.lower_half_width_nats == pytest.approx(4.302653 * 0.01 / 3**0.5)
    judged = under_lower_lr(target(), check)
    assert (judged.status, judged.code) == ("insufficient_evidence", "lr_flips")
    assert judged.reason.startswith(
        "at a lower learning rate b beats a by 0.1 ± 0.025 after 2,000 tokens, at the"
        " usual one by -0.1 ± "
    )


def test_a_winner_that_stays_ahead_or_behind_by_noise_alone_stands(rated, target):
    ahead = lr_check(rated(low_a=[3.0, 3.1, 3.2]), "a", n_tokens=2_000, flops=2e9)
    noise = lr_check(rated(low_a=[3.1, 3.3, 3.3]), "a", n_tokens=2_000, flops=2e9)
    early = lr_check(rated(), "a", n_tokens=500, flops=2e9)
    assert early.n_tokens_seen == 1_000
    for check in (ahead, noise, early):
        assert not check.flips and under_lower_lr(target(), check) == target()
    tie = target(status="tie")
    flipped = lr_check(rated(), "a", n_tokens=2_000, flops=2e9)
    assert under_lower_lr(tie, flipped) == tie


def test_an_arm_that_is_behind_at_the_usual_rate_too_does_not_flip(rated):
    """At such small sizes b is better at both rates; it is the size, not the rate."""
    check = lr_check(rated(b=[2.9, 2.91, 2.92]), "a", n_tokens=2_000, flops=2e9)
    assert check.lower_lead_nats == pytest.approx(0.1) and not check.flips


def test_without_the_control_of_winner_and_rival_nothing_is_said(rated):
    assert rated(controls={}).is_empty() and lr_check(rated({}), "a", 1e3, 1e9) is None
    one = {"low_a": LOWER["low_a"]}
    assert lr_check(rated(controls=one), "a", 2e3, 1e9) is None
    assert lr_check(rated(), "c", 2e3, 1e9) is None


def test_a_lower_rate_is_no_comparison_of_known_answer(rated):
    rated()
    assert control_effects({"controls": LOWER}, "loss_news") == []
