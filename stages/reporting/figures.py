"""The figures of the page: frames in, matplotlib figures out. Colours are Okabe and Ito's, which
colour-blind readers can tell apart; every line also has a marker of its own.
"""

from collections.abc import Sequence

import polars as pl
from matplotlib.figure import Figure

from stages.decision.at_budgets import Flip
from stages.presentation.inline_svg import arm_gid
from stages.presentation.metric_words import MetricWords
from stages.presentation.plot_style import COLOURS, HEIGHT, STYLE, WIDTH, colour_of, plt

# the lines of flips run behind it
LEGEND = {"frameon": True, "framealpha": 0.9, "edgecolor": "none"}


def loss_by_flops(
    points: pl.DataFrame,
    curves: pl.DataFrame,
    flips: Sequence[Flip],
    labels: dict[str, str],
    measured_to: float,
    words: MetricWords,
) -> Figure:
    """Held-out loss against training FLOPs: points are means over draws, lines the law, bands its interval.

    points: arm, flops, value; curves: arm, flops, value, low, high; flips: with no open end.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")
        for number, (arm, (colour, marker)) in enumerate(
            colour_of(list(labels)).items()
        ):
            curve, seen = (
                curves.filter(pl.col("arm") == arm),
                points.filter(pl.col("arm") == arm),
            )
            _draw_banded(axes, curve, number=number, colour=colour)
            axes.plot(
                seen["flops"],
                seen["value"],
                marker,
                color=colour,
                ms=4.5,
                label=labels[arm],
                gid=arm_gid(number, "points"),
            )
        _mark_flips(axes, flips)
        axes.axvline(measured_to, color="0.55", lw=0.8, ls=":")
        axes.annotate(
            "measured up to here",
            (measured_to, 0.02),
            xycoords=("data", "axes fraction"),
            fontsize=7,
            color="0.4",
            rotation=90,
            va="bottom",
            ha="right",
        )
        axes.set(
            xscale="log",
            xlabel="training FLOPs (6ND)",
            ylabel=f"held-out {words.value} ({words.unit})",
        )
        _clip(
            axes,
            points["value"],
            curves.filter(pl.col("flops") <= 2 * measured_to)["value"],
        )
        axes.legend(fontsize=8, **LEGEND)
    return figure


def advantage(
    differences: pl.DataFrame,
    flips: Sequence[Flip],
    labels: dict[str, str],
    base: str,
    measured_to: float,
    words: MetricWords,
) -> Figure:
    """Loss of every arm less that of the base arm, with paired bands: below zero is better.

    differences: arm, flops, value, low, high, from the same bootstrap draws.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")
        for number, (arm, (colour, _)) in enumerate(colour_of(list(labels)).items()):
            curve = differences.filter(pl.col("arm") == arm)
            if arm == base or curve.is_empty():
                continue
            _draw_banded(axes, curve, number=number, colour=colour, label=labels[arm])
        axes.axhline(0, color="0.2", lw=1)
        _mark_flips(axes, flips)
        axes.axvline(measured_to, color="0.55", lw=0.8, ls=":")
        inside = differences.filter(
            (pl.col("arm") != base) & (pl.col("flops") <= 2 * measured_to)
        )
        _clip(axes, inside["value"], inside["value"] * 0)
        axes.set(
            xscale="log",
            xlabel="training FLOPs (6ND)",
            ylabel=(
                f"{words.value} less that of: {labels[base]} ({words.difference_unit})"
            ),
        )
        axes.legend(fontsize=8, **LEGEND)
    return figure


def heldout_check(
    rows: pl.DataFrame, labels: dict[str, str], words: MetricWords
) -> Figure:
    """Predicted against measured on the rung that the law had not seen. rows: arm, measured, predicted, low, high."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(HEIGHT, HEIGHT), layout="constrained")
        for number, (arm, (colour, marker)) in enumerate(
            colour_of(list(labels)).items()
        ):
            part = rows.filter(pl.col("arm") == arm)
            reach = [
                (part["predicted"] - part["low"]).clip(0),
                (part["high"] - part["predicted"]).clip(0),
            ]
            drawn = axes.errorbar(
                part["measured"],
                part["predicted"],
                yerr=reach,
                fmt=marker,
                color=colour,
                ms=4.5,
                lw=0.8,
                label=labels[arm],
            )
            points, _, bars = drawn.lines
            points.set_gid(arm_gid(number, "points"))
            for bar in bars:
                bar.set_gid(arm_gid(number, "bars"))
        ends = [
            min(rows["measured"].min(), rows["predicted"].min()),
            max(rows["measured"].max(), rows["predicted"].max()),
        ]
        axes.plot(ends, ends, color="0.4", lw=0.8)
        axes.set(
            xlabel=f"measured {words.value} ({words.unit})",
            ylabel=f"predicted {words.value} ({words.unit})",
        )
        axes.legend(fontsize=7, **LEGEND)
    return figure


def verified(rows: pl.DataFrame, labels: dict[str, str], words: MetricWords) -> Figure:
    """What was trained after the decision: measured as points, predicted as lines with the interval of a new run.

    rows: arm, flops, measured, predicted, low, high; of several resamples a point each.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")
        for number, (arm, (colour, marker)) in enumerate(
            colour_of(list(labels)).items()
        ):
            part = rows.filter(pl.col("arm") == arm).sort("flops")
            if part.is_empty():
                continue
            line = part.rename({"predicted": "value"})
            _draw_banded(axes, line, number=number, colour=colour)
            axes.plot(
                part["flops"],
                part["measured"],
                marker,
                color=colour,
                ms=5,
                label=labels[arm],
                gid=arm_gid(number, "points"),
            )
        axes.set(
            xscale="log",
            xlabel="training FLOPs (6ND)",
            ylabel=f"held-out {words.value} ({words.unit})",
        )
        axes.legend(fontsize=8, **LEGEND)
    return figure


def retention(ledger: pl.DataFrame) -> Figure:
    """Tokens that reach each step of curation. ledger: step, tokens_out."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            figsize=(WIDTH, 0.32 * len(ledger) + 0.9), layout="constrained"
        )
        axes.barh(ledger["step"], ledger["tokens_out"] / 1e6, color=COLOURS[0])
        axes.invert_yaxis()
        axes.set(xlabel="million tokens")
    return figure


def _draw_banded(
    axes: plt.Axes,
    curve: pl.DataFrame,
    *,
    number: int,
    colour: str,
    label: str | None = None,
) -> None:
    """A line within its band. curve: flops, value, low, high; number: of the arm, for the page's script."""
    axes.fill_between(
        curve["flops"],
        curve["low"],
        curve["high"],
        color=colour,
        alpha=0.13,
        lw=0,
        gid=arm_gid(number, "band"),
    )
    axes.plot(
        curve["flops"],
        curve["value"],
        color=colour,
        lw=1.4,
        label=label,
        gid=arm_gid(number, "curve"),
    )


def _mark_flips(axes: plt.Axes, flips: Sequence[Flip]) -> None:
    for flip in flips:
        axes.axvspan(flip.low, flip.high, color="0.5", alpha=0.12, lw=0)
        axes.axvline(flip.flops, color="0.25", lw=1, ls="--")


def _clip(axes: plt.Axes, *series: pl.Series) -> None:
    """Keep the view on what was measured; a wide band beyond it must not flatten the figure."""
    low, high = min(s.min() for s in series), max(s.max() for s in series)
    room = 0.25 * (high - low or 1)
    axes.set_ylim(low - room, high + room)
