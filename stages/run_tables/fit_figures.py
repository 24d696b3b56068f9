"""The figures of one fit: curve with band, residuals, and how well each parameter is known.

Input: a fit, its bootstrap (or None) and the runs as columns (runs,). Output: matplotlib figures by
name. Drawn for any law, since the axes come from its variables (law_axes.py). Cost: 1 to 2 s of
processor time, most of it matplotlib (measured).
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from stages.laws.choosing.bootstrap import (
    LEVEL,
    Bootstrap,
    equal_tailed,
    residual_noise,
)
from stages.laws.fitting.fit import Fit
from stages.presentation.figure_marks import log_if_wide, plain_ticks, side_labels
from stages.presentation.plot_style import COLOURS, HEIGHT, MARKERS, STYLE, WIDTH, plt
from stages.run_tables.law_axes import (
    Axes,
    Columns,
    Level,
    axes_of,
    axis_label,
    grid,
    levels,
    on_curve,
)
from stages.run_tables.profile_figure import profile_figure

MOVED = 0.002  # ours: points moved by less than 0.2 % to their curve are drawn without a word


@dataclass(frozen=True)
class Series:
    """One curve with its runs: fitted and held out (None where there are none)."""

    label: str
    arm: str | None
    level: Level
    colour: object
    marker: str
    runs: Columns
    held: Columns | None


def draw_fit(
    fit: Fit,
    boot: Bootstrap | None,
    runs: Columns,
    held: Columns | None,
    value_label: str,
) -> dict[str, Figure]:
    """All figures of a fit by name."""
    axes = axes_of(fit, runs)
    parts = series_of(fit, axes, runs=runs, held=held)
    with plt.rc_context(STYLE):
        return {
            "fit-curve": fit_curve(
                fit, boot, axes=axes, parts=parts, value_label=value_label
            ),
            "fit-residuals": residual_figure(fit, axes, parts),
            "fit-profiles": profile_figure(fit),
        }


def series_of(
    fit: Fit, axes: Axes, runs: Columns, held: Columns | None
) -> list[Series]:
    """One series an arm where the fit has arms, else one a level of the second variable; sizes that
    only held-out runs have get levels of their own, so that no run is moved far.
    """
    both = _rows(fit, runs, slice(None))
    n, own = both["value"].size, np.arange(both["value"].size)
    arm_of = np.asarray(runs[fit.arm_column]).astype(str) if fit.by_arm else None
    if held is not None:
        both = {
            name: np.concatenate([column, _rows(fit, held, slice(None))[name]])
            for name, column in both.items()
        }
        if arm_of is not None:
            arm_of = np.concatenate(
                [arm_of, np.asarray(held[fit.arm_column]).astype(str)]
            )
    single = Axes(axes.law, x=axes.x, by=None, log=axes.log)
    found: list[tuple[str, str | None, Level, np.ndarray]]
    if arm_of is not None:
        masks = {arm: np.equal(arm_of, arm) for arm in fit.arms}
        found = [
            (arm, arm, levels(single, _rows(fit, both, mask))[0], mask)
            for arm, mask in masks.items()
        ]
    else:
        found = [(level.label, None, level, level.mask) for level in levels(axes, both)]
    colours = _colours(len(found), bool(fit.by_arm))
    return [
        Series(
            label,
            arm=arm,
            level=level,
            colour=colours[i],
            marker=MARKERS[i % len(MARKERS)],
            runs=_rows(fit, both, own[mask[:n]]),
            held=None
            if held is None
            else _rows(fit, both, n + np.flatnonzero(mask[n:])),
        )
        for i, (label, arm, level, mask) in enumerate(found)
    ]


def fit_curve(
    fit: Fit, boot: Bootstrap | None, axes: Axes, parts: list[Series], value_label: str
) -> Figure:
    """Value against the main variable: points are runs, lines the law, bands its 90 % interval;
    rings were not fitted.
    """
    figure, plot = plt.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")
    ends, shown, moved = [], [], 0.0
    for part in parts:
        x, y, by = on_curve(
            fit, axes, level=part.level, columns=part.runs, arm=part.arm
        )
        moved, everything = max(moved, by), [x]
        plot.plot(x, y, part.marker, color=part.colour, ms=4, mec="white", mew=0.4)
        if part.held is not None and part.held["value"].size:
            far, high, by = on_curve(
                fit, axes, level=part.level, columns=part.held, arm=part.arm
            )
            moved, everything = max(moved, by), [x, far]
            plot.plot(
                far, high, part.marker, mfc="white", mec=part.colour, ms=5, mew=1.1
            )
            shown.append(high)
        ends.append(
            _curve(
                plot,
                fit,
                boot=boot,
                axes=axes,
                part=part,
                x=grid(np.concatenate(everything), axes.log),
                measured_to=float(x.max(initial=0.0)),
            )
        )
        shown += [y, ends[-1][0][-1:]]
    plot.set_xscale("log" if axes.log else "linear")
    log_if_wide(plot, np.concatenate(shown))
    _limit(plot, np.concatenate(shown))
    plain_ticks(plot)
    plot.set(xlabel=axis_label(axes.x), ylabel=value_label)
    plot.set_title(
        _subtitle(axes, boot, parts=parts, moved=moved),
        loc="left",
        fontsize=7.5,
        color="0.35",
    )
    if len(parts) > 1:
        heading = axis_label(axes.by) if axes.by and not fit.by_arm else "arm"
        side_labels(
            plot,
            [
                (value[-1], f"{_glyph(p.marker)} {p.label}", p.colour)
                for p, (value,) in zip(parts, ends, strict=True)
            ],
            title=heading,
        )
    return figure


def residual_figure(fit: Fit, axes: Axes, parts: list[Series]) -> Figure:
    """Measured over predicted, in per cent, against the main variable; grey: where 90 % of the fitted runs lie."""
    figure, plot = plt.subplots(figsize=(WIDTH, 0.8 * HEIGHT), layout="constrained")
    low, high = (
        100 * np.expm1(side) for side in equal_tailed(residual_noise(fit), LEVEL)
    )
    plot.axhspan(low, high, color="0.5", alpha=0.16, lw=0)
    plot.axhline(0, color="0.3", lw=0.8)
    points = [
        (part, runs, _residuals(fit, part, runs))
        for part in parts
        for runs in (part.runs, part.held)
        if runs is not None and runs["value"].size
    ]
    reach = _reach(np.concatenate([r for _, _, r in points]), low, high)
    for part, runs, residual in points:
        style = (
            {"color": part.colour, "ms": 4, "mec": "white", "mew": 0.4}
            if runs is part.runs
            else {"mfc": "white", "mec": part.colour, "ms": 5, "mew": 1.1}
        )
        x, outside = axes.x_of(runs), np.abs(residual) > reach
        plot.plot(x[~outside], residual[~outside], part.marker, **style)
        for sign, marker in ((1, 6), (-1, 7)):  # carets at the edge for runs beyond it
            there = outside & (np.sign(residual) == sign)
            plot.plot(
                x[there],
                np.full(there.sum(), sign * reach * 0.99),
                marker=marker,
                ls="",
                color=part.colour,
                ms=6,
            )
    plot.set(
        ylim=(-reach * 1.03, reach * 1.03),
        xlabel=axis_label(axes.x),
        ylabel="measured less predicted (%)",
    )
    plot.set_xscale("log" if axes.log else "linear")
    plain_ticks(plot)
    beyond = sum(int((np.abs(r) > reach).sum()) for _, _, r in points)
    rings = (
        "; rings were not fitted"
        if any(part.held is not None for part in parts)
        else ""
    )
    plot.set_title(
        f"grey: 90 % of the fitted runs{rings}"
        + (f"; carets: {beyond} beyond the scale" if beyond else ""),
        loc="left",
        fontsize=7.5,
        color="0.35",
    )
    if len(parts) > 1:
        places = np.linspace(reach, -reach, len(parts) + 2)[1:-1]
        heading = axis_label(axes.by) if axes.by and not fit.by_arm else "arm"
        side_labels(
            plot,
            [
                (y, f"{_glyph(p.marker)} {p.label}", p.colour)
                for p, y in zip(parts, places, strict=True)
            ],
            title=heading,
            gap=0.08,
        )
    return figure


def _curve(plot, fit, boot, axes, part, x, measured_to):
    """Line (dashed beyond the fitted runs) and band of one series; its values in a tuple."""
    rows = axes.rows_at(x, part.level.columns)
    value = fit.predict(rows, part.arm)
    inside = x <= measured_to * 1.0001
    plot.plot(x[inside], value[inside], color=part.colour, lw=1.3)
    start = max(int(inside.sum()) - 1, 0)
    plot.plot(x[start:], value[start:], color=part.colour, lw=1.1, ls=(0, (4, 2)))
    if boot is not None:
        low, high = boot.interval(rows, part.arm, level=LEVEL)
        plot.fill_between(x, low, high, color=part.colour, alpha=0.2, lw=0)
    return (value,)


def _subtitle(
    axes: Axes, boot: Bootstrap | None, parts: list[Series], moved: float
) -> str:
    """What the marks mean, in one line."""
    text = "lines: the law" + (", bands: its 90 % interval" if boot is not None else "")
    if any(part.held is not None for part in parts):
        text += "; rings: runs that were not fitted"
    if moved > MOVED:
        text += "; points are moved along the law to their curve"
    return text


def _rows(fit: Fit, columns: Columns, mask) -> Columns:
    names = (*fit.law.variable_names, "value")
    return {name: np.asarray(columns[name], float)[mask] for name in names}


def _residuals(fit: Fit, part: Series, runs: Columns) -> np.ndarray:
    return 100 * (runs["value"] / fit.predict(runs, part.arm) - 1)


def _reach(residuals: np.ndarray, low: float, high: float) -> float:
    """Half height of the residual plot: three times the noise, or all points if they lie within six times."""
    noise, largest = max(abs(low), abs(high), 1e-6), float(np.max(np.abs(residuals)))
    return 1.15 * largest if largest <= 6 * noise else 4 * noise


def _colours(n: int, arms: bool) -> list:
    """Arms differ in kind, levels in degree: Okabe-Ito, or an even walk through viridis, both safe
    for the colour-blind.
    """
    if arms:
        return [COLOURS[i % len(COLOURS)] for i in range(n)]
    return (
        [COLOURS[0]]
        if n == 1
        else [plt.get_cmap("viridis")(0.02 + 0.83 * i / (n - 1)) for i in range(n)]
    )


def _glyph(marker: str) -> str:
    return {
        "o": "●",
        "s": "■",
        "D": "◆",
        "^": "▲",
        "v": "▼",
        "P": "✚",
        "*": "★",
        "X": "✖",
    }[marker]


def _limit(plot, values: np.ndarray) -> None:
    """Keep the view on points and lines; a wide band must not flatten them."""
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    if plot.get_yscale() == "log":
        plot.set_ylim(low / (high / low) ** 0.06, high * (high / low) ** 0.06)
    else:
        room = 0.08 * ((high - low) or abs(high) or 1)
        plot.set_ylim(low - room, high + room)
