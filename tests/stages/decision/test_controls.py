"""Equal arms are not told apart, and arms that differ are: the whole way from a runs table to a status."""

import numpy as np
import pytest

from stages.decision.controls import chance_lead, detectable
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
