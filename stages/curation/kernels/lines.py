"""The compiled loop behind `lines`: one pass over a block that gathers what the line rules ask.

Input: code points and class bits of a block's characters. Output: one entry a line, blank ones too.
Cost: 200 MB a CPU-second (measured).
"""

import numpy as np

from stages.curation.kernels.classes import (
    ALONE,
    ALPHA,
    DIGIT,
    SPACE,
    UPPER,
    WORD,
    is_word_break,
)
from stages.curation.kernels.hashing import MULTIPLIER
from stages.curation.kernels.loops import Loop
from stages.curation.kernels.types import INT64, INT64S, UINT8S, UINT32S, UINT64S, Part

COLUMNS = ("end", "first", "last", "n_words", "longest", "sentences", "upper", "digits")


@Part
def _ends_sentence(code):
    """Whether it is a full stop of another script, which needs no space behind it."""
    wide = code == 0x3002 or code == 0xFF01 or code == 0xFF1F or code == 0xFF61
    indic = code == 0x0964 or code == 0x0965 or code == 0x104B or code == 0x17D4
    right_to_left = code == 0x061F or code == 0x06D4
    return (
        wide
        or indic
        or right_to_left
        or code == 0x0589  # Armenian
        or code == 0x0F0D  # Tibetan
        or code == 0x1362  # Ethiopic
        or code == 0x1367
    )


