"""The compiled loop behind `lines`: one pass over a block that gathers what the line rules ask.

Input: code points and class bits of a block's characters. Output: one entry a line, blank ones too.
Cost: 200 MB a CPU-second (measured).
"""

import numpy as np
from numba import njit

from stages.curation.classes import ALPHA, DIGIT, SPACE, UPPER

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd; the golden ratio in 64 bits
COLUMNS = ("end", "first", "last", "n_words", "longest", "sentences", "upper", "digits")


@njit(cache=True, nogil=True)
def line_table(codes, flags, n_lines):
    """(table (8, L) in the order of COLUMNS, hash of each line, hash of the letters that it ends in).

    `first` and `last` are its first and last visible characters, first = end for a blank line; `longest` is the longest
    word in characters; `sentences` counts . ? ! 。！？ before a space, a quotation mark or the end of the line.
    """
    table = np.zeros((8, n_lines), dtype=np.int64)
    hashes, tails = np.zeros(n_lines, dtype=np.uint64), np.zeros(n_lines, dtype=np.uint64)
    index = 0
    for line in range(n_lines):
        first, last, n_words, longest, sentences, upper, digits = -1, -1, 0, 0, 0, 0, 0
        whole, tail, word, letters = np.uint64(1), np.uint64(1), 0, False
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
                if code == 46 or code == 63 or code == 33 or code == 0x3002 or code == 0xFF01 or code == 0xFF1F:
                    after = codes[index + 1]
                    quote = after == 34 or after == 39 or after == 0x201D or after == 0x2019 or after == 0xBB
                    sentences += flags[index + 1] & SPACE > 0 or quote
            if flag & ALPHA:
                tail = (tail if letters else np.uint64(1)) * MULTIPLIER + np.uint64(code)
            letters = flag & ALPHA > 0
            index += 1
        if first < 0:
            first = index
        row = table[:, line]
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7] = index, first, last, n_words, longest, sentences, upper, digits
        hashes[line], tails[line] = whole, tail
        index += 1
    return table, hashes, tails


@njit(cache=True, nogil=True)
def joined(hashes, opens):
    """Hash of each paragraph from the hashes of its lines; `opens` marks the first line of each."""
    count = 0
    for line in range(len(opens)):
        count += opens[line]
    whole = np.ones(count, dtype=np.uint64)
    paragraph = -1
    for line in range(len(opens)):
        paragraph += opens[line]
        whole[paragraph] = whole[paragraph] * MULTIPLIER + (hashes[line] ^ (hashes[line] >> np.uint64(29)))
    return whole


@njit(cache=True, nogil=True)
def copies(hashes, docs):
    """Which entries stood before in the same document (L,); `docs` rises."""
    copy = np.zeros(len(hashes), dtype=np.bool_)
    bits = 4
    while (1 << bits) < 2 * len(hashes):
        bits += 1
    mask, shift = (1 << bits) - 1, np.uint64(64 - bits)
    table = np.full(1 << bits, -1, dtype=np.int64)
    for line in range(len(hashes)):
        slot = np.int64(((hashes[line] ^ (np.uint64(docs[line]) << np.uint64(20))) * MULTIPLIER) >> shift)
        while table[slot] >= 0 and (hashes[table[slot]] != hashes[line] or docs[table[slot]] != docs[line]):
            slot = (slot + 1) & mask
        copy[line] = table[slot] >= 0
        if not copy[line]:
            table[slot] = line
    return copy
