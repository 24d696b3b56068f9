"""docs/house.md has every folder of stages/ on its floor, with what the folder says of itself."""

import pytest

from flows.documents.house import (
    PAGE,
    floors_text,
    folder_floors,
    line_of,
    write_house,
)
from stages.foundation.stage import ROOT, imported_modules


def test_the_page_is_what_the_tree_says():
    text = (ROOT / PAGE).read_text("utf-8")
    assert f"<!-- floors -->\n{floors_text()}<!-- /floors -->" in text, (
        "run `assay schemas`"
    )


def test_every_folder_has_a_floor_above_all_that_it_imports_from():
    floors = folder_floors()
    folders = {file.parent for file in ROOT.glob("stages/**/*.py")}
    assert floors.keys() == {path.relative_to(ROOT).as_posix() for path in folders}
    for file in ROOT.glob("stages/**/*.py"):
        home = file.parent.relative_to(ROOT).as_posix()
        for module in imported_modules(file):
            used = module.parent.relative_to(ROOT).as_posix()
            assert used == home or floors[used] < floors[home]


def test_a_folder_is_named_by_its_first_sentence():
    assert line_of("stages/curate") == (
        "What `assay curate` does, from its settings to its report."
    )


@pytest.mark.parametrize("text", ["no table here\n", None])
def test_a_page_without_the_place_is_left_alone(tmp_path, text):
    page = tmp_path / "house.md"
    if text is not None:
        page.write_text(text)
    assert write_house(page) is False
    assert not page.exists() or page.read_text() == text


def test_a_stale_table_is_replaced_once(tmp_path):
    page = tmp_path / "house.md"
    page.write_text("before\n<!-- floors -->\nold\n<!-- /floors -->\nafter\n")
    assert write_house(page) is True
    assert page.read_text() == (
        f"before\n<!-- floors -->\n{floors_text()}<!-- /floors -->\nafter\n"
    )
    assert write_house(page) is False
