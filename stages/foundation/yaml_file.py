"""A YAML file as its tree, for line numbers, and its values; whatever is wrong with it is one line.

Two keys of one name in a mapping are refused: YAML takes the last, and the first would be set by nobody's wish.
"""

from pathlib import Path
from typing import Any

import yaml

from stages.foundation.errors import InputError

MOST_BYTES = 10_000_000  # assumed: params are some kB
MOST_DEPTH = 40  # assumed: ours go to 6
MOST_BRACKETS = 1000  # libyaml follows them on the machine's own stack
INTEGER, MOST_DIGITS = "tag:yaml.org,2002:int", 19
# what PyYAML raises at a number, a date or a tag that it cannot make sense of
FAULTS = (ValueError, ArithmeticError, TypeError, LookupError, AttributeError)
MOST_NODES = 200_000  # of a file whose aliases are written out


def read_yaml(path: Path) -> tuple[yaml.Node | None, Any]:
    """(the tree, the values). Raises InputError with one line that names file, line and cure."""
    text = _text(path)
    try:
        loader = yaml.SafeLoader(text)
        tree = loader.get_single_node()
        _check(path, tree, {}, depth=0)
        values = None if tree is None else loader.construct_document(tree)
        return tree, values
    except InputError:
        raise
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not readable as YAML: {error}") from None
    except RecursionError:
        raise InputError(_too_deep(path)) from None
    except FAULTS as error:
        raise InputError(
            f"{path}{_place_of_bad_scalar(tree)}: not readable as YAML: {error}; mend"
            " it, or write it as text in quotes"
        ) from None


def read_written_yaml(path: Path) -> Any:
    """The values of a file that a program wrote, such as dvc.lock; many times as fast, by libyaml.

    Whatever libyaml does not read, or what nests as no program writes it, `read_yaml` judges.
    """
    text = _text(path)
    quick = getattr(yaml, "CSafeLoader", None)
    if quick is None or max(text.count("["), text.count("{")) > MOST_BRACKETS:
        return read_yaml(path)[1]
    try:
        return yaml.load(text, Loader=quick)
    except (yaml.YAMLError, RecursionError, *FAULTS):
        return read_yaml(path)[1]


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; run this in the project's folder or pass --params"
            " FILE"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a file") from None
    if len(raw) > MOST_BYTES:
        raise InputError(f"{path}: has {len(raw)} bytes, too many for parameters")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        encoding = "UTF-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin1"
        raise InputError(
            f"{path}:{line}: not UTF-8 at byte {error.start} (value"
            f" 0x{raw[error.start]:02x}); convert it with: iconv -f {encoding} -t UTF-8"
        ) from None


def _check(
    path: Path, node: yaml.Node | None, sizes: dict[int, int], depth: int
) -> int:
    """Refuse what is nested, repeated or large beyond reason and keys that occur twice; how many nodes there are,
    aliases written out.
    """
    if node is None:
        return 1
    if isinstance(node, yaml.ScalarNode):
        if not is_text(node.value):
            raise InputError(
                f"{path}:{node.start_mark.line + 1}: half of a surrogate pair (value"
                f" {node.value[:40]!a}); write the character itself, not \\u and"
                " its halves"
            )
        if node.tag == INTEGER and len(node.value) > MOST_DIGITS:
            raise InputError(
                f"{path}:{node.start_mark.line + 1}: a whole number of"
                f" {len(node.value)} digits; give one of at most {MOST_DIGITS}"
            )
        return 1
    if depth > MOST_DEPTH:
        raise InputError(_too_deep(path))
    if id(node) in sizes:
        return sizes[id(node)]
    children = list(node.value)
    if isinstance(node, yaml.MappingNode):
        _refuse_twice(path, node)
        children = [part for pair in node.value for part in pair]
    size = 1 + sum(_check(path, child, sizes, depth + 1) for child in children)
    if size > MOST_NODES:
        raise InputError(
            f"{path}: its aliases stand for more than {MOST_NODES} values; write out"
            " what is meant"
        )
    sizes[id(node)] = size
    return size


def is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: no half of a surrogate pair stands in it.

    >>> is_text("é"), is_text("\\ud83d")
    (True, False)
    """
    return not any("\ud800" <= char <= "\udfff" for char in value)


def _refuse_twice(path: Path, node: yaml.MappingNode) -> None:
    first: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            continue
        line = key.start_mark.line + 1
        if key.value in first:
            raise InputError(
                f"{path}:{line}: the key {key.value!r} stands already in line"
                f" {first[key.value]}; keep one of the two"
            )
        first[key.value] = line


def _too_deep(path: Path) -> str:
    return f"{path}: nested more than {MOST_DEPTH} deep; take brackets out"


def _place_of_bad_scalar(tree: yaml.Node | None) -> str:
    """`:LINE` of the first value that has no meaning under its tag."""
    todo = [tree] if tree is not None else []
    while todo:
        node = todo.pop()
        if not isinstance(node, yaml.ScalarNode):
            parts = node.value
            if isinstance(node, yaml.MappingNode):
                parts = [part for pair in node.value for part in pair]
            todo += reversed(parts)
            continue
        try:
            yaml.SafeLoader("").construct_object(node)
        except FAULTS:
            return f":{node.start_mark.line + 1}"
        except yaml.YAMLError:
            continue
    return ""
