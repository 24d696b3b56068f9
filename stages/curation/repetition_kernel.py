"""The compiled loop behind `repetition`: one hash table a document and n-gram length.

Question: which n-grams of a document occur again? Input: word hashes and lengths of a block. Output: characters of the
most common n-gram and of repeated n-grams, in integers, so that results do not depend on blocks. A repeated n-gram
holds repeated (n-1)-grams, so each length looks only at places that the length before it left.
Cost: measured in `repetition`; the first call on a machine compiles for some seconds, later ones load the result.
"""

import numpy as np
from numba import njit

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd; the golden ratio in 64 bits
FIRST, LAST_TOP, LAST = 2, 4, 10  # n-gram lengths of Gopher's table: 2-4 top, 5-10 repeated


@njit(cache=True, nogil=True)
def ngram_chars(hashes, lengths, docs, top_min_count, greedy):
    """Characters (9, D) for the n-grams of 2 .. 10 words.

    `hashes` (T,) of words, `lengths` (T + 1,) prefix sums of their characters, `docs` (D + 1,) first word of each document.
    """
    n_docs = len(docs) - 1
    chars = np.zeros((LAST - FIRST + 1, n_docs), dtype=np.int64)
    longest = 1
    for doc in range(n_docs):
        longest = max(longest, docs[doc + 1] - docs[doc])
    places, grams = np.empty(longest, dtype=np.int64), np.empty(longest, dtype=np.uint64)
    slots = np.empty(longest, dtype=np.int64)
    bits = 4
    while (1 << bits) < 2 * longest:
        bits += 1
    table = np.empty(1 << bits, dtype=np.uint64)
    stamps, counts, firsts = np.zeros(1 << bits, dtype=np.int64), np.empty(1 << bits, dtype=np.int64), np.empty(1 << bits, dtype=np.int64)
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
                chars[n - FIRST, doc] = lengths[start + n] - lengths[start] + n - 1
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
                    stamps[slot], table[slot], counts[slot], firsts[slot] = stamp, gram, 0, index
                counts[slot] += 1
                slots[index] = slot
                inside += 1
            if n <= LAST_TOP:
                best = 1
                for index in range(inside):
                    slot = slots[index]
                    if firsts[slot] == index and counts[slot] > best:
                        best, place = counts[slot], places[index]
                        chars[n - FIRST, doc] = best * (lengths[place + n] - lengths[place] + n - 1)
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
                chars[n - FIRST, doc] = covered
            found = 0
            for index in range(inside - 1):
                place = places[index]
                if places[index + 1] == place + 1 and abs(counts[slots[index]]) > 1 and abs(counts[slots[index + 1]]) > 1:
                    places[found], grams[found] = place, grams[index]
                    found += 1
    return chars
