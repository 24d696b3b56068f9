"""Ranges of exponents from theory and how they narrow a law."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.fitting.exponent_range import REGIMES, bounded, theory_range
from stages.laws.fitting.fit import fit_law


def test_every_regime_gives_a_range_and_a_source():
    for regime in REGIMES:
        found = theory_range(regime, dimension=12.0, frequency_exponent=1.5)
        assert 0 < found.low <= found.high <= 1 and found.reason and found.source


def test_the_dimension_of_the_data_bounds_the_exponent():
    assert (
        theory_range("resolution_data", dimension=20).low,
        theory_range("resolution_data", dimension=20).high,
    ) == (0.05, 0.2)
    with pytest.raises(InputError, match="needs dimension"):
        theory_range("resolution_data")
    with pytest.raises(InputError, match="no regime is called 'magic'"):
        theory_range("magic")


def test_a_range_that_the_data_contradict_is_reported_at_its_bound():
    tokens = np.geomspace(1e7, 1e10, 12)
    law = bounded(
        get_law("power_floor_tokens"),
        beta=theory_range("resolution_data", dimension=20).limits(),
    )
    fit = fit_law(
        law, {"n_tokens_seen": tokens, "value": 1.5 + 3000 * tokens**-0.45}, n_starts=16
    )
    assert fit.at_bound["beta"] and fit.params["beta"] == pytest.approx(0.2 * 1.02)
    free = bounded(get_law("power_floor_tokens"), beta=(0.1, 0.9))
    assert fit_law(
        free,
        {"n_tokens_seen": tokens, "value": 1.5 + 3000 * tokens**-0.45},
        n_starts=16,
    ).params["beta"] == pytest.approx(0.45)
    with pytest.raises(InputError, match="outside its bounds"):
        bounded(get_law("power_floor_tokens"), beta=(3.0, 4.0))
