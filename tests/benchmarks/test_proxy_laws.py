"""What the law benchmarks compute from curves and cells, on curves and cells made by the laws themselves."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module
    for name in ("proxy_science", "proxy_annealing", "ladder_tuning"):
        sys.modules.pop(name, None)


def test_curves_of_the_law_itself_are_predicted_and_others_are_not(
    benchmark, monkeypatch
):
    annealing = benchmark("proxy_annealing")
    monkeypatch.setattr(annealing, "OTHERS", (0.9,))
    monkeypatch.setattr(
        annealing, "multi_power", lambda schedules: annealing.get_law("annealing")
    )  # its fit is most of the time
    empty = annealing.Run(
        "25k", {name: np.zeros((1, 96)) for name in annealing.SCHEDULES}
    )
    decay = 1 - 24 / 3072
    losses = {}
    for name in annealing.SCHEDULES:
        steps, lr = annealing.EVERY_STEPS * np.arange(1, 97), empty.rates(name)
        curve = (
            2.0
            + 3.0 * annealing.lr_area(lr, steps) ** -0.2
            - 0.2 * annealing.lr_fall(lr, steps, warmup=annealing.WARMUP, decay=decay)
        )
        losses[name] = np.stack([curve - 0.01, curve + 0.01])  # two seeds a level apart
    found = annealing.judged("cosine", annealing.Run("25k", losses))
    chosen = next(iter(found.values()))
    assert (
        chosen["mae_nats"] < 1e-3 < found["annealing 0.9"]["mae_nats"]
        and chosen["points"] == 16
    )
    assert annealing.noise_of(losses["wsd"]) == pytest.approx(0.01)


def test_the_floor_of_sums_is_zero_for_a_sum_and_not_for_sizes_that_act_on_tokens(
    benchmark,
):
    tuning = benchmark("ladder_tuning")
    sizes, budgets = ("6k", "25k", "147k"), tuning.BUDGETS
    added = {
        (size, budget): 2 + i * 0.1 + 1e6 / budget
        for i, size in enumerate(sizes)
        for budget in budgets
    }
    acting = {
        (size, budget): 2 + (i + 1) * 1e6 / budget
        for i, size in enumerate(sizes)
        for budget in budgets
    }
    assert tuning.least_of_sums(added) < 1e-9 < 0.01 < tuning.least_of_sums(acting)


def test_rules_of_tuning_take_the_runs_that_they_name(benchmark):
    tuning = benchmark("ladder_tuning")
    rows = {
        (size, batch, lr): {
            budget: 4.0 + lr + batch / 1e6 + 1e5 / budget for budget in tuning.BUDGETS
        }
        for (size, batch), lrs in tuning.GRID.items()
        for lr in lrs
    }
    rows["147k", 512, 0.012][tuning.BUDGETS[0]] = 1.0
    found, first = tuning.rules(rows), tuning.BUDGETS[0]
    assert found["lr 0.012 for all"]["6k", first] == rows["6k", 1024, 0.012][first]
    assert found["each size its lr"]["147k", first] == rows["147k", 1024, 0.006][first]
    assert found["each cell its lr and batch"]["147k", first] == 1.0
