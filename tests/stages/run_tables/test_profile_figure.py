"""Likelihood profiles as a picture: what is not identified is said in its panel."""

import numpy as np

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.presentation.plot_style import plt
from stages.run_tables.profile_figure import profile_figure


def test_a_parameter_that_the_runs_do_not_settle_is_marked():
    """No run repeats its data, so nothing is said about the half-life of repeats."""
    law, rng = get_law("effective_data"), np.random.default_rng(0)
    n, d = (
        g.ravel()
        for g in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(2e8, 5e10, 6))
    )
    columns = {"n_params": n, "n_tokens_seen": d, "n_tokens_unique": d}
    truth = {"E": 1.8, "A": 400.0, "alpha": 0.34, "B": 1200.0, "beta": 0.33, "tau": 6.0}
    value = law.value({k: np.array([v]) for k, v in truth.items()}, columns) * np.exp(
        0.003 * rng.standard_normal(24)
    )
    figure = profile_figure(fit_law(law, columns | {"value": value}, n_starts=16))
    said = {
        panel.get_title(): [t.get_text() for t in panel.texts]
        for panel in figure.axes
        if panel.get_visible()
    }
    assert said["tau"] in (["not identified"], ["at a bound"]) and said["beta"] == []
    assert "A term at the centre" in said
    plt.close(figure)
