"""The figures of a fit: for every law, with nothing cut off, nothing on top of another label, and no warning."""

import numpy as np
import pytest
from matplotlib.text import Annotation

from stages.laws import LAWS, get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.fitting.fit import fit_law
from stages.presentation.plot_style import plt
from stages.run_tables.fit_figures import draw_fit, series_of
from stages.run_tables.law_axes import axes_of


def simulated(law, n=36, seed=0):
    """Runs of a law with 1 % noise, variables from their typical ranges and parameters from the
    middle of their starts.
    """
    rng = np.random.default_rng(seed)
    columns = {
        v.name: np.exp(rng.uniform(*np.log(v.typical), n)) for v in law.variables
    }
    shares = [name for name in columns if name.startswith("share_")]
    total = sum(columns[name] for name in shares) if len(shares) > 1 else 1.0
    columns |= {name: columns[name] / total for name in shares}
    parameters = {}
    for p in law.parameters:
        middle = (
            np.sqrt(p.start_low * p.start_high)
            if p.transform == "log"
            else (p.start_low + p.start_high) / 2
        )
        parameters[p.name] = np.array([middle * (2.0 if p.relative else 1.0)])
    for p in law.parameters:
        for power, quantity in p.term:
            size = quantity(columns)
            parameters[p.name] = parameters[p.name] * np.exp(
                -parameters[power] * np.mean(np.log(size[size > 0]))
            )
    return columns | {
        "value": law.value(parameters, columns) * np.exp(0.01 * rng.standard_normal(n))
    }


def texts_inside(figure):
    """Every visible text of the figure, after checking that none is cut off."""
    renderer, (width, height) = (
        figure.canvas.get_renderer(),
        figure.canvas.get_width_height(),
    )
    boxes = []
    for text in figure.findobj(plt.Text):
        if (
            text.get_visible()
            and text.get_text().strip()
            and (isinstance(text, Annotation) or text is figure._suptitle)
        ):
            boxes.append((text, text.get_window_extent(renderer)))
    for text, box in boxes:
        assert (
            box.x0 >= -1
            and box.y0 >= -1
            and box.x1 <= width + 1
            and box.y1 <= height + 1
        ), text.get_text()
    return boxes


def assert_clean(figure):
    """Drawn without a warning; side labels inside the figure and apart from each other."""
    figure.set_dpi(50)
    figure.draw_without_rendering()
    notes = texts_inside(figure)
    for i, (one, a) in enumerate(notes):
        for other, b in notes[i + 1 :]:
            if one.axes is other.axes and a.width and b.width:
                assert not (
                    a.x0 < b.x1 - 1
                    and b.x0 < a.x1 - 1
                    and a.y0 < b.y1 - 1.5
                    and b.y0 < a.y1 - 1.5
                ), (one.get_text(), other.get_text())


@pytest.mark.parametrize("name", LAWS)
def test_every_law_is_drawn(name):
    law = LAWS[name]
    rows = simulated(law)
    fitted, held = (
        {k: c[:28] for k, c in rows.items()},
        {k: c[28:] for k, c in rows.items()},
    )
    fit = fit_law(
        law, fitted, objective="least_squares_log", n_starts=6, identify=False
    )
    figures = draw_fit(fit, None, fitted, held, "loss (nats)")
    assert list(figures) == ["fit-curve", "fit-residuals", "fit-profiles"]
    # the others' layout does not depend on the law; it is checked below
    assert_clean(figures["fit-curve"])
    assert len(
        [panel for panel in figures["fit-profiles"].axes if panel.get_visible()]
    ) == min(len(law.parameters), 12)
    for figure in figures.values():
        plt.close(figure)


def test_bands_and_arms():
    law = get_law("chinchilla")
    rows = simulated(law, n=60) | {"arm": np.array(["a", "b", "c"] * 20)}
    fit = fit_law(law, rows, by_arm=("E", "B"), n_starts=8)
    parts = series_of(fit, axes_of(fit, rows), rows, None)
    assert [part.label for part in parts] == ["a", "b", "c"] and sum(
        part.runs["value"].size for part in parts
    ) == rows["value"].size
    figures = draw_fit(fit, bootstrap(fit, rows, n_draws=20), rows, None, "value")
    assert len(figures["fit-curve"].axes[0].collections) == 3  # a band an arm
    for figure in figures.values():
        assert_clean(figure)
        plt.close(figure)


def test_held_out_runs_are_rings_and_wild_ones_carets():
    law = get_law("power_floor")
    rows = simulated(law, n=40)
    fit = fit_law(law, rows, n_starts=8)
    held = {k: c[:4].copy() for k, c in rows.items()}
    held["value"][0] *= 3
    figures = draw_fit(fit, None, rows, held, "value")
    rings = [
        line
        for line in figures["fit-residuals"].axes[0].lines
        if line.get_markerfacecolor() == "white"
    ]
    assert sum(len(line.get_xdata()) for line in rings) == 3
    assert "carets: 1 beyond the scale" in figures["fit-residuals"].axes[0].get_title(
        loc="left"
    )
    for figure in figures.values():
        plt.close(figure)


def test_held_out_models_larger_than_any_fitted_one_have_a_curve_of_their_own():
    law = get_law("chinchilla")
    n, d = (
        g.ravel() for g in np.meshgrid([1e7, 1e8, 1e9, 7e9], np.geomspace(2e8, 5e10, 5))
    )
    rows = {"n_params": n, "n_tokens_seen": d}
    rows["value"] = law.value(
        {
            "E": np.array([1.8]),
            "A": np.array([400.0]),
            "alpha": np.array([0.34]),
            "B": np.array([1200.0]),
            "beta": np.array([0.33]),
        },
        rows,
    )
    fitted, held = (
        {k: c[mask] for k, c in rows.items()} for mask in (n < 5e9, n > 5e9)
    )
    fit = fit_law(law, fitted, n_starts=8, identify=False)
    parts = series_of(fit, axes_of(fit, fitted), fitted, held)
    assert [part.label for part in parts] == ["10M", "100M", "1B", "7B"]
    assert (
        parts[-1].runs["value"].size == 0
        and parts[-1].held["value"].size == 5
        and parts[0].held["value"].size == 0
    )
    figure = draw_fit(fit, None, fitted, held, "value")["fit-curve"]
    rings = [
        line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"
    ]
    np.testing.assert_allclose(
        np.concatenate([line.get_ydata() for line in rings]), held["value"], rtol=1e-3
    )  # not moved
    plt.close("all")
