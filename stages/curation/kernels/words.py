"""The compiled loops behind `words`: where words begin and end, their hashes and classes.

Question: which spans of a block are words? Input: code points and class bits of its characters. Output: arrays over the
words. The default tokeniser is in `affix_kernel`. Cost: 400 MB a CPU-second for the spans (measured).
"""

import numpy as np

from stages.curation.kernels.classes import ALPHA, JOINER, SPACE, WORD
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
