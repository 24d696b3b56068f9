"""Item files: jsonl of multiple-choice questions and of tasks that are sampled until they pass, read and tokenised.

One object a line: {"question": text, "choices": [texts], "answer": index} or {"question": text, "answer": text}.
A choice or answer is read as the text right after the question; a space is put between where neither has one.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.foundation.errors import InputError
from stages.foundation.files import whole_file
from stages.proxy.heldout.choices import ChoiceItems
from stages.proxy.heldout.items import Items, fingerprint
from stages.proxy.heldout.pass_until import PassItems

PLAIN = "Answer:"  # cited: Brown et al. 2020, section 2.4
SHAPE = (
    '{"question": text, "choices": [texts], "answer": index} or {"question": text,'
    ' "answer": text}'
)


def read_items(path: Path | str, tokenizer_file: Path | str, eos_id: int) -> Items:
    """The items of a file as tokens. Raises InputError with file, line and cure."""
    from tokenizers import Tokenizer

    path, tokenizer = Path(path), Tokenizer.from_file(str(tokenizer_file))
    rows = _rows(path)
    asked = [row for row in rows if "choices" in row]
    sampled = [row for row in rows if "choices" not in row]
    return Items(
        name=path.stem,
        fingerprint=fingerprint(path.read_bytes(), Path(tokenizer_file).read_bytes()),
        choices=_choice_items(asked, tokenizer, eos_id) if asked else None,
        passes=_pass_items(sampled, tokenizer, eos_id) if sampled else None,
    )


def write_copy_task(
    path: Path | str, words: Sequence[str], n_items: int, n_words: int, seed: int
) -> None:
    """A synthetic task with a check: a list of words, then the same list without its last word, which is the answer.

    Example: `write_copy_task("copy.jsonl", ["red", "blue", "green"], n_items=50, n_words=3, seed=0)`.
    """
    if len(set(words)) < n_words:
        raise InputError(
            f"{n_words} different words are needed, there are {len(set(words))}; give"
            " more words or shorten the list"
        )
    draw = random.Random(seed)
    with whole_file(path) as temporary:
        lists = [draw.sample(sorted(set(words)), n_words) for _ in range(n_items)]
        lines = [
            {"question": f"{' '.join(each)}. {' '.join(each[:-1])}", "answer": each[-1]}
            for each in lists
        ]
        temporary.write_text(
            "".join(json.dumps(line) + "\n" for line in lines), "utf-8"
        )


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); sweep.items names a jsonl"
            " file, null for none"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 at byte {error.start}; convert the file"
        ) from None
    rows = [
        _row(f"{path}:{number}", line)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not rows:
        raise InputError(f"{path}: no items; each line is {SHAPE}")
    return rows


def _row(where: str, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{where}: broken JSON ({error.msg} at column {error.colno}); each line is"
            f" {SHAPE}"
        ) from None
    if (
        not isinstance(row, dict)
        or not isinstance(row.get("question"), str)
        or not ("choices" in row or _is_text(row.get("answer")))
    ):
        raise InputError(f"{where}: no item: {line[:60]!r}; each line is {SHAPE}")
    if "choices" in row:
        choices, answer = row["choices"], row.get("answer")
        if (
            not isinstance(choices, list)
            or len(choices) < 2
            or not all(map(_is_text, choices))
        ):
            raise InputError(
                f"{where}: choices must be two or more texts that are not empty, they"
                f" are {str(choices)[:60]}"
            )
        if type(answer) is not int or not 0 <= answer < len(choices):
            raise InputError(
                f"{where}: answer is {answer!r}; it must be an index from 0 to"
                f" {len(choices) - 1}"
            )
    return row


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _after(question: str, text: str) -> str:
    """The continuation as it is read: with a space where the question does not end in one."""
    return (
        text
        if question[-1:].isspace() or text[:1].isspace() or not question
        else f" {text}"
    )


def _choice_items(
    rows: list[dict[str, Any]], tokenizer: Any, eos_id: int
) -> ChoiceItems:
    texts = [
        [_after(row["question"], choice) for choice in row["choices"]] for row in rows
    ]
    return ChoiceItems(
        questions=[_ids(tokenizer, row["question"]) for row in rows],
        choices=[[_ids(tokenizer, text) for text in each] for each in texts],
        n_bytes=[[len(text.encode()) for text in each] for each in texts],
        answer=[row["answer"] for row in rows],
        plain=_ids(tokenizer, PLAIN),
        eos_id=eos_id,
    )


def _pass_items(rows: list[dict[str, Any]], tokenizer: Any, eos_id: int) -> PassItems:
    return PassItems(
        questions=[_ids(tokenizer, row["question"]) for row in rows],
        answers=[_after(row["question"], row["answer"]).encode() for row in rows],
        token_bytes=_token_bytes(tokenizer, eos_id),
        eos_id=eos_id,
    )


def _ids(tokenizer: Any, text: str) -> np.ndarray:
    return np.array(tokenizer.encode(text).ids, np.int64)


def _token_bytes(tokenizer: Any, eos_id: int) -> list[bytes]:
    """What each token of a byte-level vocabulary spells; the end mark a zero byte, which no answer begins with."""
    letter = {char: byte for byte, char in _byte_letters().items()}
    words = [
        tokenizer.id_to_token(token) for token in range(tokenizer.get_vocab_size())
    ]
    return [
        b"\0" if token == eos_id else bytes(letter[char] for char in word)
        for token, word in enumerate(words)
    ]


def _byte_letters() -> dict[int, str]:
    """The printable letter that stands for each byte in a byte-level vocabulary (Radford et al. 2019)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {
        byte: chr(256 + place) for place, byte in enumerate(rest)
    }
