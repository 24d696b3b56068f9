"""What the site has beside docs/: pages of the laws and of the API, and the documents that stand elsewhere."""

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from flows.documents.api_pages import api_pages
from flows.documents.law_pages import laws_by_family, write_law_pages

LAWS = ROOT / "build/laws"
ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
}
IN_THE_SITE = {**ELSEWHERE, "README.md": "index.md"}
PICTURES = ("benchmarks/mnist_pruning.png",)
BRACKETS = re.compile(r"^(#+ .*)$", re.MULTILINE)
FENCE = re.compile(
    r"^(```\w+) .*$", re.MULTILINE
)  # what tests read there is no language
LINK = re.compile(r"(?<!\!)\[([^\]]+)\]\(([^)\s]+)\)")


def on_config(config: Any) -> Any:
    """The navigation has laws/ and api/ for all pages below them."""
    names = {"laws/": ["index", *laws_by_family()], "api/": _api_names()}

    def filled(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {title: filled(below) for title, below in entry.items()}
        if isinstance(entry, list):
            return [filled(below) for below in entry]
        return (
            [f"{entry}{name}.md" for name in names[entry]] if entry in names else entry
        )

    config.nav = filled(config.nav)
    named = set(_pages_of(config.nav))
    new = {file.name for file in (ROOT / "docs").glob("*.md")} - named
    use = next(entry["Use"] for entry in config.nav if "Use" in entry)
    use.extend(sorted(new))  # under the title that the page has
    return config


def _pages_of(nav: Any) -> list[str]:
    """Every page that a part of the navigation names."""
    if isinstance(nav, str):
        return [nav]
    below = nav.values() if isinstance(nav, dict) else nav
    return [name for each in below for name in _pages_of(each)]


def _api_names() -> list[str]:
    return [name.removesuffix(".md") for name in api_pages()]


def on_files(files: Files, config: Any) -> Files:
    """Add what is generated, under the names that the navigation has."""
    write_law_pages(LAWS)
    for file in sorted(LAWS.rglob("*.*")):
        name = f"laws/{file.relative_to(LAWS).as_posix()}"
        files.append(File.generated(config, name, abs_src_path=str(file)))
    for source, name in ELSEWHERE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    for source in PICTURES:
        name = Path(source).name
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    for name, text in api_pages().items():
        files.append(File.generated(config, f"api/{name}", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Links between documents hold in the site too; one to a file that is no page is its name as code."""
    name = page.file.src_uri
    source = next((s for s, site in ELSEWHERE.items() if site == name), f"docs/{name}")

    def link(found: re.Match) -> str:
        text, target = found.groups()
        path, mark, anchor = target.partition("#")
        if "://" in target or not path or name.startswith(("api/", "laws/")):
            return found[0]
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        wanted = IN_THE_SITE.get(place, place.removeprefix("docs/"))
        if files.get_file_from_path(wanted) is None:
            return text if "`" in text else f"`{text}`"
        shown = posixpath.relpath(wanted, posixpath.dirname(name) or ".")
        return f"[{text}]({shown}{mark}{anchor})"

    markdown = FENCE.sub(r"\1", markdown)
    if name in ELSEWHERE.values():  # options in headings are no references
        markdown = BRACKETS.sub(lambda line: line[0].replace("[", "\\["), markdown)
    return LINK.sub(link, markdown)
