"""The compiled loops behind `words`: where words begin and end, their hashes and classes.

Question: which spans of a block are words? Input: code points and class bits of its characters. Output: arrays over the
words. The default tokeniser is in `affix_kernel`. Cost: 400 MB a CPU-second for the spans (measured).
"""

import numpy as np

from stages.curation.kernels.classes import (
    ALONE,
    ALPHA,
    DIGIT,
    JOINER,
    SPACE,
    WORD,
    is_word_break,
)
from stages.curation.kernels.hashing import MIX_1, MIX_2, MULTIPLIER
from stages.curation.kernels.loops import Loop
from stages.curation.kernels.types import INT64, INT64S, UINT8S, UINT32S, UINT64S, Part


@Part
def _hash(codes, start, stop):
    value = np.uint64(1)  # so that a NUL counts
    for index in range(start, stop):
        value = value * MULTIPLIER + np.uint64(codes[index])
    value = (value ^ (value >> np.uint64(30))) * MIX_1
    value = (value ^ (value >> np.uint64(27))) * MIX_2
    return value ^ (value >> np.uint64(31))


def described(
    codes: np.ndarray, flags: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(hashes, named, alphabetic) of the spans; `hashes` are mixed, and equal text gives an equal hash."""
    hashes = np.empty(len(starts), dtype=np.uint64)
    named, alphabetic = (
        np.empty(len(starts), dtype=np.bool_),
        np.empty(len(starts), dtype=np.bool_),
    )
    _described(codes, flags, starts, ends, len(starts), hashes, named, alphabetic)
    return hashes, named, alphabetic


@Loop
def _described(
    codes: UINT32S,
    flags: UINT8S,
    starts: INT64S,
    ends: INT64S,
    n_words: INT64,
    hashes: UINT64S,
    named: UINT8S,
    alphabetic: UINT8S,
):
    for word in range(n_words):
        bits = 0
        for index in range(starts[word], ends[word]):
            bits |= flags[index]
        named[word], alphabetic[word] = bits & WORD > 0, bits & ALPHA > 0
        hashes[word] = _hash(codes, starts[word], ends[word])


def totals(
    starts: np.ndarray,
    ends: np.ndarray,
    docs: np.ndarray,
    hashes: np.ndarray,
    named: np.ndarray,
    alphabetic: np.ndarray,
    wanted: np.ndarray,
) -> np.ndarray:
    """(named words, their characters, alphabetic words, distinct words of `wanted`) of each document (4, D)."""
    n_docs = len(docs) - 1
    sums = np.zeros((4, n_docs), dtype=np.int64)
    _totals(
        starts, ends, docs, n_docs, hashes, named, alphabetic, wanted, len(wanted), sums
    )
    return sums


@Loop
def _totals(
    starts: INT64S,
    ends: INT64S,
    docs: INT64S,
    n_docs: INT64,
    hashes: UINT64S,
    named: UINT8S,
    alphabetic: UINT8S,
    wanted: UINT64S,
    n_wanted: INT64,
    sums: INT64S,
):
    for doc in range(n_docs):
        n_named, n_chars, n_alphabetic, seen = 0, 0, 0, 0
        for word in range(docs[doc], docs[doc + 1]):
            length = ends[word] - starts[word]
            n_named += named[word]
            n_chars += named[word] * length
            n_alphabetic += alphabetic[word]
            for place in range(n_wanted):
                if hashes[word] == wanted[place]:
                    seen |= 1 << place
        count = 0
        while seen:
            count += seen & 1
            seen >>= 1
        (
            sums[doc],
            sums[doc + n_docs],
            sums[doc + 2 * n_docs],
            sums[doc + 3 * n_docs],
        ) = (
            n_named,
            n_chars,
            n_alphabetic,
            count,
        )


@Loop
def space_words(flags: UINT8S, size: INT64, starts: INT64S, ends: INT64S):
    """Fills `starts` and `ends` with the runs of visible characters; returns how many."""
    found, index = 0, 0
    while index < size:
        if flags[index] & SPACE:
            index += 1
            continue
        starts[found] = index
        while index < size and not flags[index] & SPACE:
            index += 1
        ends[found] = index
        found += 1
    return found


@Loop
def pattern_words(flags: UINT8S, size: INT64, starts: INT64S, ends: INT64S):
    """Fills `starts` and `ends` with the matches of w+(['’.-]w+)* or one other visible character; returns how many."""
    found, index = 0, 0
    while index < size:
        if flags[index] & SPACE:
            index += 1
            continue
        starts[found] = index
        index += 1
        if flags[index - 1] & WORD:
            while index < size and (
                flags[index] & WORD
                or (
                    flags[index] & JOINER
                    and index + 1 < size
                    and flags[index + 1] & WORD
                )
            ):
                index += 1
        ends[found] = index
        found += 1
    return found


@Loop
def unit_words(
    codes: UINT32S, flags: UINT8S, size: INT64, starts: INT64S, ends: INT64S
):
    """Fills `starts` and `ends` with the words of a text in a script without spaces; returns how many.

    A character of such a script is a word, with the marks that follow it; the rest is cut as by `pattern_words`.
    """
    found, index = 0, 0
    while index < size:
        if flags[index] & SPACE or is_word_break(codes[index]):
            index += 1
            continue
        starts[found] = index
        index += 1
        if flags[index - 1] & ALONE:
            while index < size and flags[index] & (WORD | ALPHA | DIGIT) == WORD:
                index += 1
        elif flags[index - 1] & WORD:
            while (
                index < size
                and not flags[index] & ALONE
                and (
                    flags[index] & WORD
                    or (
                        flags[index] & JOINER
                        and index + 1 < size
                        and flags[index + 1] & WORD
                    )
                )
            ):
                index += 1
        ends[found] = index
        found += 1
    return found


@Loop
def unit_chars(
    codes: UINT32S,
    flags: UINT8S,
    starts: INT64S,
    ends: INT64S,
    n_words: INT64,
    chars: INT64S,
):
    """Fills `chars` (T,) with the characters of each word that is a unit of a script without spaces, else 0."""
    for word in range(n_words):
        unit = flags[starts[word]] & ALONE
        chars[word] = ends[word] - starts[word] if unit else 0


def list_hits(
    hashes: np.ndarray,
    docs: np.ndarray,
    table: tuple[np.ndarray, ...],
    n_lists: int,
    most: int,
) -> tuple[np.ndarray, np.ndarray]:
    """How many words of each document stand in each list (D, lists), and of how many words one was
    looked at (D,), so that at most `most` of a document are; `table` is `word_table`'s.
    """
    keys, starts, lists = table
    n_docs, bits = len(docs) - 1, len(keys).bit_length() - 1
    counts = np.zeros((n_docs, n_lists), dtype=np.int64)
    steps = np.maximum(1, -(-np.diff(docs) // most))
    given = (hashes, docs, n_docs, steps)
    _list_hits(*given, keys, bits, starts, lists, n_lists, counts)
    return counts, steps


def word_table(words: dict[int, list[int]]) -> tuple[np.ndarray, ...]:
    """(keys, starts, lists) of hash -> the lists that the word is in: an open table of 2^k slots, 0 where free."""
    bits = (4 * len(words)).bit_length()
    keys, held = np.zeros(1 << bits, dtype=np.uint64), {}
    for key, lists in words.items():
        slot = ((key * int(MULTIPLIER)) & (2**64 - 1)) >> (64 - bits)
        while keys[slot]:
            slot = (slot + 1) & ((1 << bits) - 1)
        keys[slot], held[slot] = key, lists
    sizes = [len(held.get(slot, ())) for slot in range(len(keys))]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    every = [number for slot in sorted(held) for number in held[slot]]
    return keys, starts, np.array(every, dtype=np.int64)


@Loop
def _list_hits(
    hashes: UINT64S,
    docs: INT64S,
    n_docs: INT64,
    steps: INT64S,
    keys: UINT64S,
    bits: INT64,
    starts: INT64S,
    lists: INT64S,
    n_lists: INT64,
    counts: INT64S,
):
    mask, shift = (1 << bits) - 1, np.uint64(64 - bits)
    for doc in range(n_docs):
        row = doc * n_lists
        for word in range(docs[doc], docs[doc + 1], steps[doc]):
            slot = np.int64((hashes[word] * MULTIPLIER) >> shift)
            while keys[slot] != 0 and keys[slot] != hashes[word]:
                slot = (slot + 1) & mask
            if keys[slot] != 0:
                for place in range(starts[slot], starts[slot + 1]):
                    counts[row + lists[place]] += 1
