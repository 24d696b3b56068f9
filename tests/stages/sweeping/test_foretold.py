"""Logits and gradients of two sizes are carried to the target along a line in logs."""

import logging

import polars as pl
import pytest

from stages.sweeping.foretold import foretold, watched
from stages.target.target import Target

TARGET = Target(params=1e6, tokens=1e9)


def curves(logits, gradients):
    """Three runs a size, of which one is odd; four points each."""
    rows = [
        {
            "trunk_id": f"{size}-{run}",
            "n_params": size,
            "step": step,
            "attention_logit": logits[size] * (step / 4) * (50 if run == 2 else 1),
            "gradient_rms": gradients[size] * (4 / step),
        }
        for size in logits
        for run in range(3)
        for step in range(1, 5)
    ]
    return pl.DataFrame(rows)


def test_the_median_run_counts_by_its_largest_logit_and_smallest_gradient():
    found = watched(curves({1_000: 2.0}, {1_000: 1e-3}))
    assert found == {1_000: {"attention_logit": 2.0, "gradient_rms": 1e-3}}


def test_they_are_carried_to_the_target_and_a_limit_that_is_passed_is_said(caplog):
    caplog.set_level(logging.INFO, "assay")
    mild = curves({1_000: 2.0, 10_000: 4.0}, {1_000: 1e-3, 10_000: 1e-4})
    said = foretold(mild, TARGET)
    # twice and a tenth for every factor of ten of the size
    assert said["foretold_attention_logit"] == pytest.approx(16.0)
    assert said["foretold_gradient_rms"] == pytest.approx(1e-6)
    assert said["attention_logit_10000"] == 4.0
    assert [record.levelname for record in caplog.records] == ["INFO"]
    steep = curves({1_000: 2.0, 10_000: 400.0}, {1_000: 1e-3, 10_000: 1e-4})
    assert foretold(steep, TARGET)["foretold_attention_logit"] == pytest.approx(1.6e7)
    assert caplog.records[-1].levelname == "WARNING"
    assert "1.6e+07 (unstable beyond 1e+04)" in caplog.text
    small = curves({1_000: 2.0, 10_000: 4.0}, {1_000: 1e-4, 10_000: 1e-6})
    foretold(small, TARGET)
    assert caplog.records[-1].levelname == "WARNING"


def test_nothing_is_foretold_of_one_size_or_of_runs_that_were_not_watched():
    one = curves({1_000: 2.0}, {1_000: 1e-3})
    assert "foretold_attention_logit" not in foretold(one, TARGET)
    assert foretold(one.drop("attention_logit", "gradient_rms"), TARGET) == {}
    two = curves({1_000: 2.0, 10_000: 4.0}, {1_000: 1e-3, 10_000: 1e-4})
    assert set(foretold(two, None)) == {
        f"{name}_{size}"
        for name in ("attention_logit", "gradient_rms")
        for size in (1_000, 10_000)
    }
