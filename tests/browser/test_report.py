"""The report in a browser: its numbers, its arms and points by pointer and keys, scripts off, printed."""

import json
import re

import pytest

from stages.presentation.numbers import flops_text

pytestmark = [pytest.mark.browser, pytest.mark.pipeline]
LOSS = "figure svg >> nth=0"


@pytest.fixture(scope="module")
def record(pages):
    file = pages.project.folder / "data/decisions/filter.json"
    return json.loads(file.read_text("utf-8"))


@pytest.fixture
def report(open_page, pages):
    seen = open_page(pages.urls["report"])
    yield seen
    assert seen.errors == []


def test_its_first_screen_is_the_answer_with_the_numbers_of_the_record(report, record):
    page = report.page
    assert page.title() == f"Assay: {record['question']['title']}"
    for text in (record["sentence"], record["reason"], record["next_run"]["text"]):
        assert page.get_by_text(text).first.is_visible()
    # a manager does not scroll
    answer = page.locator("p.answer").bounding_box()
    assert answer["y"] + answer["height"] < 1000
    rows = page.locator("h2:has-text('by budget') + .wide tr:has(td)")
    shown = [row.locator("td").all_inner_texts() for row in rows.all()]
    for row in record["tables"]["targets"]:
        texts = [value for value in row.values() if isinstance(value, str)]
        assert any(set(texts) <= set(cells) for cells in shown), row


def test_an_arm_is_hidden_and_shown_in_every_figure(report, record):
    page = report.page
    curve = page.locator("#question1-loss-arm0-curve")
    lead = page.locator("#question1-advantage-arm0-curve")
    assert curve.is_visible() and lead.is_visible()
    box = page.get_by_label(next(iter(record["labels"].values())), exact=True)
    box.uncheck()
    assert not curve.is_visible() and not lead.is_visible()
    assert page.locator("#question1-loss-arm1-curve").is_visible()
    box.check()
    assert curve.is_visible() and lead.is_visible()


def said_of(record, point):
    label = record["labels"][point["arm"]]
    return f"{label}: {flops_text(point['flops'])} training FLOPs (6ND), {point['value']:.4g} "


def test_a_point_says_its_arm_compute_and_loss_under_the_pointer(report, record):
    page = report.page
    page.locator(f"{LOSS} >> .point >> nth=0").hover()
    arm = next(iter(record["labels"]))
    first = next(point for point in record["points"] if point["arm"] == arm)
    assert page.locator(".tip").inner_text().startswith(said_of(record, first))
    page.mouse.move(5, 5)
    page.locator(".tip").wait_for(state="hidden")


def test_points_and_folded_parts_are_reached_by_keys_alone(report, record):
    page = report.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    page.keyboard.press("Enter")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName.toLowerCase()") == "svg":
            break
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style != "none"  # where one is can be seen
    seen = []
    for _ in range(len(record["points"])):
        page.keyboard.press("ArrowRight")
        seen.append(page.locator(".tip").inner_text())
    assert all(
        any(text.startswith(said_of(record, point)) for text in seen)
        for point in record["points"]
    )
    page.keyboard.press("Escape")
    assert page.locator(".tip").is_hidden()
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None


def test_without_scripts_figures_numbers_and_points_are_there(open_page, pages, record):
    seen = open_page(pages.urls["report"], java_script_enabled=False)
    page = seen.page
    assert page.get_by_text(record["sentence"]).is_visible()
    assert page.locator(LOSS).is_visible()
    assert page.locator("fieldset.arms").is_hidden()  # a control that would do nothing
    titles = page.locator(f"{LOSS} >> .point title").all_text_contents()
    assert len(titles) == len(record["points"])


def test_a_print_shows_what_is_folded_and_no_controls(report):
    page = report.page
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator("nav").is_hidden()
    assert page.locator("fieldset.arms").is_hidden()
    assert page.pdf()[:5] == b"%PDF-"


@pytest.mark.parametrize("width", [1400, 400])
def test_nothing_is_wider_than_the_screen(report, width):
    page = report.page
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_by_night_the_page_is_dark_and_figures_lie_on_white(report):
    page = report.page
    page.emulate_media(color_scheme="dark")

    def ground(selector):
        colour = page.locator(selector).first.evaluate(
            "element => getComputedStyle(element).backgroundColor"
        )
        return [int(part) for part in re.findall(r"\d+", colour)[:3]]

    assert max(ground("body")) < 60
    assert ground("figure svg") == [255, 255, 255]
