"""The compiled loop behind `repetition`: one hash table a document and n-gram length.

Question: which n-grams of a document occur again? Input: word hashes and lengths of a block. Output: characters of the
most common n-gram and of repeated n-grams, in integers, so that results do not depend on blocks. A repeated n-gram
holds repeated (n-1)-grams, so each length looks only at places that the length before it left.
Cost: measured in `repetition`.
"""

import numpy as np

from stages.curation.kernels.hashing import MULTIPLIER
from stages.curation.kernels.loops import Loop
from stages.curation.kernels.types import INT64, INT64S, UINT64S

# n-gram lengths of Gopher's table: 2-4 top, 5-10 repeated
FIRST, LAST_TOP, LAST = (2, 4, 10)


def ngram_chars(
    hashes: np.ndarray,
    lengths: np.ndarray,
    docs: np.ndarray,
    top_min_count: int,
    greedy: bool,
) -> np.ndarray:
    """Characters (9, D) for the n-grams of 2 .. 10 words.

    `hashes` (T,) of words, `lengths` (T + 1,) prefix sums of their characters, `docs` (D + 1,)
    first word of each document.
    """
    n_docs, longest = len(docs) - 1, int(np.diff(docs).max(initial=1))
    chars = np.zeros((LAST - FIRST + 1, n_docs), dtype=np.int64)
    rows, slots = (
        np.empty((3, longest), dtype=np.int64),
        1 << max(4, (2 * longest - 1).bit_length()),
    )
    _ngram_chars(
        hashes,
        lengths,
        docs,
        n_docs,
        top_min_count,
        int(greedy),
        rows[0],
        rows[1].view(np.uint64),
        rows[2],
        np.empty(slots, dtype=np.uint64),
        np.zeros(slots, dtype=np.int64),
        np.empty(slots, dtype=np.int64),
        np.empty(slots, dtype=np.int64),
        chars,
    )
    return chars


@Loop
def _ngram_chars(
    hashes: UINT64S,
    lengths: INT64S,
    docs: INT64S,
    n_docs: INT64,
    top_min_count: INT64,
    greedy: INT64,
    places: INT64S,
    grams: UINT64S,
    slots: INT64S,  # one entry a word of a document
    table: UINT64S,
    stamps: INT64S,
    counts: INT64S,
    firsts: INT64S,  # one a slot of the hash table
    chars: INT64S,
):
    stamp = 0
    for doc in range(n_docs):
        start, stop = docs[doc], docs[doc + 1]
        size = 4
        while (1 << size) < 2 * (stop - start):
            size += 1
        mask, shift = np.int64((1 << size) - 1), np.uint64(64 - size)
        found = stop - start
        for index in range(found):
            places[index], grams[index] = start + index, hashes[start + index]
        for n in range(FIRST, LAST + 1):
            if top_min_count < 2 and n <= LAST_TOP and stop - start >= n:
                chars[(n - FIRST) * n_docs + doc] = (
                    lengths[start + n] - lengths[start] + n - 1
                )
            stamp += 1
            inside = 0
            for index in range(found):
                place = places[index]
                if place + n > stop:
                    break
                gram = grams[index] * MULTIPLIER + hashes[place + n - 1]
                grams[index] = gram
                slot = np.int64((gram * MULTIPLIER) >> shift)
                while stamps[slot] == stamp and table[slot] != gram:
                    slot = (slot + 1) & mask
                if stamps[slot] != stamp:
                    stamps[slot], table[slot], counts[slot], firsts[slot] = (
                        stamp,
                        gram,
                        0,
                        index,
                    )
                counts[slot] += 1
                slots[index] = slot
                inside += 1
            if n <= LAST_TOP:
                best = 1
                for index in range(inside):
                    slot = slots[index]
                    if firsts[slot] == index and counts[slot] > best:
                        best, place = counts[slot], places[index]
                        chars[(n - FIRST) * n_docs + doc] = best * (
                            lengths[place + n] - lengths[place] + n - 1
                        )
            else:
                covered, until = 0, start
                for index in range(inside):
                    slot, place = slots[index], places[index]
                    if greedy:
                        # only n-grams that the scan has stopped at count as seen; counts < 0 marks them
                        if place < until or counts[slot] == 1:
                            continue
                        if counts[slot] > 0:
                            counts[slot] = -counts[slot]
                            continue
                        covered += lengths[place + n] - lengths[place]
                        until = place + n
                    elif firsts[slot] != index:
                        covered += lengths[place + n] - lengths[max(place, until)]
                        until = place + n
                chars[(n - FIRST) * n_docs + doc] = covered
            found = 0
            for index in range(inside - 1):
                place = places[index]
                if (
                    places[index + 1] == place + 1
                    and abs(counts[slots[index]]) > 1
                    and abs(counts[slots[index + 1]]) > 1
                ):
                    places[found], grams[found] = place, grams[index]
                    found += 1
