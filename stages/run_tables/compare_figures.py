"""The figure of a comparison: the arms along compute with bands and flips, and below it the chance
that each is the best.

Input: a Comparison (compare_table.py). Output: matplotlib figures by name. Cost: about 1 s of
processor time (measured).
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from stages.laws.choosing.bootstrap import LEVEL, equal_tailed
from stages.laws.deciding.path import Path, arm_path
from stages.laws.interface.table import run_flops
from stages.presentation.figure_marks import plain_ticks, side_labels
from stages.presentation.numbers import flops_text
from stages.presentation.plot_style import COLOURS, STYLE, WIDTH, plt
from stages.run_tables.compare_rows import flip_interval
from stages.run_tables.compare_table import Comparison

N_GRID = 121
MAX_ARMS = 7  # ours: as many as the palette tells apart; the others are grey
MAX_FLIPS = 4  # lines of text above the figure


def draw_compare(comparison: Comparison, value_label: str) -> dict[str, Figure]:
    """All figures of a comparison by name."""
    found = comparison.found
    flops = np.geomspace(found.flops_low, found.flops_high, N_GRID)
    path = arm_path(comparison.boot, flops, comparison.columns, **comparison.options)
    with plt.rc_context(STYLE):
        figure, (top, bottom) = plt.subplots(
            2,
            1,
            figsize=(WIDTH, 6.0),
            layout="constrained",
            sharex=True,
            height_ratios=(2.6, 1),
        )
        colours = arm_colours(path, chances(path))
        _curves(top, comparison, path=path, colours=colours, value_label=value_label)
        _chances(bottom, path, colours)
        for plot in (top, bottom):
            _marks(plot, comparison, budgets=plot is bottom)
        what = "training compute" if comparison.unit == "FLOPs" else "training data"
        bottom.set(xlabel=f"{what} ({comparison.unit})", xlim=(flops[0], flops[-1]))
        plain_ticks(top)
        top.set_title(
            "\n".join(_lines(comparison)), loc="left", fontsize=7.5, color="0.25"
        )
    return {"compare": figure}


def chances(path: Path) -> dict[str, np.ndarray]:
    """Share of the draws in which each arm has the least value, arm -> (budgets,)."""
    draws = np.stack(list(path.draws.values()))  # (arms, draws, budgets)
    best = draws.argmin(axis=0)
    return {arm: np.mean(best == i, axis=0) for i, arm in enumerate(path.draws)}


def arm_colours(path: Path, chance: dict[str, np.ndarray]) -> dict[str, str | None]:
    """Arm -> colour; None for arms beyond MAX_ARMS, those with the least chance anywhere and then
    the worst at the largest budget.
    """
    order = sorted(
        path.values,
        key=lambda arm: (-float(chance[arm].max()), float(path.values[arm][-1])),
    )
    kept = set(order if len(order) <= MAX_ARMS else order[:MAX_ARMS])
    own = iter(COLOURS)
    return {arm: next(own) if arm in kept else None for arm in path.values}


def _curves(
    plot, comparison: Comparison, path: Path, colours, value_label: str
) -> None:
    """Runs, curves and bands of every arm."""
    rows, flops, shown = comparison.rows, run_flops(comparison.rows), []
    for arm, colour in colours.items():
        own = rows["arm"] == arm
        plot.plot(
            flops[own],
            rows["value"][own],
            "o",
            color=colour or "0.7",
            ms=2.6,
            alpha=0.55,
            mew=0,
            zorder=1,
        )
        if colour is not None:
            low, high = equal_tailed(path.draws[arm], LEVEL)
            plot.fill_between(path.flops, low, high, color=colour, alpha=0.15, lw=0)
        plot.plot(
            path.flops,
            path.values[arm],
            color=colour or "0.75",
            lw=1.4 if colour else 0.8,
        )
        shown.append(path.values[arm])
    _limits(plot, np.concatenate(shown), rows["value"])
    plot.set(xscale="log", ylabel=value_label, xlim=(path.flops[0], path.flops[-1]))
    labels = [
        (float(path.values[arm][-1]), arm if len(arm) <= 22 else arm[:21] + "…", colour)
        for arm, colour in colours.items()
        if colour
    ]
    grey = sum(colour is None for colour in colours.values())
    side_labels(
        plot, labels + ([(np.nan, f"{grey} other arms", "0.6")] if grey else [])
    )


def _limits(plot, curves: np.ndarray, points: np.ndarray) -> None:
    """The view holds every curve, and points up to a third above the curves; a log ordinate where
    values span a factor of 5.
    """
    low, high = (
        min(float(curves.min()), float(np.quantile(points, 0.01))),
        float(curves.max()),
    )
    high = max(high, min(float(points.max()), high + (high - low) / 3))
    if high > 5 * low > 0:
        plot.set_yscale("log")
        plot.set_ylim(low / (high / low) ** 0.05, high * (high / low) ** 0.05)
    else:
        room = 0.06 * ((high - low) or abs(high) or 1.0)
        plot.set_ylim(low - room, high + room)


def _chances(plot, path: Path, colours) -> None:
    """P(best) against compute."""
    for arm, chance in chances(path).items():
        plot.plot(
            path.flops,
            chance,
            color=colours[arm] or "0.75",
            lw=1.4 if colours[arm] else 0.8,
        )
    plot.axhline(0.95, color="0.4", lw=0.7, ls=":")
    plot.set(xscale="log", ylabel="P(best)", ylim=(-0.03, 1.03))
    plot.annotate(
        "0.95",
        (1.005, 0.95),
        xycoords=("axes fraction", "data"),
        fontsize=7,
        color="0.4",
        va="center",
        annotation_clip=False,
    )


def _marks(plot, comparison: Comparison, *, budgets: bool) -> None:
    """Flips with their intervals, the largest measured run, and the budgets asked for."""
    found = comparison.found
    for flip in found.switches:
        plot.axvspan(
            flip.low or found.flops_low,
            flip.high or found.flops_high,
            color="0.5",
            alpha=0.1,
            lw=0,
            zorder=0,
        )
        plot.axvline(flip.flops, color="0.25", lw=0.9, ls="--")
    measured = float(run_flops(comparison.rows).max())
    plot.axvline(measured, color="0.45", lw=0.9, ls=":")
    for decision in comparison.decisions if budgets else ():
        plot.add_line(
            Line2D(
                [decision.flops],
                [0],
                transform=plot.get_xaxis_transform(),
                marker="^",
                color="0.1",
                ms=6,
                ls="",
                clip_on=False,
                zorder=5,
            )
        )


def _lines(comparison: Comparison) -> list[str]:
    """What the marks say, in words: flips with intervals, then the legend of marks."""
    found, unit = comparison.found, comparison.unit
    flips = [
        f"flip {f.first} → {f.second} at {flops_text(f.flops)} {unit}, 90 %:"
        f" {flip_interval(f.low, f.high, found)}"
        for f in found.switches
    ]
    more = (
        [f"and {len(flips) - MAX_FLIPS} more flips"] if len(flips) > MAX_FLIPS else []
    )
    size = (
        ""
        if "n_params" not in comparison.boot.fit.law.variable_names
        else (
            " (each arm at its best size)"
            if comparison.options.get("n_params") is None
            else f" (at {comparison.options['n_params']:.3g} parameters)"
        )
    )
    return [
        *(flips[:MAX_FLIPS] or ["no flip in the range searched"]),
        *more,
        (
            f"lines: the law{size}, bands 90 %, dots: runs; dotted: largest run; ▲"
            " budgets asked for"
        ),
    ]