def line_table(
    codes: np.ndarray, flags: np.ndarray, n_lines: int, writing: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(table (8, L) in the order of COLUMNS, hash of each line, hash of the letters that it ends in).

    `first` and `last` are its first and last visible characters, first = end for a blank line; `longest` is the longest
    word in characters; `sentences` counts the pieces with a letter or digit that end at . ? ! 。！？ before a space, a
    quotation mark or a bracket, or at the end of the line. Where `writing` (of `scripts`) is not 0, full stops of other
    scripts end a sentence wherever they stand; where it is 2, a character of a script without spaces is a word.
    """
    table = np.zeros((8, n_lines), dtype=np.int64)
    hashes, tails = (
        np.zeros(n_lines, dtype=np.uint64),
        np.zeros(n_lines, dtype=np.uint64),
    )
    _line_table(codes, flags, n_lines, table, hashes, tails)
    if writing:
        _foreign_lines(codes, flags, n_lines, writing, table)
    return table, hashes, tails


@Loop
def _line_table(
    codes: UINT32S,
    flags: UINT8S,
    n_lines: INT64,
    table: INT64S,
    hashes: UINT64S,
    tails: UINT64S,
):
    index = 0
    for line in range(n_lines):
        first, last, n_words, longest, sentences, upper, digits = -1, -1, 0, 0, 0, 0, 0
        whole, tail, word, letters, begun = np.uint64(1), np.uint64(1), 0, False, False
        while codes[index] != 10:
            code, flag = codes[index], flags[index]
            whole = whole * MULTIPLIER + np.uint64(code)
            if flag & SPACE:
                word = 0
            else:
                if first < 0:
                    first = index
                last = index
                n_words += word == 0
                word += 1
                longest = max(longest, word)
                upper += flag & UPPER > 0
                digits += flag & DIGIT > 0
                if (
                    code == 46
                    or code == 63
                    or code == 33
                    or code == 0x3002
                    or code == 0xFF01
                    or code == 0xFF1F
                ):
                    after = codes[index + 1]
                    closing = (
                        after == 34
                        or after == 39
                        or after == 41
                        or after == 93
                        or after == 125
                        or after == 0x201D
                        or after == 0x2019
                        or after == 0xBB
                    )
                    if begun and (closing or flags[index + 1] & SPACE):
                        sentences += 1
                        begun = False
                begun |= flag & WORD > 0
            if flag & ALPHA:
                tail = (tail if letters else np.uint64(1)) * MULTIPLIER + np.uint64(
                    code
                )
            letters = flag & ALPHA > 0
            index += 1
        sentences += begun
        if first < 0:
            first = index
        (
            table[line],
            table[line + n_lines],
            table[line + 2 * n_lines],
            table[line + 3 * n_lines],
        ) = (
            index,
            first,
            last,
            n_words,
        )
        table[line + 4 * n_lines], table[line + 5 * n_lines] = longest, sentences
        table[line + 6 * n_lines], table[line + 7 * n_lines] = upper, digits
        hashes[line], tails[line] = whole, tail
        index += 1


@Loop
def _foreign_lines(
    codes: UINT32S, flags: UINT8S, n_lines: INT64, writing: INT64, table: INT64S
):
    """Words, longest and sentences of lines that are not Latin, in place of those in the table."""
    index = 0
    for line in range(n_lines):
        n_words, longest, sentences, word, begun = 0, 0, 0, 0, False
        while codes[index] != 10:
            code, flag = codes[index], flags[index]
            if flag & SPACE or (writing == 2 and is_word_break(code)):
                word = 0
            else:
                n_words += word == 0
                word = word + 1
                longest = max(longest, word)
                if writing == 2 and flag & ALONE:
                    word = 0
            after = flags[index + 1] & SPACE > 0 or not flags[index + 1] & WORD
            plain = (code == 46 or code == 33 or code == 63) and after
            if begun and (plain or _ends_sentence(code)):
                sentences += 1
                begun = False
            begun |= flag & WORD > 0
            index += 1
        table[line + 3 * n_lines] = n_words
        table[line + 4 * n_lines] = longest
        table[line + 5 * n_lines] = sentences + begun
        index += 1


def with_newlines(codes: np.ndarray) -> np.ndarray | None:
    """The codes with a newline for every other line end of `str.splitlines` (C,); None where there is no other."""
    written = codes.astype(np.uint32)
    return written if _with_newlines(written, len(written)) else None


@Loop
def _with_newlines(codes: UINT32S, size: INT64):
    found = 0
    for index in range(size):
        code = codes[index]
        ends = (
            11 <= code < 14
            or 28 <= code < 31
            or code == 0x85
            or code == 0x2028
            or code == 0x2029
        )
        codes[index] = 10 if ends else code
        found += ends
    return found


def joined(hashes: np.ndarray, opens: np.ndarray) -> np.ndarray:
    """Hash of each paragraph from the hashes of its lines; `opens` marks the first line of each."""
    whole = np.ones(int(np.count_nonzero(opens)), dtype=np.uint64)
    _joined(hashes, opens, len(opens), whole)
    return whole


@Loop
def _joined(hashes: UINT64S, opens: UINT8S, n_lines: INT64, whole: UINT64S):
    paragraph = -1
    for line in range(n_lines):
        paragraph += opens[line]
        whole[paragraph] = whole[paragraph] * MULTIPLIER + (
            hashes[line] ^ (hashes[line] >> np.uint64(29))
        )


def copies(hashes: np.ndarray, docs: np.ndarray) -> np.ndarray:
    """Which entries stood before in the same document (L,); `docs` rises."""
    copy = np.zeros(len(hashes), dtype=np.bool_)
    bits = max(4, (2 * len(hashes) - 1).bit_length())
    _copies(
        hashes, docs, len(hashes), bits, np.full(1 << bits, -1, dtype=np.int64), copy
    )
    return copy


@Loop
def _copies(
    hashes: UINT64S,
    docs: INT64S,
    n_lines: INT64,
    bits: INT64,
    table: INT64S,
    copy: UINT8S,
):
    mask, shift = (1 << bits) - 1, np.uint64(64 - bits)
    for line in range(n_lines):
        slot = np.int64(
            ((hashes[line] ^ (np.uint64(docs[line]) << np.uint64(20))) * MULTIPLIER)
            >> shift
        )
        while table[slot] >= 0 and (
            hashes[table[slot]] != hashes[line] or docs[table[slot]] != docs[line]
        ):
            slot = (slot + 1) & mask
        copy[line] = table[slot] >= 0
        if not copy[line]:
            table[slot] = line
