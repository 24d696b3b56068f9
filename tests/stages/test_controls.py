"""Equal arms are not told apart, and arms that differ are: the whole way from a runs table to a status."""

import numpy as np
import polars as pl
import pytest

from stages.controls import chance_lead, control_effect, detectable
from stages.laws import get_law
from stages.laws.bootstrap import bootstrap
from stages.laws.compare import compare
from stages.laws.fit import fit_law

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


def test_the_detectable_effect_does_not_depend_on_the_level_that_the_lead_is_given_at():
    # half an interval of 60 % is .842 standard deviations, of 90 % 1.645
    at_60 = detectable([0.842], [1.0], reach=1.0, level=0.6)
    at_90 = detectable([1.645], [1.0], reach=1.0, level=0.9)
    assert at_60 == pytest.approx(at_90) == pytest.approx(1.96 + 1.282)


def test_the_chance_lead_is_half_the_interval_of_the_wider_twin(known_boot):
    steps = np.arange(-5, 6) / 10
    flat = dict.fromkeys(("a", "b", "twin", "other"), lambda flops: 3 + 0 * flops)
    boot = known_boot(
        flat, {"a": 0 * steps, "b": 0 * steps, "twin": steps, "other": 2 * steps}
    )
    columns = {arm: {} for arm in flat}
    # 10 % and 90 % of eleven draws are the second and the tenth: -.4 and .4
    leads = chance_lead(boot, columns, {"twin": "a"}, [1e8, 1e9], 1e3, 0.8)
    assert leads == pytest.approx([0.4, 0.4])
    both = {"twin": "a", "other": "b"}
    assert chance_lead(boot, columns, both, [1e8], 1e3, 0.8) == pytest.approx([0.8])
    assert chance_lead(boot, columns, {}, [1e8, 1e9], 1e3, 0.8) == [None, None]


def test_a_control_is_less_the_arm_it_is_like_by_draw():
    rows = [
        {
            "arm": arm,
            "n_params": 10,
            "n_tokens_seen": tokens,
            "n_tokens_unique": 5,
            "flops": 60.0 * tokens,
            "weight_decay": decay,
            "dropout": 0.0,
            "pool_draw": draw,
            "diverged": False,
            "value": 3.0 + (arm == "half") * (0.1 + 0.1 * draw) - 2 * (decay == 1.0),
        }
        for arm, decays in {"half": (0.1,), "all": (0.1, 1.0)}.items()
        for decay in decays
        for draw in range(3)
        for tokens in (100, 200)
    ]
    # the setting that only `all` has does not count: there it is 2 better
    found = control_effect(pl.DataFrame(rows), "half", "drop_half", "all")
    assert (found.control, found.kind, found.like) == ("half", "drop_half", "all")
    assert found.difference_nats == pytest.approx(0.2) and found.n_draws == 3
    # differences of .1, .2 and .3: t(.975, 2) = 4.302653, t(.9, 2) = 1.885618
    assert found.half_width_nats == pytest.approx(4.302653 * 0.1 / 3**0.5, rel=1e-5)
    assert found.smallest_detectable_effect_nats == pytest.approx(
        (4.302653 + 1.885618) * 0.1 / 3**0.5, rel=1e-5
    )
