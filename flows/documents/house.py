"""docs/house.md: the floors and folders of stages/ with one line each, read from the sources.

A folder's line is the first sentence of its `__init__.py`; its floor is one above the highest folder
that it imports from, so that whoever reads upwards never meets a name that is not known yet.
"""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

from stages.foundation.files import whole_file
from stages.foundation.stage import ROOT, imported_modules

PAGE = Path("docs/house.md")
PLACE = re.compile(r"(?<=<!-- floors -->\n).*(?=<!-- /floors -->)", re.DOTALL)


def folder_floors() -> dict[str, int]:
    """Folder of stages/ -> floor, from 1 up; imports inside functions count."""
    graph: dict[str, set[str]] = {}
    for file in sorted(ROOT.glob("stages/**/*.py")):
        home = _folder(file)
        used = {_folder(module) for module in imported_modules(file)}
        graph.setdefault(home, set()).update(used - {home})
    floors: dict[str, int] = {}
    for folder in TopologicalSorter(graph).static_order():
        floors[folder] = 1 + max((floors[used] for used in graph[folder]), default=0)
    return floors


def _folder(file: Path) -> str:
    return file.parent.relative_to(ROOT).as_posix()


def line_of(folder: str) -> str:
    """The first sentence of what the folder's `__init__.py` says."""
    text = (ROOT / folder / "__init__.py").read_text("utf-8")
    said = " ".join((ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.) ", said)[0].replace("|", "\\|")


def floors_text() -> str:
    """The table of folders as Markdown, highest floor first; ends in a new line."""
    floors = folder_floors()
    rows = [
        f"| {floor} | `{folder}/` | {line_of(folder)} |\n"
        for folder, floor in sorted(
            floors.items(), key=lambda each: (-each[1], each[0])
        )
    ]
    return "| floor | folder | what is kept there |\n|---|---|---|\n" + "".join(rows)


def write_house(page: Path = PAGE) -> bool:
    """Bring the table of the page up to date; True where it changed. Without the page nothing happens."""
    if not page.is_file():
        return False
    text = page.read_text("utf-8")
    table = floors_text()
    written = PLACE.sub(lambda _: table, text)
    if written == text:
        return False
    with whole_file(page) as temporary:
        temporary.write_text(written, "utf-8")
    return True
