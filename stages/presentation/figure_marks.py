"""Marks that several figures share: labels beside curves that never overlap, and figures as PNG files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from stages.foundation.errors import InputError
from stages.foundation.files import whole_file
from stages.presentation.plot_style import plt
from stages.presentation.si import si

DPI = 160
GAP = 0.062  # of the height of the axes, at 8 points: one line of text


def save_all(figures: dict[str, Figure], folder: Path | str) -> list[str]:
    """Write each figure as folder/name.png, whole or not at all; the paths written, in order."""
    folder, paths = Path(folder), []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            with whole_file(folder / f"{name}.png") as temporary:
                figure.savefig(
                    temporary, format="png", dpi=DPI, metadata={"Software": None}
                )
            paths.append(str(folder / f"{name}.png"))
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write figures there ({error.strerror or error}); give a"
            " folder that can be written"
        ) from None
    finally:
        for figure in figures.values():
            plt.close(figure)
    return paths


def side_labels(
    axes: Axes,
    labels: Sequence[tuple[float, str, object]],
    *,
    title: str = "",
    gap: float = GAP,
    fontsize: float = 8,
) -> None:
    """Text in the colour of its curve right of the axes, (value at the right end, text, colour),
    pushed apart where they would overlap.

    Call after the limits are set.
    """
    if not labels:
        return
    to_axes = axes.transData + axes.transAxes.inverted()
    x = axes.get_xlim()[1]
    wanted = [
        float(to_axes.transform((x, y))[1]) if np.isfinite(y) else 1.0
        for y, _, _ in labels
    ]
    room = 1.0 - (gap if title else 0.0)
    order = sorted(range(len(labels)), key=lambda i: wanted[i])
    for place, i in zip(
        spread(
            [wanted[i] for i in order],
            min(gap, room / max(len(labels), 1)),
            low=0.0,
            high=room,
        ),
        order,
        strict=True,
    ):
        axes.annotate(
            labels[i][1],
            (1.015, place),
            xycoords="axes fraction",
            color=labels[i][2],
            fontsize=fontsize,
            va="center",
            annotation_clip=False,
        )
    if title:
        axes.annotate(
            title,
            (1.015, 1.0),
            xycoords="axes fraction",
            color="0.3",
            fontsize=fontsize - 0.5,
            va="top",
            annotation_clip=False,
        )


def spread(places: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Sorted places moved as little as needed to stand `gap` apart inside [low, high].

    >>> spread([0.5, 0.5], 0.1, 0, 1)
    array([0.45, 0.55])
    """
    # [sum of wanted starts, count]: runs of touching labels, each centred on what it wants
    blocks: list[list[float]] = []
    for i, place in enumerate(np.clip(places, low, high)):
        blocks.append([float(place) - gap * i, 1.0, i])
        while (
            len(blocks) > 1
            and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]
        ):
            last = blocks.pop()
            blocks[-1][0] += last[0]
            blocks[-1][1] += last[1]
    starts = np.concatenate(
        [np.full(int(count), total / count) for total, count, _ in blocks]
    )
    top = high - gap * (len(places) - 1)
    return np.clip(starts, low, max(top, low)) + gap * np.arange(len(places))


def log_if_wide(axes: Axes, values: np.ndarray) -> None:
    """A log ordinate where positive values span a factor of 5 or more, else a linear one."""
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size and positive.max() > 5 * positive.min():
        axes.set_yscale("log")


def plain_ticks(axes: Axes) -> None:
    """Labels such as 200M in place of 2 x 10^8 on log axes that span under two decades; call after
    the limits are set.
    """
    for axis, (low, high) in (
        (axes.xaxis, axes.get_xlim()),
        (axes.yaxis, axes.get_ylim()),
    ):
        if axis.get_scale() != "log" or not 0 < low < high < 100 * low:
            continue
        axis.set_major_locator(
            LogLocator(subs=(1, 2, 5) if high < 30 * low else (1, 3))
        )
        axis.set_minor_formatter(NullFormatter())
        if 1e-3 <= low and high < 1e15:
            axis.set_major_formatter(lambda value, _: si(value))
