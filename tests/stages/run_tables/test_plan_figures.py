"""The figures of a plan."""

import numpy as np
import pytest

from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.fitting.fit import fit_law
from stages.presentation.plot_style import plt
from stages.run_tables.plan_figures import draw_plan
from stages.run_tables.plan_table import plan_rows


@pytest.fixture(scope="module", params=["one", "arms"])
def boot(request):
    """A fit of repeated data, or of two arms without repeats."""
    rng = np.random.default_rng(0)
    n, u, e = (
        g.ravel()
        for g in np.meshgrid(np.geomspace(1e7, 1e9, 4), [3e8, 3e10], [0.5, 2.0, 16.0])
    )
    law = get_law("data_constrained" if request.param == "one" else "chinchilla")
    columns = {
        "n_params": n,
        "n_tokens_seen": u * e,
        "n_tokens_unique": u,
        "arm": np.array(["first", "second"] * 12),
    }
    truth = {
        "E": 1.8,
        "A": 400.0,
        "alpha": 0.34,
        "B": 1200.0,
        "beta": 0.33,
        "R_D_star": 8.0,
        "R_N_star": 6.0,
    }
    rows = columns | {
        "value": (
            law.value({k: np.array([truth[k]]) for k in law.parameter_names}, columns)
            * np.exp(0.005 * rng.standard_normal(n.size))
        )
    }
    return bootstrap(
        fit_law(
            law,
            rows,
            by_arm=() if request.param == "one" else ("E",),
            n_starts=16,
            identify=False,
        ),
        rows,
        n_draws=40,
    )


def test_isoflop_and_frontier_are_drawn(boot):
    unique = 1e9 if "n_tokens_unique" in boot.fit.law.variable_names else None
    rows = plan_rows(boot, 1e21, unique)
    figures = draw_plan(boot, rows, unique, "loss (nats)")
    assert list(figures) == ["plan-isoflop", "plan-frontier"]
    for figure in figures.values():
        figure.draw_without_rendering()
    isoflop = figures["plan-isoflop"].axes[0]
    above = isoflop.child_axes[0]
    for n_params in (
        1e9,
        1e10,
    ):  # a size and its tokens stand above each other: C = 6ND
        assert above.transData.transform((1e21 / 6 / n_params, 0))[0] == pytest.approx(
            isoflop.transData.transform((n_params, 0))[0], abs=0.5
        )
    curve = next(line for line in isoflop.lines if line.get_gid() == "curve")
    best = min(rows, key=lambda row: row["value"])
    assert curve.get_xdata()[np.argmin(curve.get_ydata())] == pytest.approx(
        best["n_params"], rel=0.1
    )
    assert any("tokens repeat" in text.get_text() for text in isoflop.texts) == (
        unique is not None
    )
    plt.close("all")
