"""Docstrings as Markdown: examples and tables that stand in them become blocks of code."""

import re
from typing import Any

from griffe import Extension, Object

EXAMPLE = re.compile(r"^(>>> .*(?:\n(?!\n).*)*)", re.MULTILINE)
INDENTED = re.compile(r"(?:^|(?<=\n\n))((?:    .*\n?)+)")


def as_markdown(docstring: str) -> str:
    """Examples and indented blocks between fences, and what looks like HTML or a reference as it is.

    >>> print(as_markdown("Adds.\\n\\n>>> 1 + 1\\n2"))
    Adds.
    <BLANKLINE>
    ```pycon
    >>> 1 + 1
    2
    ```
    """
    parts = re.split(r"\n\n", docstring)
    return "\n\n".join(map(_block, parts))


def _block(part: str) -> str:
    before, example, rest = part.partition(">>> ")
    if example and (not before or before.endswith("\n")):
        return f"{_prose(before)}\n```pycon\n{example}{rest}\n```".lstrip("\n")
    lines = part.splitlines()
    if lines and all(line.startswith("    ") for line in lines):
        text = "\n".join(line[4:] for line in lines)
        return f"```text\n{text}\n```"
    return _prose(part)


def _prose(text: str) -> str:
    """Outside of code, brackets, stars and angle brackets mean themselves."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if i % 2 else re.sub(r"([\[\]<*_])", r"\\\1", part)
        for i, part in enumerate(parts)
    )


class Blocks(Extension):
    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Every docstring that griffe reads."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
