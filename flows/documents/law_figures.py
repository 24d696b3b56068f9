"""How a law looks: its value over its main variable, one curve for each level of a second one.

The curves stand at the middle of the ranges where a fit begins, over the range that each variable
typically has, on a value of about two: the shape is the message, not the numbers. Cost: 0.1 s a law.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from stages.laws import Law, Variable
from stages.laws.interface.layout import Layout
from stages.presentation.figure_marks import log_if_wide, side_labels
from stages.presentation.plot_style import COLOURS, STYLE, plt, svg
from stages.presentation.si import si
from stages.run_tables.law_axes import FIRST, SECOND_MATTERS

SHARE = "share_"
VALUE = 2.0  # assumed: a loss in nats
N_POINTS = 120
PLACE = (0.11, 0.16, 0.71, 0.8)  # of the axes in the figure
LINEAR_AT = (
    0.75  # assumed: in the middle of its range a signed parameter is 0 and says nothing
)
N_RUNS = 64  # over which amplitudes are centred
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Curve:
    """The value of a law along its main variable, (points,), where the second one stands at `label`."""

    x: np.ndarray
    value: np.ndarray
    label: str


def curves(law: Law) -> tuple[Variable, Variable | None, list[Curve]]:
    """The variable of the abscissa, the one that tells the curves apart, if any, and the curves."""
    x, *others = sorted(law.variables, key=_place)
    params = typical_params(law)
    grid = _spaced(x, N_POINTS)
    if x.name.startswith(SHARE):  # the shares that are not drawn have the rest
        others = [other for other in others if not other.name.startswith(SHARE)]
    effect = {other.name: _effect(law, params, x=x, other=other) for other in others}
    by = max(others, key=lambda other: effect[other.name], default=None)
    if by is None or effect[by.name] < SECOND_MATTERS:
        value = _value(law, params, {x.name: grid})
        return x, None, [Curve(grid, value, "")]
    found = [
        Curve(grid, _value(law, params, {x.name: grid, by.name: level}), _named(level))
        for level in _spaced(by, 3)
    ]
    return x, by, found


def typical_params(law: Law) -> Columns:
    """Parameters, (1,) each, inside the ranges where starts are drawn."""
    random = np.random.default_rng(0)
    runs: Columns = {}
    for variable in law.variables:
        low, high = variable.typical
        runs[variable.name] = np.exp(
            random.uniform(math.log(low), math.log(high), N_RUNS)
        )
    layout = Layout.of(law, _whole(runs), VALUE)
    lows, highs = layout.range("start_low", "start_high")
    linear = np.array([p.transform == "linear" for p in law.parameters])
    return layout.to_params(lows + (highs - lows) * np.where(linear, LINEAR_AT, 0.5))


def law_figure(law: Law) -> Figure:
    """The curves as a figure."""
    x, by, found = curves(law)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(6.0, 3.0))
        axes = figure.add_axes(
            PLACE
        )  # fixed: a layout that is worked out takes longer than all else
        for curve, colour in zip(found, COLOURS, strict=False):
            axes.plot(curve.x, curve.value, color=colour, linewidth=1.6)
        if found[0].x[-1] > 20 * found[0].x[0]:
            axes.set_xscale("log")
        log_if_wide(axes, np.concatenate([curve.value for curve in found]))
        axes.set_xlabel(f"{x.name} ({x.unit})")
        axes.set_ylabel("value")
        if by is not None:
            ends = [
                (float(curve.value[-1]), curve.label, colour)
                for curve, colour in zip(found, COLOURS, strict=False)
            ]
            side_labels(axes, ends, title=by.name, gap=0.09)
    return figure


def law_svg(law: Law) -> str:
    """The same as an SVG document, the same bytes for the same law."""
    figure = law_figure(law)
    try:
        return svg(figure)
    finally:
        plt.close(figure)


def _place(variable: Variable) -> int:
    known = variable.name in FIRST
    return FIRST.index(variable.name) if known else len(FIRST)


def _spaced(variable: Variable, n: int) -> np.ndarray:
    low, high = variable.typical
    if variable.name.startswith(SHARE):
        return np.linspace(low, 1 - low, n)
    return np.geomspace(low, high, n)


def _named(level: float) -> str:
    return si(level) if level >= 1000 else f"{level:.3g}"


def _value(law: Law, params: Columns, given: Columns) -> np.ndarray:
    """Along what is given; the other variables stand at the middle of their ranges."""
    middle = {v.name: np.sqrt(np.prod(v.typical)) for v in law.variables}
    n = max(np.size(column) for column in given.values())
    columns = {
        name: np.broadcast_to(np.asarray(column, float), (n,)).copy()
        for name, column in {**middle, **given}.items()
    }
    return np.broadcast_to(law.value(params, _whole(columns, given)), (n,))


def _whole(columns: Columns, given: Collection[str] = ()) -> Columns:
    """The shares of a run add up to one: where there are several, those not given have the rest."""
    shares = [name for name in columns if name.startswith(SHARE)]
    others = [name for name in shares if name not in given]
    if len(shares) < 2 or not others:
        return columns
    rest = 1 - sum(columns[name] for name in shares if name in given)
    total = sum(columns[name] for name in others)
    return columns | {name: rest * columns[name] / total for name in others}


def _effect(law: Law, params: Columns, *, x: Variable, other: Variable) -> float:
    """How far the other variable moves the value in the middle of the main one, as a fraction."""
    middle = np.full(2, np.sqrt(np.prod(x.typical)))
    ends = np.array(other.typical)
    low, high = _value(law, params, {x.name: middle, other.name: ends})
    return float(abs(high - low) / max(abs(low), abs(high)))
