"""Pages of the API of laws, curation and proxy: one a folder, filled from docstrings when the site is built."""

import ast
from pathlib import Path

from flows.documents.house import line_of
from stages.foundation.stage import ROOT

PARTS = ("laws", "curation", "proxy")
INTRO = (
    "# API\n\nPlain functions from arrays and tables to arrays and tables, by folder. What"
    " is not listed in the [command line](../design.md#command-line) or here may change."
    "\n\n"
)


def api_pages() -> dict[str, str]:
    """Name below api/ -> Markdown: an index and a page a folder, with a `:::` line a module."""
    pages: dict[str, str] = {}
    rows = ""
    for part in PARTS:
        rows += f"\n## {part}\n\n{line_of(f'stages/{part}')}\n\n"
        for folder in sorted((ROOT / "stages" / part).iterdir()):
            modules = [
                file for file in sorted(folder.glob("[!_]*.py")) if _speaks(file)
            ]
            if modules:
                place = folder.relative_to(ROOT).as_posix()
                name = f"{part}-{folder.name}.md"
                pages[name] = _page(place, modules)
                rows += f"- [{folder.name}]({name}): {line_of(place)}\n"
    return {"index.md": INTRO + rows, **pages}


def _page(place: str, modules: list[Path]) -> str:
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in modules]
    entries = "".join(f"::: {name}\n\n" for name in names)
    return f"# {place}\n\n{line_of(place)}\n\n{entries}"


def _speaks(file: Path) -> bool:
    """Whether it has a public function or class with a docstring."""
    return any(
        isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node)
        for node in ast.parse(file.read_text("utf-8")).body
    )
