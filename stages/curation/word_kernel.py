"""The compiled loops behind `words`: where words begin and end, their hashes and classes.

Question: which spans of a block are words? Input: code points and class bits of its characters. Output: arrays over the
words. The default tokeniser is in `affix_kernel`. Cost: 400 MB a CPU-second for the spans (measured).
"""

import numpy as np
from numba import njit

from stages.curation.classes import ALPHA, JOINER, SPACE, WORD

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd; the golden ratio in 64 bits
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # finaliser of splitmix64


@njit(cache=True, nogil=True, inline="never")
def _hash(codes, start, stop):
    value = np.uint64(1)  # so that a NUL counts
    for index in range(start, stop):
        value = value * MULTIPLIER + np.uint64(codes[index])
    value = (value ^ (value >> np.uint64(30))) * MIX_1
    value = (value ^ (value >> np.uint64(27))) * MIX_2
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def described(codes, flags, starts, ends):
    """(hashes, named, alphabetic) of the spans; `hashes` are mixed, and equal text gives an equal hash."""
    hashes = np.empty(len(starts), dtype=np.uint64)
    named, alphabetic = np.empty(len(starts), dtype=np.bool_), np.empty(len(starts), dtype=np.bool_)
    for word in range(len(starts)):
        bits = 0
        for index in range(starts[word], ends[word]):
            bits |= flags[index]
        named[word], alphabetic[word] = bits & WORD > 0, bits & ALPHA > 0
        hashes[word] = _hash(codes, starts[word], ends[word])
    return hashes, named, alphabetic


@njit(cache=True, nogil=True)
def totals(starts, ends, docs, hashes, named, alphabetic, wanted):
    """(named words, their characters, alphabetic words, distinct words of `wanted`) of each document (4, D)."""
    sums = np.zeros((4, len(docs) - 1), dtype=np.int64)
    for doc in range(len(docs) - 1):
        n_named, n_chars, n_alphabetic, seen = 0, 0, 0, 0
        for word in range(docs[doc], docs[doc + 1]):
            length = ends[word] - starts[word]
            n_named += named[word]
            n_chars += named[word] * length
            n_alphabetic += alphabetic[word]
            for place in range(len(wanted)):
                if hashes[word] == wanted[place]:
                    seen |= 1 << place
        count = 0
        while seen:
            count += seen & 1
            seen >>= 1
        sums[0, doc], sums[1, doc], sums[2, doc], sums[3, doc] = n_named, n_chars, n_alphabetic, count
    return sums


@njit(cache=True, nogil=True)
def space_words(flags, starts, ends):
    """Fills `starts` and `ends` with the runs of visible characters; returns how many."""
    found, index, size = 0, 0, len(flags)
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


@njit(cache=True, nogil=True)
def pattern_words(flags, starts, ends):
    """Fills `starts` and `ends` with the matches of w+(['’.-]w+)* or one other visible character; returns how many."""
    found, index, size = 0, 0, len(flags)
    while index < size:
        if flags[index] & SPACE:
            index += 1
            continue
        starts[found] = index
        index += 1
        if flags[index - 1] & WORD:
            while index < size and (flags[index] & WORD or (flags[index] & JOINER and index + 1 < size and flags[index + 1] & WORD)):
                index += 1
        ends[found] = index
        found += 1
    return found
