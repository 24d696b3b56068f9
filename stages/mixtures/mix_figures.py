"""The figures of a proposal: its shares with intervals, how the objective moves with each share, and what each
metric gains or loses on the way from the reference.

Input: what is drawn of a proposal (mix_curves.py) and its record. Output: matplotlib figures by name. Cost: 1 to 3 s
(assumed).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from stages.mixtures.mix_curves import SLICE, TRADE_OFF
from stages.presentation.plot_style import COLOURS, HEIGHT, STYLE, WIDTH, plt

ACROSS = 4
MOST_LINES = 8  # as many as the palette tells apart


def draw_mix(
    curves: pl.DataFrame,
    *,
    proposal: Mapping[str, float],
    interval: Mapping[str, Sequence[float]],
    reference: Mapping[str, float],
    level: float,
) -> dict[str, Figure]:
    """All figures by name. curves: as of mix_curves; the others as in the record, by domain."""
    with plt.rc_context(STYLE):
        return {
            "shares": shares_figure(proposal, interval, reference, level=level),
            "slices": slices_figure(curves.filter(kind=SLICE)),
            "trade-off": trade_off_figure(curves.filter(kind=TRADE_OFF)),
        }


def draw_uses(
    proposal: Mapping[str, float],
    interval: Mapping[str, Sequence[float]],
    reference: Mapping[str, float],
    level: float,
) -> dict[str, Figure]:
    """The figure of a curve over tiers. All by name of the tier."""
    axis = "times that a document is used"
    with plt.rc_context(STYLE):
        figure = shares_figure(proposal, interval, reference, level=level, axis=axis)
    return {"shares": figure}


def shares_figure(
    proposal: Mapping[str, float],
    interval: Mapping[str, Sequence[float]],
    reference: Mapping[str, float],
    *,
    level: float,
    axis: str = "share of the mixture",
) -> Figure:
    """Share of each domain: proposal with interval beside the reference."""
    domains = list(proposal)
    figure, axes = plt.subplots(
        figsize=(WIDTH, 1.2 + 0.28 * len(domains)), layout="constrained"
    )
    places = np.arange(len(domains))
    for place, domain in enumerate(domains):
        low, high = interval[domain]
        axes.plot([low, high], [place, place], color=COLOURS[0], lw=3, alpha=0.45)
    axes.plot([proposal[d] for d in domains], places, "o", color=COLOURS[0], ms=5)
    axes.plot(
        [reference[d] for d in domains], places, "|", color="0.25", ms=11, mew=1.5
    )
    axes.set_yticks(places, domains)
    axes.invert_yaxis()
    axes.set(xlabel=axis, xlim=(-0.01, None))
    axes.set_title(
        f"point and bar: proposal, interval of {level:.0%}; stroke: reference",
        fontsize=8,
        color="0.35",
        loc="left",
    )
    return figure


def slices_figure(curves: pl.DataFrame) -> Figure:
    """The objective while one share moves and the others keep their proportions; one panel a domain."""
    domains = curves["name"].unique(maintain_order=True).to_list()
    across = min(ACROSS, len(domains))
    down = -(-len(domains) // across)
    figure, grid = plt.subplots(
        down,
        across,
        figsize=(WIDTH, 0.5 + 1.7 * down),
        layout="constrained",
        sharey=True,
        squeeze=False,
    )
    for panel in list(grid.flat)[len(domains) :]:
        panel.set_visible(False)
    for domain, panel in zip(domains, grid.flat, strict=False):
        own = curves.filter(name=domain)
        panel.fill_between(
            own["x"], own["low"], own["high"], color=COLOURS[0], alpha=0.2, lw=0
        )
        panel.plot(own["x"], own["value"], color=COLOURS[0])
        panel.axvline(own["at"][0], color="0.4", lw=0.8, ls="--")
        panel.set_title(domain, fontsize=8)
        panel.tick_params(labelsize=7)
    figure.supxlabel("share, the others in proportion", fontsize=8)
    figure.supylabel("weighted sum of metrics", fontsize=8)
    return figure


def trade_off_figure(curves: pl.DataFrame) -> Figure:
    """Change of each metric on the straight way from the reference to the proposal and a little beyond."""
    figure, axes = plt.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")
    ends = curves.group_by("name", maintain_order=True).agg(
        end=pl.col("value").last().abs()
    )
    shown = ends.sort("end", descending=True, maintain_order=True)["name"]
    for place, name in enumerate(shown[:MOST_LINES]):
        own, colour = curves.filter(name=name), COLOURS[place % len(COLOURS)]
        axes.fill_between(
            own["x"], own["low"], own["high"], color=colour, alpha=0.15, lw=0
        )
        axes.plot(own["x"], own["value"], color=colour, label=name)
    axes.axhline(0.0, color="0.4", lw=0.8)
    axes.axvline(1.0, color="0.4", lw=0.8, ls="--")
    axes.set(
        xlabel="way from the reference (0) to the proposal (1)",
        ylabel="change of the metric",
    )
    axes.legend(fontsize=7, ncols=2)
    return figure
