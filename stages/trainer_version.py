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

from stages.files import content_hash
from stages.stage import ROOT

SPECS = ("outcome", "schedule", "shape", "spec", "stack", "transfer")
TOKENS = ("course", "packed", "shrink", "stream", "view")
NETWORK = (
    *("accumulate", "adamw", "device", "engine", "experts"),
    *("graphs", "grow", "kernel", "memory", "model"),
)
HELD_OUT = ("choices", "evaluate", "items", "pass_until")
TRAINING = (
    *("checkpoint", "data", "noise_scale", "rank_main"),
    *("ranks", "record", "sharded", "train"),
)
IMAGES = (
    *("image_data", "image_model", "image_observe"),
    *("image_spec", "image_stack", "image_train"),
)
TEXT_TRAINER = tuple(
    ROOT / f"stages/proxy/{name}.py"
    for name in (*SPECS, *TOKENS, *NETWORK, *HELD_OUT, *TRAINING)
)
IMAGE_TRAINER = (*TEXT_TRAINER, *(ROOT / f"stages/proxy/{name}.py" for name in IMAGES))


def code_hash(files: Iterable[Path] = TEXT_TRAINER) -> str:
    """16 hex characters: the syntax of these files in any order, whatever they are called."""
    syntax = [syntax_of(file.read_text("utf-8")) for file in files]
    return content_hash(sorted(content_hash(each) for each in syntax))


def syntax_of(source: str) -> list[Any]:
    """What a file does, as nested lists: no positions, no docstrings, of an import only its names."""
    return _plain(ast.parse(source))


def _plain(node: Any) -> Any:
    """Empty fields are left out, so that a Python whose syntax tree has more of them agrees."""
    if isinstance(node, list):
        return [_plain(part) for part in _without_docstring(node)]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.ImportFrom):
        fields = {"names": fields["names"]}
    kept = {name: _plain(value) for name, value in fields.items()}
    return [type(node).__name__, {name: value for name, value in kept.items() if value}]


def _without_docstring(body: list[Any]) -> list[Any]:
    """A text that stands alone does nothing; a docstring is one, at the top of a body."""
    return [part for part in body if not _stands_alone(part)]


def _stands_alone(part: Any) -> bool:
    return (
        isinstance(part, ast.Expr)
        and isinstance(part.value, ast.Constant)
        and isinstance(part.value.value, str)
    )
