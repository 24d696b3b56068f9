"""The compiled loops behind `minhash` and `characters.plain_words`: hashes of words, and the
smallest permuted shingle hashes.

Input: lower-case codes of a block (0 between words), or UTF-8. Output: word hashes, and one minimum a
document and permutation. The inner loop over permutations runs in vector registers. Cost: 170 MB a
CPU-second for words, 650 for 112 minima (measured).
"""

import numpy as np

from stages.curation.kernels.classes import ALONE, KNOWN, WORD
from stages.curation.kernels.hashing import MIX_1, MIX_2, MULTIPLIER
from stages.curation.kernels.loops import Loop
from stages.curation.kernels.types import INT64, INT64S, UINT8S, UINT32S, UINT64S, Part


@Part
def _mixed(value):
    value = (value ^ (value >> np.uint64(30))) * MIX_1
    value = (value ^ (value >> np.uint64(27))) * MIX_2
    return value ^ (value >> np.uint64(31))


def word_hashes(
    lower: np.ndarray, alone: np.ndarray, doc_starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(hash_T, doc_T) of the words; where `alone` (as long as `lower`, or empty) holds, a character
    is a word of its own.
    """
    hashes, docs = (
        np.empty(len(lower) + 1, dtype=np.uint64),
        np.empty(len(doc_starts), dtype=np.int64),
    )
    found = _word_hashes(
        lower, alone, len(alone), doc_starts, len(doc_starts) - 1, hashes, docs
    )
    return hashes[:found].copy(), docs


@Loop
def _word_hashes(
    lower: UINT32S,
    alone: UINT8S,
    n_alone: INT64,
    doc_starts: INT64S,
    n_docs: INT64,
    hashes: UINT64S,
    docs: INT64S,
):
    found = 0
    for doc in range(n_docs):
        docs[doc] = found
        value, power, inside, single = np.uint64(0), np.uint64(1), False, False
        for index in range(doc_starts[doc], doc_starts[doc + 1]):
            code = lower[index]
            if code == 0:
                if inside:
                    hashes[found] = _mixed(value)
                    found += 1
                value, power, inside, single = np.uint64(0), np.uint64(1), False, False
                continue
            if n_alone:
                now = alone[index] > 0
                if inside and (now or single):
                    hashes[found] = _mixed(value)
                    found += 1
                    value, power = np.uint64(0), np.uint64(1)
                single = now
            value += np.uint64(code) * power
            power *= MULTIPLIER
            inside = True
        if inside:
            hashes[found] = _mixed(value)
            found += 1
    docs[n_docs] = found
    return found


def utf8_word_hashes(
    data: np.ndarray,
    bounds: np.ndarray,
    flags: np.ndarray,
    lower: np.ndarray,
    ascii_words: np.ndarray,
    room: np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:
    """(hash_T, doc_T) as `word_hashes` gives them, straight from UTF-8 text; None where a character
    has no KNOWN class yet.

    data (B,) uint8; bounds (D + 1,) of the documents in it; flags, lower: of every code point;
    ascii_words (256,) uint8: lower case of an ASCII word character, 0 of other bytes; room: uint64 for
    as many words as there are bytes, and one more, which is written over.
    """
    n_docs = len(bounds) - 1
    docs = np.empty(n_docs + 1, dtype=np.int64)
    found = _utf8_word_hashes(
        data, bounds, n_docs, flags, lower, ascii_words, room, docs
    )
    return None if found < 0 else (room[:found].copy(), docs)


@Loop
def _utf8_word_hashes(
    data: UINT8S,
    bounds: INT64S,
    n_docs: INT64,
    flags: UINT8S,
    lower: UINT32S,
    ascii_words: UINT8S,
    hashes: UINT64S,
    docs: INT64S,
):
    found = 0
    for doc in range(n_docs):
        docs[doc] = found
        value, power, inside, single = np.uint64(0), np.uint64(1), False, False
        index, stop = bounds[doc], bounds[doc + 1]
        while index < stop:
            low = ascii_words[data[index]]
            if low:
                if inside and single:
                    hashes[found] = _mixed(value)
                    found += 1
                    value, power = np.uint64(0), np.uint64(1)
                while low:
                    value += np.uint64(low) * power
                    power *= MULTIPLIER
                    index += 1
                    low = ascii_words[data[index]] if index < stop else np.uint8(0)
                inside, single = True, False
                continue
            code = np.int64(data[index])
            index += 1
            if code >= 0x80:
                more = 1 + (code >= 0xE0) + (code >= 0xF0)
                code &= 0x3F >> more
                for _ in range(more):
                    code = (code << 6) | (np.int64(data[index]) & 0x3F)
                    index += 1
            flag = flags[code]
            if flag & KNOWN == 0:
                return -1
            if flag & WORD == 0:
                if inside:
                    hashes[found] = _mixed(value)
                    found += 1
                value, power, inside, single = np.uint64(0), np.uint64(1), False, False
                continue
            now = flag & ALONE > 0
            if inside and (now or single):
                hashes[found] = _mixed(value)
                found += 1
                value, power = np.uint64(0), np.uint64(1)
            single = now
            value += np.uint64(lower[code]) * power
            power *= MULTIPLIER
            inside = True
        if inside:
            hashes[found] = _mixed(value)
            found += 1
    docs[n_docs] = found
    return found


def shingle_minima(
    words: np.ndarray,
    docs: np.ndarray,
    n: int,
    factors: np.ndarray,
    offsets: np.ndarray,
) -> np.ndarray:
    """Smallest of factor x + offset modulo 2^32 over the n-word shingles x of each document (D, permutations)."""
    n_docs, size = len(docs) - 1, len(factors)
    minima = np.full((n_docs, size), 0xFFFFFFFF, dtype=np.uint32)
    _shingle_minima(
        words,
        docs,
        n_docs,
        n,
        factors,
        offsets,
        size,
        np.empty(size, dtype=np.uint32),
        minima,
    )
    return minima


@Loop
def _shingle_minima(
    words: UINT64S,
    docs: INT64S,
    n_docs: INT64,
    n: INT64,
    factors: UINT32S,
    offsets: UINT32S,
    size: INT64,
    smallest: UINT32S,
    minima: UINT32S,
):
    for doc in range(n_docs):
        for row in range(size):
            smallest[row] = np.uint32(0xFFFFFFFF)
        for start in range(docs[doc], docs[doc + 1] - n + 1):
            value = words[start]
            for place in range(1, n):
                value = value * MULTIPLIER + words[start + place]
            shingle = np.uint32(_mixed(value) >> np.uint64(32))
            for row in range(size):
                permuted = np.uint32(shingle * factors[row] + offsets[row])
                smallest[row] = min(smallest[row], permuted)
        for row in range(size):
            minima[doc * size + row] = smallest[row]
