"""Rates of sizes that were not measured, from those that were."""

import pytest

from stages.proxy.specs.shape import Shape
from stages.sweeping import ladder_here
from stages.sweeping.ladder_here import between, machine_here


def speed(size, rate):
    return rate(size) * Shape.named(size).flops_per_token


def test_flops_a_second_lie_between_those_measured_and_are_held_beyond():
    rate = between({"6k": 3e5, "55k": 1e5, "332k": 3e4})
    assert rate("55k") == pytest.approx(1e5)
    assert speed("55k", rate) < speed("147k", rate) < speed("332k", rate)
    assert speed("9.4M", rate) == pytest.approx(speed("332k", rate), rel=1e-3)


def test_the_workers_of_a_machine_count_together(monkeypatch):
    monkeypatch.setenv("ASSAY_JOBS", "2")
    monkeypatch.setattr(ladder_here, "SECONDS_A_SIZE", 0.05)
    monkeypatch.setattr(ladder_here, "MEASURED", ("6k",))
    monkeypatch.setattr(ladder_here, "MOST_STACKED", 1)
    machine = machine_here(512, "cpu")
    assert machine.rate("6k") > 1_000 and machine.words.startswith("2 workers on CPU")
