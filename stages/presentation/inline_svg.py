"""A figure as part of a page: named, described in words, its points and arms marked for readers and scripts.

A part of a figure belongs to an arm where its gid is `arm<number>-<part>` (`arm_gid`). It gets the
attribute `data-arm`, and each point of a part `points` says in its <title> what it stands for.
"""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from stages.presentation.numbers import flops_text
from stages.presentation.plot_style import svg

SVG = "http://www.w3.org/2000/svg"
LINK = "{http://www.w3.org/1999/xlink}href"
GID = re.compile(r"arm(\d+)-(\w+)")


def arm_gid(number: int, part: str) -> str:
    """The gid of an artist: arms are counted from 0 in the order of the question.

    >>> arm_gid(2, "points")
    'arm2-points'
    """
    return f"arm{number}-{part}"


def inline_svg(figure: Figure, name: str) -> str:
    """The <svg> of a figure whose ids begin with `name`, which no other figure of the page has."""
    # the serializer would write ns0: before every name
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", LINK[1 : LINK.index("}")])
    root = ElementTree.fromstring(svg(figure))
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    root.set("role", "img")
    root.set("aria-label", alt_text(figure))
    said = {str(line.get_gid()): points_text(line) for line in point_lines(figure)}
    for element in root.iter():
        if found := GID.fullmatch(element.get("id", "")):
            _mark(element, arm=found[1], said=said.get(found[0], []))
        _rename(element, name)
    return ElementTree.tostring(root, encoding="unicode")


def alt_text(figure: Figure) -> str:
    """What a figure shows, for who cannot see it: its axes, the ranges of what is drawn, and its legend."""
    return ". ".join(_axes_text(axes) for axes in figure.axes)


def point_lines(figure: Figure) -> list[Line2D]:
    """The lines of a figure whose markers are points of an arm."""
    found = [line for axes in figure.axes for line in axes.lines]
    return [line for line in found if is_points(line)]


def is_points(artist: Artist) -> bool:
    marked = GID.fullmatch(str(artist.get_gid()))
    return marked is not None and marked[2] == "points"


def points_text(line: Line2D) -> list[str]:
    """`keep a: 2.0e9 training FLOPs, 4.05 held-out loss` for each point."""
    axes = line.axes
    if axes is None:
        return []
    # (points, 2): as drawn, in the units of the axes
    places = np.asarray(line.get_xydata(), dtype=float)
    return [
        f"{label_of(line)}: {_number(x)} {axes.get_xlabel()},"
        f" {_number(y)} {axes.get_ylabel()}"
        for x, y in places.tolist()
    ]


def label_of(line: Line2D) -> str:
    """What the legend calls it: points with error bars have the label of all of it."""
    containers = line.axes.containers if line.axes else []
    whole = [each for each in containers if line in each.get_children()]
    return str((whole[0] if whole else line).get_label())


def _axes_text(axes: Axes) -> str:
    horizontal, vertical = axes.get_xlabel(), axes.get_ylabel()
    if bars := [each for each in axes.containers if isinstance(each, BarContainer)]:
        names = [label.get_text() for label in axes.get_yticklabels()]
        pairs = zip(names, bars[0], strict=True)
        lengths = [f"{name} {_number(bar.get_width())}" for name, bar in pairs]
        return f"Bars of {horizontal}: {', '.join(lengths)}"
    said = f"Chart of {vertical} against {horizontal}"
    low, high = sorted(axes.get_xlim())
    scale = ", log scale" if axes.get_xscale() == "log" else ""
    said += f", {_number(low)} to {_number(high)}{scale}"
    if labels := axes.get_legend_handles_labels()[1]:
        said += f": {', '.join(labels)}"
    return said


def _number(value: float) -> str:
    return flops_text(value) if abs(value) >= 1e6 else f"{value:.4g}"


def _mark(element: ElementTree.Element, arm: str, said: list[str]) -> None:
    element.set("data-arm", arm)
    uses = list(element.iter(f"{{{SVG}}}use"))
    if len(uses) != len(said):  # a part without points, or with some that are not drawn
        return
    for use, text in zip(uses, said, strict=True):
        use.set("class", "point")
        ElementTree.SubElement(use, f"{{{SVG}}}title").text = text


def _rename(element: ElementTree.Element, name: str) -> None:
    """Ids and what refers to them, which several figures of a page would share."""
    for key, value in list(element.attrib.items()):
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key == LINK and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        elif "url(#" in value:
            element.set(key, value.replace("url(#", f"url(#{name}-"))
