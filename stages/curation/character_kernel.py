"""The compiled loop behind `character_ratios`."""

import numpy as np
from numba import njit

from stages.curation.classes import DIGIT, SPACE


@njit(cache=True, nogil=True)
def character_counts(codes, flags, doc_starts):
    """Digits, spaces, brackets, plain characters and characters of URLs of each document (5, D).

    Plain are ASCII letters and digits, newlines and ? ! , . ; a URL runs from http:// or https:// to the next space, quote or <.
    """
    counts = np.zeros((5, len(doc_starts) - 1), dtype=np.int64)
    for doc in range(len(doc_starts) - 1):
        digits, spaces, brackets, plain, address, until = 0, 0, 0, 0, 0, 0
        stop = doc_starts[doc + 1] - 1
        for index in range(doc_starts[doc], stop):
            code = codes[index]
            digits += flags[index] & DIGIT > 0
            spaces += flags[index] & SPACE > 0
            brackets += code == 40 or code == 41 or code == 91 or code == 93 or code == 123 or code == 125 or code == 0x27E8 or code == 0x27E9
            mark = code == 10 or code == 63 or code == 33 or code == 44 or code == 46
            plain += mark or 48 <= code < 58 or 65 <= code < 91 or 97 <= code < 123
            if code == 104 and index >= until and index + 8 < stop and codes[index + 1] == 116 and codes[index + 2] == 116 and codes[index + 3] == 112:
                colon = index + 5 if codes[index + 4] == 115 else index + 4
                if codes[colon] == 58 and codes[colon + 1] == 47 and codes[colon + 2] == 47:
                    until = colon + 3
                    while until < stop and not flags[until] & SPACE and codes[until] != 34 and codes[until] != 60:
                        until += 1
                    address += until - index
        counts[0, doc], counts[1, doc], counts[2, doc], counts[3, doc], counts[4, doc] = digits, spaces, brackets, plain, address
    return counts
