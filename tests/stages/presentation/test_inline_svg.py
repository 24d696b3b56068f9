"""A figure in a page: in words, with ids of its own, and points that say what they are."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from stages.presentation.inline_svg import alt_text, arm_gid, inline_svg
from stages.presentation.plot_style import STYLE, plt

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def figure():
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots()
        axes.plot([1e9, 4e9], [4.0, 3.5], gid=arm_gid(0, "curve"))
        axes.plot(
            [1e9, 4e9], [4.05, 3.625], "o", gid=arm_gid(0, "points"), label="a <&> b"
        )
        bars = axes.errorbar([2e9], [3.25], yerr=[0.5], fmt="s", label="other")
        bars.lines[0].set_gid(arm_gid(1, "points"))
        axes.set(xscale="log", xlabel="FLOPs", ylabel="loss", xlim=(5e8, 1e10))
        axes.legend()
    yield figure
    plt.close(figure)


def test_each_point_says_its_arm_and_numbers(figure):
    root = ElementTree.fromstring(inline_svg(figure, "one"))
    parts = {
        part.get("id"): part for part in root.iter() if part.get("data-arm") is not None
    }
    assert {name: part.get("data-arm") for name, part in parts.items()} == {
        "one-arm0-curve": "0",
        "one-arm0-points": "0",
        "one-arm1-points": "1",
    }
    said = {
        name: [title.text for title in part.iter(f"{SVG}title")]
        for name, part in parts.items()
    }
    assert said == {
        "one-arm0-curve": [],
        "one-arm0-points": [
            "a <&> b: 1.0e9 FLOPs, 4.05 loss",
            "a <&> b: 4.0e9 FLOPs, 3.625 loss",
        ],
        "one-arm1-points": ["other: 2.0e9 FLOPs, 3.25 loss"],
    }


def test_two_figures_share_no_id_and_every_reference_leads_somewhere(figure):
    texts = [inline_svg(figure, name) for name in ("one", "two")]
    for text in texts:
        assert text.startswith("<svg") and "metadata" not in text
        ids = set(re.findall(r'\bid="([^"]+)"', text))
        used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
        assert used and used <= ids
    one, two = (set(re.findall(r'\bid="([^"]+)"', text)) for text in texts)
    assert one and not one & two


def test_the_chart_is_an_image_with_its_axes_and_arms_in_words(figure):
    said = "Chart of loss against FLOPs, 5.0e8 to 1.0e10, log scale: a <&> b, other"
    assert alt_text(figure) == said
    root = ElementTree.fromstring(inline_svg(figure, "one"))
    assert (root.get("role"), root.get("aria-label")) == ("img", said)


def test_bars_are_told_with_their_lengths():
    figure, axes = plt.subplots()
    axes.barh(["read", "kept"], [2.5, 1.0])
    axes.set_xlabel("million tokens")
    assert alt_text(figure) == "Bars of million tokens: read 2.5, kept 1"
    plt.close(figure)
