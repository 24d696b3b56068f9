"""The figures of a proposal: its shares with intervals, how the objective moves with each share, and what each
metric gains or loses on the way from the reference.

Input: a proposal and its record. Output: matplotlib figures by name. Cost: 1 to 3 s (assumed).
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from stages.mixtures.proposal import ENDS, Proposal
from stages.presentation.plot_style import COLOURS, HEIGHT, STYLE, WIDTH, plt

N_POINTS = 41
ACROSS = 4
MOST_LINES = 8  # as many as the palette tells apart
BEYOND = 1.25  # of the way from the reference to the proposal


def draw_mix(found: Proposal, said: dict[str, Any]) -> dict[str, Figure]:
    """All figures by name."""
    with plt.rc_context(STYLE):
        return {
            "mix-shares": shares_figure(said),
            "mix-slices": slices_figure(found),
            "mix-trade-off": trade_off_figure(found),
        }


def shares_figure(said: dict[str, Any]) -> Figure:
    """Share of each domain: proposal with interval beside the reference."""
    domains = list(said["proposal"])
    figure, axes = plt.subplots(
        figsize=(WIDTH, 1.2 + 0.28 * len(domains)), layout="constrained"
    )
    places = np.arange(len(domains))
    for place, domain in enumerate(domains):
        low, high = said["interval"][domain]
        axes.plot([low, high], [place, place], color=COLOURS[0], lw=3, alpha=0.45)
    axes.plot(
        [said["proposal"][d] for d in domains], places, "o", color=COLOURS[0], ms=5
    )
    reference = [said["reference"]["mixture"][d] for d in domains]
    axes.plot(reference, places, "|", color="0.25", ms=11, mew=1.5)
    axes.set_yticks(places, domains)
    axes.invert_yaxis()
    axes.set(xlabel="share of the mixture", xlim=(-0.01, None))
    axes.set_title(
        f"point and bar: proposal, interval of {said['level']:.0%}; stroke: reference",
        fontsize=8,
        color="0.35",
        loc="left",
    )
    return figure


def slices_figure(found: Proposal) -> Figure:
    """The objective while one share moves and the others keep their proportions; one panel a domain."""
    domains = found.swarm.domains
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
    for at, panel in zip(range(len(domains)), grid.flat, strict=False):
        largest = float(found.swarm.shares[:, at].max())
        mixtures = moved_share(found.share, at, np.linspace(0.0, largest, N_POINTS))
        low, high = np.quantile(found.goal.drawn(mixtures), ENDS, axis=0)
        panel.fill_between(
            mixtures[:, at], low, high, color=COLOURS[0], alpha=0.2, lw=0
        )
        panel.plot(mixtures[:, at], found.goal.values(mixtures), color=COLOURS[0])
        panel.axvline(found.share[at], color="0.4", lw=0.8, ls="--")
        panel.set_title(domains[at], fontsize=8)
        panel.tick_params(labelsize=7)
    figure.supxlabel("share, the others in proportion", fontsize=8)
    figure.supylabel("weighted sum of metrics", fontsize=8)
    return figure


def moved_share(share: np.ndarray, at: int, to: np.ndarray) -> np.ndarray:
    """Mixtures in which one domain has another share and the others keep their proportions, (points, domains).

    >>> moved_share(np.array([0.5, 0.3, 0.2]), 0, np.array([0.0])).round(3).tolist()
    [[0.0, 0.6, 0.4]]
    """
    others = np.delete(share, at)
    total = others.sum()
    parts = others / total if total > 0 else np.full(others.size, 1 / others.size)
    return np.insert((1 - to)[:, None] * parts, at, to, axis=1)


def trade_off_figure(found: Proposal) -> Figure:
    """Change of each metric on the straight way from the reference to the proposal and a little beyond."""
    figure, axes = plt.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")
    way = np.linspace(0.0, BEYOND, N_POINTS)
    mixtures = found.reference + way[:, None] * (found.share - found.reference)
    mixtures = mixtures[(mixtures >= 0).all(axis=1)]
    way = way[: len(mixtures)]
    changes = []
    for metric in found.metrics:
        drawn = metric.drawn(mixtures)
        value = metric.value(mixtures)
        changes.append((metric.name, value - value[0], drawn - drawn[:, :1]))
    changes.sort(key=lambda change: -abs(float(change[1][-1])))
    for place, (name, value, drawn) in enumerate(changes[:MOST_LINES]):
        low, high = np.quantile(drawn, ENDS, axis=0)
        colour = COLOURS[place % len(COLOURS)]
        axes.fill_between(way, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(way, value, color=colour, label=name)
    axes.axhline(0.0, color="0.4", lw=0.8)
    axes.axvline(1.0, color="0.4", lw=0.8, ls="--")
    axes.set(
        xlabel="way from the reference (0) to the proposal (1)",
        ylabel="change of the metric",
    )
    axes.legend(fontsize=7, ncols=2)
    return figure
