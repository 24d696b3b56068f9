"""A block of documents as one flat array of characters, its words and their 64-bit hashes.

Why: rules and MinHash ask about every word of every document; one numpy pass over a block of half a million
characters answers for all its documents at once. Hashes are ours, so they are the same with every version of every
library. Cost: words and hashes 90 MB a CPU-second; memory about 40 bytes a
character of one block or of the longest document (measured).

    codes_C   code point of each character of the block; each document is followed by one newline
    starts_T  place in codes_C of the first character of each word     (T words of the block)
    doc_T     first word of each document, and T at the end             (D + 1 entries)
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from stages.curation.kernels.classes import (
    ALONE,
    ALPHA,
    DIGIT,
    JOINER,
    KNOWN,
    SPACE,
    UPPER,
    WORD,
)
from stages.curation.kernels.hashing import MIX_1, MIX_2, MULTIPLIER
from stages.curation.kernels.minhash import utf8_word_hashes, word_hashes

BLOCK_BYTES = 1 << 20
BLOCK_CHARS = 1 << 19  # measured: within 5 % of the best from 2^18 to 2^20
# between two word characters they belong to the word: don't, U.S, well-known
JOINERS = "'\u2019.-"
# Scripts written without spaces: each character counts as a word in a shingle. Ideographs, kana, and
# the scripts whose line breaks need a dictionary (class SA of Unicode's annex 14).
UNSPACED = (
    range(0x0E00, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Myanmar
    range(0x1780, 0x1800),  # Khmer
    range(0x1950, 0x19E0),  # Tai Le, New Tai Lue
    range(0x1A20, 0x1AB0),  # Tai Tham
    range(0x2E80, 0xA4D0),
    range(0xA9E0, 0xAA00),  # Myanmar, extended
    range(0xAA60, 0xAAE0),  # Myanmar, extended; Tai Viet
    range(0xF900, 0xFB00),
    range(0x11700, 0x11750),  # Ahom
    range(0x20000, 0x32400),
)


class _CharacterTables:
    """Class and lower case of each code point, filled in as characters are met."""

    def __init__(self) -> None:
        self.flags = np.zeros(0x110000, dtype=np.uint8)
        self.lower = np.arange(0x110000, dtype=np.uint32)
        self.unspaced = np.zeros(0x110000, dtype=np.bool_)
        for span in UNSPACED:
            self.unspaced[span.start : span.stop] = True
        self.learn(np.arange(128))
        self.ascii_flags = self.flags[:256].tobytes()
        word = self.flags[:256] & WORD > 0
        self.ascii_words = np.where(word, self.lower[:256], 0).astype(np.uint8)
        self.ascii_lower_words = self.ascii_words.tobytes()

    def learn(self, codes: np.ndarray) -> None:
        for code in set(codes[self.flags[codes] & KNOWN == 0].tolist()):
            char = chr(code)
            flag = WORD * (
                char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M"
            )
            flag |= (
                SPACE * char.isspace()
                | ALPHA * char.isalpha()
                | ALONE * bool(self.unspaced[code])
            )
            flag |= (
                JOINER * (char in JOINERS)
                | UPPER * char.isupper()
                | DIGIT * char.isdigit()
            )
            self.flags[code] = flag | KNOWN
            lower = char.lower()
            self.lower[code] = ord(lower) if len(lower) == 1 else code


TABLES = _CharacterTables()


@dataclass(frozen=True)
class Block:
    """The characters of consecutive documents. `codes` is uint8 where all are ASCII, else uint32."""

    codes: np.ndarray  # (C,)
    doc_starts: np.ndarray  # (D + 1,) the last entry is C
    writing: int = 0  # LATIN, SPACED or UNSPACED_WRITING of `scripts`
    ends: bool = True  # whether its script has marks at the ends of sentences

    @property
    def n_docs(self) -> int:
        return len(self.doc_starts) - 1

    def flags(self) -> np.ndarray:
        """Class bits of each character (C,)."""
        return self._mapped(TABLES.ascii_flags, lambda codes: TABLES.flags[codes])

    def lower_words(self) -> np.ndarray:
        """Lower-case code of each word character, 0 elsewhere (C,)."""
        return self._mapped(
            TABLES.ascii_lower_words,
            lambda codes: TABLES.lower[codes] * (TABLES.flags[codes] & WORD),
        )

    def _mapped(self, ascii_table: bytes, rest) -> np.ndarray:
        if self.codes.dtype == np.uint8:
            return np.frombuffer(
                self.codes.tobytes().translate(ascii_table), dtype=np.uint8
            )
        plain = (
            np.minimum(self.codes, 255)
            .astype(np.uint8)
            .tobytes()
            .translate(ascii_table)
        )
        where = np.flatnonzero(self.codes > 127)
        values = rest(self.codes[where])
        mapped = np.frombuffer(plain, dtype=np.uint8).astype(values.dtype)
        mapped[where] = values
        return mapped


def block_of(texts: pl.Series) -> Block:
    """The block of a column of texts."""
    joined = texts.str.join("\n").item() + "\n"
    if joined.isascii():
        codes = np.frombuffer(joined.encode("ascii"), dtype=np.uint8)
    else:
        codes = np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32)
        TABLES.learn(codes[codes > 127])
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(texts.str.len_chars().to_numpy() + 1, out=starts[1:])
    return Block(codes, starts)


def blocks(
    texts: pl.Series, block_chars: int = BLOCK_CHARS
) -> Iterator[tuple[slice, Block]]:
    """(rows, block) pairs of about `block_chars` characters; a longer document is a block of its own."""
    ends = np.cumsum(texts.str.len_chars().to_numpy().astype(np.int64) + 1)
    first = 0
    while first < len(texts):
        done = ends[first - 1] if first else 0
        last = max(
            first + 1, int(np.searchsorted(ends, done + block_chars, side="right"))
        )
        yield slice(first, last), block_of(texts[first:last])
        first = last


def composed(texts: pl.Series) -> pl.Series:
    """The texts in Unicode's normal form C, in which equal texts have equal code points.

    Not KC, which also makes x\u00b2 an x2: other text, that a reader tells apart. Cost: 2 GB/s of Latin text, 600 MB
    a CPU-second of other text (measured).

    >>> composed(pl.Series(["e\\u0301"]))[0] == "\\u00e9"
    True
    """
    # no code point below U+0300, whose first byte is CC, is ever composed with the one before it
    data, bounds = utf8(texts)
    filled = np.flatnonzero(np.diff(bounds))
    if not len(filled):
        return texts
    highest = np.maximum.reduceat(data[: bounds[-1]], bounds[filled])
    maybe = filled[highest >= 0xCC]
    mended = [
        (place, unicodedata.normalize("NFC", text))
        for place, text in zip(maybe, texts.gather(maybe), strict=True)
        if not unicodedata.is_normalized("NFC", text)
    ]
    if not mended:
        return texts
    places, values = zip(*mended, strict=True)
    return texts.clone().scatter(places, values)


def plain_words(block: Block) -> tuple[np.ndarray, np.ndarray]:
    """(hash_T, doc_T): hashes of the lower-case words, punctuation dropped; a character of a script
    without spaces is a word.
    """
    plain = block.codes.dtype == np.uint8
    alone = np.zeros(0, dtype=np.uint8) if plain else block.flags() & ALONE
    return word_hashes(
        block.lower_words().astype(np.uint32, copy=False), alone, block.doc_starts
    )


def word_blocks(
    texts: pl.Series, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """(rows, hash_T, doc_T) of about `block_bytes` of text at a time: what `plain_words` gives, in one
    pass over the UTF-8.
    """
    data, bounds = utf8(texts)
    first, room = 0, np.zeros(0, dtype=np.uint64)
    while first < len(texts):
        full = np.searchsorted(bounds, bounds[first] + block_bytes, side="right") - 1
        last = max(first + 1, int(full))
        part = bounds[first : last + 1]
        if len(room) <= part[-1] - part[0]:
            room = np.empty(part[-1] - part[0] + 1, dtype=np.uint64)
        tables = (TABLES.flags, TABLES.lower, TABLES.ascii_words, room)
        found = utf8_word_hashes(data, part, *tables)
        if found is None:
            TABLES.learn(_codes(data[part[0] : part[-1]]))
            found = utf8_word_hashes(data, part, *tables)
            assert found is not None  # every character is known now
        yield slice(first, last), *found
        first = last


def utf8(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """(bytes (B,), bounds (D + 1,) of the texts in them)."""
    column = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = column.buffers()
    bounds = (
        np.frombuffer(offsets, dtype=np.int64)[
            column.offset : column.offset + len(column) + 1
        ]
        if offsets is not None and len(column)
        else np.zeros(len(column) + 1, np.int64)
    )
    return np.frombuffer(data or b"", dtype=np.uint8), bounds


def _codes(data: np.ndarray) -> np.ndarray:
    """The code points of a text beyond ASCII, with all of the 256 that stand in the same row of
    Unicode's tables: the next text needs them too.
    """
    codes = np.frombuffer(data.tobytes().decode().encode("utf-32-le"), dtype=np.uint32)
    rows = np.flatnonzero(np.bincount(codes[codes > 127] >> 8))
    return (rows[:, None] * 256 + np.arange(256)).ravel()


_powers: list[np.ndarray] = [np.ones(1, dtype=np.uint64), np.ones(1, dtype=np.uint64)]


def power_tables(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Powers of MULTIPLIER and of its inverse modulo 2^64, kept for the largest block met."""
    if len(_powers[0]) < size:
        inverse = pow(int(MULTIPLIER), -1, 1 << 64)
        for slot, factor in enumerate((MULTIPLIER, np.uint64(inverse))):
            table = np.full(max(size, BLOCK_CHARS + 4096), factor, dtype=np.uint64)
            table[0] = 1
            _powers[slot] = np.multiply.accumulate(table)
    return _powers[0], _powers[1]


def segment_hashes(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Polynomial hash, modulo 2^64, of values[start : next start]; zeros in it do not count. Not mixed.

    sum_i v_i M^i over the segment, then times M^-start, so the hash does not depend on where the segment lies.
    """
    if len(starts) == 0:
        return np.zeros(0, dtype=np.uint64)
    powers, inverses = power_tables(len(values))
    return np.add.reduceat(values * powers[: len(values)], starts) * inverses[starts]


def mixed(hashes: np.ndarray) -> np.ndarray:
    """Each bit of the result depends on all bits of the hash (finaliser of splitmix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * MIX_1
    hashes = (hashes ^ (hashes >> np.uint64(27))) * MIX_2
    return hashes ^ (hashes >> np.uint64(31))


def ngram_hashes(words: np.ndarray, n: int) -> np.ndarray:
    """Hash of the n words from each place on (T - n + 1,); not mixed, documents not separated."""
    hashes = words[: max(0, len(words) - n + 1)].copy()
    for k in range(1, n):
        hashes *= MULTIPLIER
        hashes += words[k : k + len(hashes)]
    return hashes
