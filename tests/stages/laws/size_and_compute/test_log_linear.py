"""Straight lines in logs come back with the parameters that made them, falling or rising."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law

AMOUNTS = np.geomspace(500, 32_000, 12)


def test_an_error_of_fine_tuning_by_hand():
    law = get_law("log_linear_tokens")
    p = {"a": 1.2, "b": 0.05}
    found = law.value(p, {"n_tokens_seen": np.array([1.0, np.exp(4)])})
    np.testing.assert_allclose(found, [1.2, 1.0])


@pytest.mark.parametrize("slope", [0.05, -0.03])
def test_errors_that_fall_and_accuracies_that_rise_come_back(slope):
    rows = {"n_tokens_seen": AMOUNTS, "value": 0.7 - slope * np.log(AMOUNTS / 4_000)}
    fit = fit_law(get_law("log_linear_tokens"), rows)
    assert fit.params["b"] == pytest.approx(slope, rel=1e-6)
    far = fit.predict({"n_tokens_seen": np.array([64_000.0])})
    assert far[0] == pytest.approx(0.7 - slope * np.log(16), rel=1e-6)


def test_size_has_a_slope_of_its_own():
    n, d = (x.ravel() for x in np.meshgrid([1e7, 1e8, 1e9], [1e9, 1e10, 1e11]))
    rows = {"n_params": n, "n_tokens_seen": d, "value": 6 - 0.1 * np.log(d * n**0.5)}
    fit = fit_law(get_law("log_linear"), rows)
    assert fit.params["b"] == pytest.approx(0.1, rel=1e-5)
    assert fit.params["c"] == pytest.approx(0.05, rel=1e-5)
