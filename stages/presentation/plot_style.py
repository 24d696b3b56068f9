"""How every plot looks. Colours are Okabe and Ito's, which colour-blind readers can tell apart."""

import io
from collections.abc import Sequence

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "HEIGHT",
    "MARKERS",
    "STYLE",
    "WIDTH",
    "colour_of",
    "plt",
    "svg",
]

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#8C8C8C",
)
MARKERS = "osD^vP*X"
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "svg.fonttype": "none",
    "svg.hashsalt": "assay",
    "legend.frameon": False,
}
WIDTH, HEIGHT = 7.2, 4.0


def colour_of(arms: Sequence[str]) -> dict[str, tuple[str, str]]:
    """arm -> (colour, marker), fixed by the order of the arms in the question."""
    return {
        arm: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
        for i, arm in enumerate(arms)
    }


def svg(figure: Figure) -> str:
    """The figure as an <svg> element, the same bytes for the same figure."""
    buffer = io.StringIO()
    # the ids inside follow the salt at the time of writing
    with plt.rc_context({"svg.hashsalt": STYLE["svg.hashsalt"]}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
