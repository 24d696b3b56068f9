"""Rows as they come out of a file, before they are documents, and what becomes of a row that cannot be one.

Question: which columns hold a document, and what if a row has none? Input: a column mapping. Output: `RawRows`, and a
`BadRow` for each row that cannot be read, handed to a function of the caller: `refuse` stops at the first.

A row may hold a chat, a list of messages {"role", "content"}, where a document has its text. Its text is what the
messages say, in order, a line break between them; roles are not part of it and empty messages are left out. Asked for
its answer, the last message of the assistant is the answer, what stands before it is the prompt, and what comes after
it is left out.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from stages.curation.reading.named_files import InputFile
from stages.foundation.errors import InputError
from stages.foundation.one_line import printable

if TYPE_CHECKING:
    import polars as pl

BREAK = "\n"  # between two messages, and between a prompt and its answer
ANSWERS = "assistant"  # the role whose last message is the answer
GUESSES = (
    "text",
    "content",
    "body",
    "raw_content",
    "document",
    "completion",
    "messages",
)
FORM = 'a list of messages {"role": .., "content": ..}'


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns or JSON keys that hold a document; all but `text` are optional."""

    text: str = "text"
    # becomes part of `source` in place of the line number, and must be unique in its file
    id: str | None = None
    lang: str | None = None
    # carried along as text; a value that is no text becomes JSON
    extra: tuple[str, ...] = ()
    # of `extra`, what is asked: text or a chat; the text's own column where that holds chats
    prompt: str | None = None
    # whether a value of `extra` that is no text is refused
    strict: bool = False
    # of `extra`, the names of documents, which may be whole numbers as ids may
    naming: tuple[str, ...] = ()

    @cached_property
    def names(self) -> list[str]:
        """Every column of the file that is read."""
        wanted = (self.text, self.id, self.lang, *self.extra)
        return list(dict.fromkeys(name for name in wanted if name is not None))


@dataclass
class RawRows:
    """Rows that could be read. A name is the id where one is mapped, else the number of the line or row from 1."""

    texts: list[str | None] = field(default_factory=list)
    names: list = field(default_factory=list)
    langs: list | None = None
    extra: dict[str, list] = field(default_factory=dict)

    def n_chars(self) -> int:
        """Characters of the texts and further columns: what a batch is measured by."""
        return sum(map(_chars, (self.texts, *self.extra.values())))


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read, or a file or the rest of one (`is_rest`); `raw` is what stood there, if held."""

    file: str
    line: int | None
    offset: int | None  # bytes, in the decompressed file
    error: InputError
    raw: bytes | None = None
    is_rest: bool = False  # nothing of the file is read from there on


BATCH_ROWS = 100_000  # a batch ends there however little its rows hold (assumed)
MAX_ROW_BYTES = 50_000_000  # of a longer row only its place is told (assumed)
MISSING = object()
IDS = "an id is text or a whole number (floats of 17 digits and more are equal)"


def of_key(row: Any, name: str) -> Any:
    """The value of a key, also of `outer.inner` in an object inside; MISSING where there is none.

    >>> of_key({"metadata": {"url": "http://a"}}, "metadata.url")
    'http://a'
    """
    if not isinstance(row, dict):
        return MISSING
    if name in row:
        return row[name]
    outer, dot, inner = name.partition(".")
    return of_key(row.get(outer), inner) if dot else MISSING


def from_folders(path: Path | str, name: str) -> str | None:
    """What the folders of a file say of a column: `date=2024/a.parquet` has a date.

    >>> from_folders("raw/date=2024-05-01/a.parquet", "date")
    '2024-05-01'
    """
    for part in Path(path).parts[:-1]:
        key, equals, value = part.partition("=")
        if equals and key == name:
            return printable(unquote(value))
    return None


OnBad = Callable[[BadRow], None]


OTHER_COLUMN = "write its values as text, map another column, or none"
TEXT_COLUMN = f"map the column that holds the text, or {FORM}"


def not_text(where: str, name: str, holds: str, cure: str = OTHER_COLUMN) -> InputError:
    """The error for a column that holds something else where text is asked for."""
    return InputError(f"{where}: column {name!r} {holds}, not text; {cure}")


def prompt_is_text(where: str, name: str) -> InputError:
    """The error for a column of text that is mapped as prompt and as text."""
    return InputError(
        f"{where}: column {name!r} is mapped as prompt and as text and holds text; only"
        f" {FORM} holds both, so map another prompt, or none"
    )


def refuse(bad: BadRow) -> None:
    """Stop at the first bad row."""
    raise bad.error


def as_text(value: Any) -> str | None:
    """A value of an extra column: text as it is, anything else as JSON."""
    return (
        value
        if value is None or isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, default=str)
    )


def joined(messages: list, where: str) -> str:
    """The text of a chat; InputError, beginning with `where`, for a list of anything else.

    >>> joined([{"role": "user", "content": "2 + 2? "}, {"role": "assistant", "content": "4"}], "a.jsonl:1")
    '2 + 2?\\n4'
    """
    return _text([said for _, said in _said(messages, where)])


def asked_and_answer(messages: list, where: str) -> tuple[str, str]:
    """(prompt, answer) of a chat; InputError for one in which the assistant says nothing.

    >>> asked_and_answer([{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}], "a.jsonl:1")
    ('2 + 2?', '4')
    """
    said = _said(messages, where)
    answers = [at for at, (role, _) in enumerate(said) if role == ANSWERS]
    if not answers:
        roles = ", ".join(dict.fromkeys(role for role, _ in said)) or "none"
        raise InputError(
            f"{where} holds a chat without a message of the {ANSWERS} (roles seen:"
            f" {roles}); leave the chat out, or map no prompt"
        )
    last = answers[-1]
    return _text([text for _, text in said[:last]]), said[last][1]


def _said(messages: list, where: str) -> list[tuple[str, str]]:
    """(role, content) of the messages that say something."""
    said = []
    for number, message in enumerate(messages, 1):
        fields = message if isinstance(message, dict) else {}
        role, content = fields.get("role"), fields.get("content", 0)
        if not isinstance(role, str) or not isinstance(content, str | None):
            raise InputError(
                f"{where} holds a list whose entry {number} is {str(message)[:60]!r};"
                f" write {FORM} with contents of text, or map a column of text"
            )
        if content and not content.isspace():
            said.append((role, content))
    return said


def _text(contents: list[str]) -> str:
    *before, last = contents or [""]
    return BREAK.join([*(content.rstrip() for content in before), last])


def mapping_hint(seen: list[str], wanted: str, role: str = "text") -> str:
    """What a person can do about a column that is not there; `role` is text, id or lang."""
    if role != "text":
        known = ", ".join(seen[:20]) or "(none)"
        return f"columns seen: {known}; map another as {role}, or none"
    guesses = [name for name in GUESSES if name in seen and name != wanted]
    guess = (
        f"; map it, for example text={guesses[0]}"
        if guesses
        else "; map the column that holds it, for example text=NAME"
    )
    return f"columns seen: {', '.join(seen[:20]) or '(none)'}{guess}"


def _chars(texts: "Sequence[str | None] | pl.Series") -> int:
    if isinstance(texts, Sequence):
        return sum(map(len, filter(None, texts)))
    return int(texts.str.len_chars().sum())


def missing_column(
    file: InputFile, where: str, seen: list[str], wanted: str, role: str = "text"
) -> InputError:
    """The error for a column that a file or a row does not have."""
    hint = mapping_hint(seen, wanted, role)
    return InputError(f"{file.path}{where}: no column {wanted!r}; {hint}")
