"""The figures of a plan: loss against model size at the budget (isoFLOP), and the best that each
budget buys (frontier).

Input: a stored fit, the plan's records. Output: matplotlib figures by name. Cost: about 2 s of
processor time for 500 draws of one arm (measured); the frontier is 24 budgets x 64 sizes x draws.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from stages.laws.choosing.averaged import Prediction
from stages.laws.choosing.bootstrap import LEVEL, equal_tailed
from stages.laws.deciding.path import (
    arm_path,
    fitted_budgets,
    measured_flops,
    path_rows,
)
from stages.laws.deciding.plan import best_size, best_sizes, optimal_allocation
from stages.presentation.figure_marks import plain_ticks, side_labels
from stages.presentation.numbers import flops_text
from stages.presentation.plot_style import COLOURS, HEIGHT, STYLE, WIDTH, plt
from stages.presentation.si import si
from stages.run_tables.law_axes import COMPUTE, axis_label

N_GRID, N_BUDGETS = 90, 24
MAX_ARMS = 7  # as many as the palette tells apart
AROUND = 30.0  # ours: sizes from 1/30 to 30 times the best
# isoFLOP curves of smaller budgets, drawn where there is one arm
SMALLER = (10.0, 100.0)


def draw_plan(
    boot: Prediction,
    rows: list[dict[str, Any]],
    unique_tokens: float | None,
    value_label: str = "value",
) -> dict[str, Figure]:
    """All figures of a plan by name."""
    rows = sorted(rows, key=lambda row: row["value"])[:MAX_ARMS]
    with plt.rc_context(STYLE):
        return {
            "plan-isoflop": isoflop_figure(
                boot, rows, unique=unique_tokens, value_label=value_label
            ),
            "plan-frontier": frontier_figure(
                boot, rows, unique=unique_tokens, value_label=value_label
            ),
        }


def isoflop_figure(
    boot: Prediction, rows: list[dict[str, Any]], unique: float | None, value_label: str
) -> Figure:
    """Value against model size at the budget, the optimum with its interval, and where the tokens begin to repeat."""
    figure, plot = plt.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")
    flops, labels = rows[0]["flops"], []
    sizes = np.geomspace(
        min(r["n_params"] for r in rows) / AROUND,
        max(r["n_params"] for r in rows) * AROUND,
        N_GRID,
    )
    for row, colour in zip(rows, COLOURS, strict=False):
        value = _isoflop(
            plot,
            boot,
            arm=row["arm"],
            flops=flops,
            sizes=sizes,
            unique=unique,
            colour=colour,
        )
        _optimum(plot, row, colour)
        labels.append(
            (
                float(value[-1]),
                row["arm"] if len(rows) > 1 else flops_text(flops),
                colour,
            )
        )
    if len(rows) == 1:
        labels += [
            _smaller(
                plot,
                boot,
                arm=rows[0]["arm"],
                flops=flops / by,
                sizes=sizes,
                unique=unique,
                colour=grey,
            )
            for by, grey in zip(SMALLER, ("0.45", "0.65"), strict=True)
            if flops / by > measured_flops(boot.fit) / 1e4
        ]
    plot.set(
        xscale="log",
        xlim=(sizes[0], sizes[-1]),
        xlabel="model size (parameters)",
        ylabel=value_label,
    )
    _near_the_lowest(plot)
    plain_ticks(plot)
    per_token = float(boot.fit.cost.factor(rows[0]["n_params"]))
    _repeats(plot, flops, unique=unique, per_token=per_token)
    _token_axis(plot, flops, per_token)
    side_labels(plot, labels, title="FLOPs" if len(rows) == 1 else "arm")
    figure.suptitle(
        _isoflop_text(rows, unique), fontsize=7.5, color="0.25", x=0.01, ha="left"
    )
    return figure


def _curves(plot) -> list[np.ndarray]:
    """The ordinates of the curves that are drawn, each (points,)."""
    return [line.get_ydata() for line in plot.lines if line.get_gid() == "curve"]


def _near_the_lowest(plot) -> None:
    """Show the curves from the lowest point to where most of them end, so that one steep end hides no optimum."""
    curves = _curves(plot)
    lowest = min(curve.min() for curve in curves)
    ends = [float(curve[i]) for curve in curves for i in (0, -1)]
    top = min(max(ends), lowest + 2.5 * (float(np.median(ends)) - lowest))
    plot.set_ylim(lowest - 0.06 * (top - lowest), top + 0.03 * (top - lowest))


def frontier_figure(
    boot: Prediction, rows: list[dict[str, Any]], unique: float | None, value_label: str
) -> Figure:
    """Left: the least value that a budget buys. Right: its size and, with one arm, its tokens.
    Bands are 90 % intervals.
    """
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH * 1.15, HEIGHT), layout="constrained"
    )
    columns = {} if unique is None else {"n_tokens_unique": unique}
    seen, target = boot.fit.problem, rows[0]["flops"]
    ran = np.asarray(fitted_budgets(boot.fit), float)
    budgets = np.geomspace(
        min(float(ran.min()), target), max(float(ran.max()), target) * 2, N_BUDGETS
    )
    left.plot(ran, seen.observed, "o", color="0.6", ms=2.2, mew=0, alpha=0.6, zorder=0)
    labels = []
    for row, colour in zip(rows, COLOURS, strict=False):
        labels += _frontier(
            left,
            right,
            boot=boot,
            row=row,
            colour=colour,
            budgets=budgets,
            columns=columns,
            alone=len(rows) == 1,
        )
    shown = np.concatenate(_curves(left))
    top = max(float(shown.max()), float(np.quantile(seen.observed, 0.98)))
    left.set(
        ylabel=value_label,
        ylim=(float(shown.min()) - 0.05 * np.ptp(shown), top + 0.05 * np.ptp(shown)),
    )
    right.set(
        yscale="log",
        ylabel="best model size" if len(rows) > 1 else "best size and length",
    )
    for plot in (left, right):
        plot.set(
            xscale="log",
            xlim=(budgets[0], budgets[-1]),
            xlabel=axis_label(COMPUTE, boot.fit.cost),
        )
        plot.axvline(float(ran.max()), color="0.45", lw=0.9, ls=":")
    if unique is not None and len(rows) == 1:
        right.axhline(unique, color=COLOURS[1], lw=0.9, ls="--")
        labels.append((unique, "unique tokens", COLOURS[1]))
    side_labels(right, labels)
    figure.suptitle(
        f"dots: runs; dotted: the largest run; bands 90 %; marked: {flops_text(target)}"
        " FLOPs",
        fontsize=7.5,
        color="0.25",
        x=0.01,
        ha="left",
    )
    return figure


def _frontier(
    left,
    right,
    boot: Prediction,
    row: dict[str, Any],
    colour: str,
    budgets: np.ndarray,
    columns: dict[str, float],
    *,
    alone: bool,
) -> list:
    """One arm in both panels; its labels for the right one."""
    arm = row["arm"]
    path = arm_path(boot, budgets, {arm: columns})
    _band(left, budgets, value=path.values[arm], draws=path.draws[arm], colour=colour)
    size, sizes = (
        best_size(boot, budgets, arm=arm, columns=columns),
        best_sizes(boot, budgets, arm=arm, columns=columns),
    )
    _band(right, budgets, value=size, draws=sizes, colour=colour)
    left.plot(row["flops"], row["value"], "o", color=colour, ms=5, mec="white")
    right.plot(row["flops"], row["n_params"], "o", color=colour, ms=5, mec="white")
    if not alone:
        return [(float(size[-1]), arm, colour)]
    cost = boot.fit.cost
    tokens = cost.tokens(budgets, size)
    drawn = cost.tokens(budgets[None], sizes)
    _band(right, budgets, value=tokens, draws=drawn, colour=COLOURS[1])
    return [
        (float(size[-1]), "parameters", colour),
        (float(tokens[-1]), "tokens", COLOURS[1]),
    ]


def _isoflop(plot, boot, arm, flops, sizes, unique, colour) -> np.ndarray:
    """Line and band of one arm at one budget; its values."""
    rows = path_rows(
        np.full(sizes.shape, flops),
        sizes,
        {} if unique is None else {"n_tokens_unique": unique},
        boot.fit.cost,
    )
    own = arm if boot.fit.by_arm else None
    value = boot.fit.predict(rows, own)
    low, high = boot.interval(rows, own, level=LEVEL)
    plot.fill_between(sizes, low, high, color=colour, alpha=0.17, lw=0)
    plot.plot(sizes, value, color=colour, lw=1.5, gid="curve")
    return value


def _smaller(plot, boot, arm, flops, sizes, unique, colour):
    """The curve of a smaller budget with its optimum, as a side label."""
    value = _isoflop(
        plot, boot, arm=arm, flops=flops, sizes=sizes, unique=unique, colour=colour
    )
    best = optimal_allocation(boot, flops, arm=arm, n_tokens_unique=unique)
    plot.plot(best.n_params, best.value[0], "o", color=colour, ms=4.5, mec="white")
    return float(value[-1]), flops_text(flops), colour


def _optimum(plot, row, colour) -> None:
    """The best size with its interval."""
    reach = [
        [max(row["n_params"] - row["n_params_low"], 0)],
        [max(row["n_params_high"] - row["n_params"], 0)],
    ]
    plot.errorbar(
        [row["n_params"]],
        [row["value"]],
        xerr=reach,
        fmt="o",
        color=colour,
        ms=6,
        mec="white",
        capsize=3,
        lw=1.3,
        zorder=4,
    )


def _repeats(plot, flops: float, unique: float | None, per_token: float) -> None:
    """Shade the sizes whose tokens exceed the different ones that there are. per_token: FLOPs for
    each parameter and token at the best size.
    """
    if unique is None:
        return
    edge = flops / per_token / unique
    low, high = plot.get_xlim()
    if edge <= low:
        return
    plot.axvspan(low, min(edge, high), color=COLOURS[4], alpha=0.10, lw=0, zorder=0)
    if edge < high:
        plot.axvline(edge, color=COLOURS[4], lw=1, ls="--")
    plot.annotate(
        f"tokens repeat at {flops_text(flops)} FLOPs",
        (0.015, 0.02),
        xycoords="axes fraction",
        fontsize=7.5,
        color="#8a6200",
    )


def _token_axis(plot, flops: float, per_token: float) -> None:
    """Training tokens on a second abscissa above: C = per_token N D."""
    above = plot.secondary_xaxis(
        "top",
        functions=(
            lambda n: flops / per_token / np.maximum(n, 1e-30),
            lambda d: flops / per_token / np.maximum(d, 1e-30),
        ),
    )
    above.set_xlabel(f"training tokens at {flops_text(flops)} FLOPs", fontsize=8)
    above.spines["top"].set_visible(True)


def _isoflop_text(rows: list[dict[str, Any]], unique: float | None) -> str:
    """The plan of the best arm in one line."""
    row = rows[0]
    text = (
        f"best{'' if len(rows) == 1 else ' of ' + row['arm']}: {si(row['n_params'])}"
        f" parameters [{si(row['n_params_low'])}, {si(row['n_params_high'])}],"
        f" {si(row['n_tokens'])} tokens"
    )
    return (
        text
        + (
            f", {row['epochs']:.1f} epochs of {si(min(unique, row['n_tokens']))}"
            if unique is not None
            else ""
        )
        + "; bands and bars 90 %"
    )


def _band(plot, x, value, draws, colour) -> None:
    low, high = equal_tailed(draws, LEVEL)
    plot.fill_between(x, low, high, color=colour, alpha=0.17, lw=0)
    plot.plot(x, value, color=colour, lw=1.5, gid="curve")
