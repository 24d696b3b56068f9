"""What runs of one resample share is found beside a curved surface."""

import numpy as np
import pytest

from stages.laws.mixing.blocks import block_effects

RANDOM = np.random.default_rng(1)
SHARES = RANDOM.dirichlet(np.ones(3), 24)
SURFACE = 3 + np.exp(1 - 4 * SHARES[:, 0]) + 0.2 * (SHARES[:, 1] - 0.5) ** 2
BLOCKS = np.arange(24) % 4
SHIFTS = np.array([0.06, -0.08, 0.05, -0.03])


def test_effects_are_those_that_were_added():
    noise = 0.005 * RANDOM.standard_normal(24)
    values = SURFACE + SHIFTS[BLOCKS] + noise
    found = block_effects(SHARES, values, BLOCKS)
    assert found == pytest.approx(SHIFTS[BLOCKS], abs=0.02)
    assert found.sum() == pytest.approx(0, abs=1e-9)


def test_runs_without_an_effect_keep_their_values():
    found = block_effects(SHARES, SURFACE, BLOCKS)
    assert np.abs(found).max() < 0.01


def test_effects_that_are_no_larger_than_their_error_are_let_be():
    noise = 0.1 * np.random.default_rng(2).standard_normal(24)
    found = block_effects(SHARES, SURFACE + noise, BLOCKS)
    plain = [noise[BLOCKS == block].mean() for block in range(4)]
    assert np.abs(found).max() < 0.5 * np.abs(plain).max()


def test_one_resample_or_one_run_of_each_says_nothing():
    assert not block_effects(SHARES, SURFACE, np.zeros(24)).any()
    assert not block_effects(SHARES[:4], SURFACE[:4], np.arange(4)).any()
