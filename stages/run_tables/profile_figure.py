"""Likelihood profiles, one panel a parameter: which the runs settle and which they do not.

Input: a fit. Output: one figure. Cost: the walk of laws/fitting/profile_curve.py.
"""

import itertools
import warnings

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from stages.laws.fitting.fit import Fit
from stages.laws.fitting.identify import LIKELIHOOD_RATIO_90
from stages.laws.fitting.profile_curve import ProfileCurve, profile_curves
from stages.presentation.plot_style import COLOURS, WIDTH, plt

MAX_PANELS, ACROSS = 12, 4  # ours: what a page holds
TOP = 8.0  # of the ordinate; the 90 % line is at 2.7


def profile_figure(fit: Fit) -> Figure:
    """-2 log likelihood above its least while one parameter is held and the others are refitted."""
    curves = profile_curves(fit)
    shown = curves[:MAX_PANELS]
    across = 3 if len(shown) in (5, 6, 9) else min(ACROSS, max(len(shown), 1))
    down = -(-max(len(shown), 1) // across)
    figure, grid = plt.subplots(
        down,
        across,
        figsize=(WIDTH * max(across / ACROSS, 0.6), 0.55 + 1.75 * down),
        layout="constrained",
        sharey=True,
        squeeze=False,
    )
    for panel, curve in zip(grid.flat, shown, strict=False):
        _panel(panel, curve)
    for panel in list(grid.flat)[len(shown) :]:
        panel.set_visible(False)
    figure.supylabel("−2 log likelihood above its least", fontsize=8)
    more = (
        f"; first {MAX_PANELS} of {len(curves)} unknowns"
        if len(curves) > MAX_PANELS
        else ""
    )
    figure.suptitle(
        f"below the dotted line: not rejected at 90 %; dashed: the fitted value{more}",
        fontsize=7.5,
        color="0.35",
        x=0.01,
        ha="left",
    )
    return figure


def _panel(panel: plt.Axes, curve: ProfileCurve) -> None:
    """One parameter."""
    colour = COLOURS[0] if curve.identified else COLOURS[1]
    x, rise = _smooth(curve)
    panel.plot(x, np.minimum(rise, 3 * TOP), color=colour, lw=1.4)
    panel.plot(curve.size, curve.rise, "o", color=colour, ms=2.6)
    panel.axhline(LIKELIHOOD_RATIO_90, color="0.3", lw=0.8, ls=":")
    panel.axvline(curve.fitted, color="0.4", lw=0.8, ls="--")
    low, high = _view(curve)
    if curve.log:
        panel.set_xscale("log")
    panel.set(xlim=(low, high), ylim=(-0.3, TOP))
    _ticks(panel, curve.log, low=low, high=high)
    name = (
        curve.name
        + (" term at the centre" if curve.of_term else "")
        + (f" [{curve.arm}]" if curve.arm else "")
    )
    panel.set_title(name, fontsize=8)
    panel.tick_params(labelsize=7)
    note = (
        "at a bound" if curve.at_bound else "" if curve.identified else "not identified"
    )
    if note:
        panel.annotate(
            note,
            (0.5, 0.93),
            xycoords="axes fraction",
            ha="center",
            va="top",
            fontsize=7.5,
            color=colour,
        )


def _smooth(curve: ProfileCurve) -> tuple[np.ndarray, np.ndarray]:
    """The profile between its points: monotone cubic pieces through the signed root, which is a
    straight line for a parabola.
    """
    from scipy.interpolate import (
        PchipInterpolator,
    )  # here, because it doubles the time to import this file

    at = np.log(curve.size) if curve.log else curve.size
    if at.size < 3 or not np.isfinite(curve.rise).all():
        return curve.size, curve.rise
    fine = np.unique(
        np.concatenate([np.linspace(a, b, 12) for a, b in itertools.pairwise(at)])
    )
    root = np.sign(curve.size - curve.fitted) * np.sqrt(curve.rise)
    with warnings.catch_warnings():
        # flat neighbours divide 0 by 0 inside, and are handled there
        warnings.simplefilter("ignore", RuntimeWarning)
        rise = PchipInterpolator(at, root)(fine) ** 2
    return (np.exp(fine) if curve.log else fine), rise


def _view(curve: ProfileCurve) -> tuple[float, float]:
    """Limits of the abscissa: where the rise passes TOP, or all that was searched."""
    x, rise = _smooth(curve)
    inside = np.flatnonzero(rise <= TOP)
    low, high = (
        (
            float(x[max(inside.min() - 1, 0)]),
            float(x[min(inside.max() + 1, x.size - 1)]),
        )
        if inside.size
        else (float(x[0]), float(x[-1]))
    )
    if low == high:
        low, high = (low / 2, high * 2) if curve.log else (low - 0.5, high + 0.5)
    return low, high


def _ticks(panel: plt.Axes, log: bool, low: float, high: float) -> None:
    """Few labels that fit under a narrow panel."""
    if log and high / low > 30:
        panel.xaxis.set_major_locator(LogLocator(numticks=4))
    else:
        panel.xaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    panel.xaxis.set_minor_formatter(NullFormatter())
