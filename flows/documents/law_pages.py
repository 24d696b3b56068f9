"""`assay laws --docs DIR`: one page a family of laws, with formula, units, source and figure of each."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flows.documents.house import line_of
from flows.documents.law_figures import law_svg
from stages.foundation.errors import InputError
from stages.foundation.files import whole_file
from stages.laws import LAWS, Law
from stages.run_columns.named_law import example_law, mixture_names
from stages.run_tables.law_sheet import describe_law, shown_parameters

FIGURES = "figures"
POOLS = (
    "Made for the pools or domains of a table, whatever their number; here for two,"
    " called first and second."
)


def write_law_pages(folder: Path) -> list[Path]:
    """Write a page a family, an index and figures/NAME.svg; the pages, in order. Raises InputError where the
    folder cannot be written.
    """
    families = laws_by_family()
    of_pools = set(mixture_names())
    pages = {"index.md": _index(families)}
    try:
        (folder / FIGURES).mkdir(parents=True, exist_ok=True)
        for family, laws in families.items():
            for law in laws:
                _write(folder / FIGURES / f"{law.name}.svg", law_svg(law))
            entries = [_entry(law, law.name in of_pools) for law in laws]
            title = family.replace("_", " ").capitalize()
            said = line_of(f"stages/laws/{family}")
            pages[f"{family}.md"] = "\n".join([f"# {title}\n\n{said}\n", *entries])
        for name, text in pages.items():
            _write(folder / name, text)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write pages there ({error.strerror or error}); give a"
            " folder that can be written"
        ) from None
    return [folder / name for name in pages]


def laws_by_family() -> dict[str, list[Law]]:
    """Folder of stages/laws/ -> its laws, both in the order of `assay laws`."""
    found: dict[str, list[Law]] = {}
    for law in [*LAWS.values(), *map(example_law, mixture_names())]:
        family = law.value.__module__.split(".")[2]
        found.setdefault(family, []).append(law)
    return found


def _write(file: Path, text: str) -> None:
    with whole_file(file) as temporary:
        temporary.write_text(text, "utf-8")


def _index(families: dict[str, list[Law]]) -> str:
    rows = [
        [f"[`{law.name}`]({family}.md#{law.name})", law.title]
        for family, laws in families.items()
        for law in laws
    ]
    return (
        "# The laws\n\nFit one with `assay fit NAME TABLE`; `assay laws NAME` prints what"
        " stands here. The figures show shapes, at the middle of the ranges where a fit"
        f" begins, not fits.\n\n{_table(['law', 'what it says'], rows)}"
    )


def _entry(law: Law, of_pools: bool) -> str:
    said = describe_law(law)
    columns = [[v["name"], v["unit"], v["meaning"]] for v in said["variables"]]
    params: list[dict[str, Any]] = shown_parameters(said)
    equal = f"Equals `{said['reduces_to']}` at one setting.\n" if law.reduces_to else ""
    parts = [
        f"## {law.name} {{ #{law.name} }}",
        f"{_escaped(law.title)}." + (f" {POOLS}" if of_pools else ""),
        f"```text\n{law.formula}\n```",
        f"![{_alt(law)}]({FIGURES}/{law.name}.svg)",
        _table(["column of the table", "unit", "meaning"], columns),
        _table(list(params[0]), [list(each.values()) for each in params]),
        f"Separate for each data set: {', '.join(f'`{n}`' for n in law.arm_parameters)}."
        f" {equal}".rstrip(),
        f"Source: {_escaped(law.source)}.\n",
    ]
    return "\n\n".join(parts)


def _alt(law: Law) -> str:
    return f"Value of {law.name} over {law.variables[0].name}, typical parameters"


def _table(header: list[str], rows: Iterable[list[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(
        "| " + " | ".join(_escaped(str(cell)) for cell in line) + " |\n"
        for line in lines
    )


def _escaped(text: str) -> str:
    """Text that Markdown would take for its own: bars, stars and angle brackets."""
    for char in "|*<":
        text = text.replace(char, f"\\{char}")
    return text
