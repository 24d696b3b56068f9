"""Which trainer made a run: a hash of the code that can change a result, and of nothing else.

It covers what a proxy is (specs), in which order it meets its tokens, its network and optimiser,
how it is trained and how it is scored. Planning, workers and progress lines are left out: a run
trained by other workers is the same run. Of each file the syntax counts, so comments, docstrings,
layout, module paths and file names may change and no run is trained again.
"""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages.foundation.files import content_hash
from stages.foundation.stage import ROOT

IMPORTS = (ast.Import, ast.ImportFrom)
TEXT_FOLDERS = ("specs", "tokens", "network", "heldout", "training")
TEXT_TRAINER = tuple(
    file
    for folder in TEXT_FOLDERS
    for file in sorted((ROOT / "stages/proxy" / folder).glob("*.py"))
)
IMAGE_TRAINER = (*TEXT_TRAINER, *sorted((ROOT / "stages/proxy/images").glob("*.py")))


def code_hash(files: Iterable[Path] = TEXT_TRAINER) -> str:
    """16 hex characters: the syntax of these files in any order, whatever they are called."""
    syntax = [syntax_of(file.read_text("utf-8")) for file in files]
    return content_hash(sorted(content_hash(each) for each in syntax))


def syntax_of(source: str) -> list[Any]:
    """What a file does, as nested lists: no positions, no docstrings, of imports the names they bind."""
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, IMPORTS)]
    names = {alias.asname or alias.name for node in imports for alias in node.names}
    return [sorted(names), _plain(tree)]


def _plain(node: Any) -> Any:
    """Empty fields are left out, so that a Python whose syntax tree has more of them agrees."""
    if isinstance(node, list):
        return [_plain(part) for part in node if not _does_nothing(part)]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: _plain(value) for name, value in ast.iter_fields(node)}
    return [type(node).__name__, {key: value for key, value in fields.items() if value}]


def _does_nothing(part: Any) -> bool:
    """A text that stands alone, as a docstring does; an import, whose names are counted apart."""
    if isinstance(part, IMPORTS):
        return True
    text = part.value if isinstance(part, ast.Expr) else None
    return isinstance(text, ast.Constant) and isinstance(text.value, str)
