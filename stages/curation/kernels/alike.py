"""The compiled loops behind the check of near duplicates: agreements of sketches, and shared shingles.

Input: groups of documents that share a band, best first; sketches of one byte a permutation, eight in
a word; sets of shingle hashes. Output: the pairs that agree in enough bytes; the size of what
two sets have in common. Cost: 30 ns a pair of sketches of 120 bytes, 2 ns a shingle (measured).
"""

import numpy as np

from stages.curation.kernels.hashing import MULTIPLIER
from stages.curation.kernels.loops import Loop
from stages.curation.kernels.types import INT64, INT64S, UINT32S, UINT64S, Part

LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
ONES = np.uint64(0x0101010101010101)


@Part
def _agreements(sketches, one, other, n_words):
    """Equal bytes of two sketches; of at most 255 words, or a count of a byte would run over."""
    counts = np.uint64(0)
    for word in range(n_words):
        apart = sketches[one * n_words + word] ^ sketches[other * n_words + word]
        # the top bit of each byte: whether the byte of `apart` is zero
        equal = ~(((apart & LOW_BITS) + LOW_BITS) | apart | LOW_BITS)
        counts += equal >> np.uint64(7)
    even = counts & np.uint64(0x00FF00FF00FF00FF)
    odd = (counts >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    return np.int64(((even + odd) * np.uint64(0x0001000100010001)) >> np.uint64(48))


@Loop
def compare_in_groups(
    docs: INT64S,
    starts: INT64S,
    n_groups: INT64,
    sketches: UINT64S,
    n_words: INT64,
    at_least: INT64,
    every: INT64,
    most: INT64,
    state: INT64S,
    pairs: INT64S,
    capacity: INT64,
):
    """Pairs of a group that agree in `at_least` bytes, as (earlier, later, bytes) in `pairs`.

    In a group of at most `every` documents all are compared; in a larger one each with the first
    `most` documents that are like none before them. `state` (3 + most,) is where the loop stopped:
    group, place, leaders and how many; it goes on there while `capacity` pairs last.
    """
    found = 0
    while state[0] < n_groups:
        first, stop = starts[state[0]], starts[state[0] + 1]
        small = stop - first <= every
        while first + state[1] < stop:
            place = state[1]
            n_others = place if small else state[2]
            if found + n_others > capacity:
                return found
            doc, like_none = docs[first + place], True
            for other in range(n_others):
                earlier = docs[first + other] if small else state[3 + other]
                equal = _agreements(sketches, earlier, doc, n_words)
                if equal >= at_least:
                    pairs[3 * found] = earlier
                    pairs[3 * found + 1] = doc
                    pairs[3 * found + 2] = equal
                    found += 1
                    like_none = False
            if not small and like_none and state[2] < most:
                state[3 + state[2]] = doc
                state[2] += 1
            state[1] += 1
        state[0], state[1], state[2] = state[0] + 1, 0, 0
    return found


@Loop
def compare_pairs(
    left: INT64S,
    right: INT64S,
    n_pairs: INT64,
    sketches: UINT64S,
    n_words: INT64,
    equal: INT64S,
):
    """Equal bytes of the sketches of left[i] and right[i]."""
    for pair in range(n_pairs):
        equal[pair] = _agreements(sketches, left[pair], right[pair], n_words)


@Loop
def shared_shingles(
    left: INT64S,
    right: INT64S,
    n_pairs: INT64,
    hashes: UINT32S,
    starts: INT64S,
    stops: INT64S,
    last: INT64S,
    per_mille: INT64,
    table: UINT64S,
    bits: INT64,
    counts: INT64S,
):
    """counts (2, n_pairs): different hashes in both and in either of two sets, up to the smaller `last`.

    Set i is hashes[starts[i]:stops[i]], in any order and with repeats, and holds every hash of
    its document up to last[i]. A pair that can no longer reach `per_mille` of 1,000 in common is left
    where that is plain. `table` (1 << bits,) of zeros, more than the hashes of any pair: the pair from
    bit 33 on, whether the second set holds it too in bit 32, the hash.
    """
    mask, flag = (1 << bits) - 1, np.uint64(1 << 32)
    for pair in range(n_pairs):
        stamp = np.uint64(pair + 1) << np.uint64(33)
        limit = min(last[left[pair]], last[right[pair]])
        both, either = 0, 0
        for index in range(starts[left[pair]], stops[left[pair]]):
            value = np.uint64(hashes[index])
            if value > np.uint64(limit):
                continue
            entry = stamp | value
            slot = np.int64(value * MULTIPLIER >> np.uint64(32)) & mask
            while table[slot] >= stamp and table[slot] != entry:
                slot = (slot + 1) & mask
            if table[slot] != entry:
                table[slot] = entry
                either += 1
        most = either * (1000 - per_mille) // max(1, per_mille) + either + 1
        for index in range(starts[right[pair]], stops[right[pair]]):
            value = np.uint64(hashes[index])
            if value > np.uint64(limit):
                continue
            entry = stamp | value
            slot = np.int64(value * MULTIPLIER >> np.uint64(32)) & mask
            while table[slot] >= stamp and table[slot] & ~flag != entry:
                slot = (slot + 1) & mask
            if table[slot] < stamp:
                either += 1
            elif table[slot] == entry:
                both += 1
            table[slot] = entry | flag
            if per_mille > 0 and either > most:
                break
        counts[pair], counts[n_pairs + pair] = both, either
