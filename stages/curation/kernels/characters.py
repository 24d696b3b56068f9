"""The compiled loop behind `character_ratios`."""

import numpy as np

from stages.curation.kernels.classes import DIGIT, SPACE
from stages.curation.kernels.loops import Loop
from stages.curation.kernels.types import INT64, INT64S, UINT8S, UINT32S


def character_counts(
    codes: np.ndarray, flags: np.ndarray, doc_starts: np.ndarray
) -> np.ndarray:
    """Digits, spaces, brackets, plain characters and characters of URLs of each document (5, D).

    Plain are ASCII letters and digits, newlines and ? ! , . ; a URL runs from http:// or https://
    to the next space, quote or <.
    """
    n_docs = len(doc_starts) - 1
    counts = np.zeros((5, n_docs), dtype=np.int64)
    _counts(codes, flags, doc_starts, n_docs, counts)
    return counts


@Loop
def _counts(
    codes: UINT32S, flags: UINT8S, doc_starts: INT64S, n_docs: INT64, counts: INT64S
):
    for doc in range(n_docs):
        digits, spaces, brackets, plain, address, until = 0, 0, 0, 0, 0, 0
        stop = doc_starts[doc + 1] - 1
        for index in range(doc_starts[doc], stop):
            code = codes[index]
            digits += flags[index] & DIGIT > 0
            spaces += flags[index] & SPACE > 0
            brackets += (
                code == 40
                or code == 41
                or code == 91
                or code == 93
                or code == 123
                or code == 125
                or code == 0x27E8
                or code == 0x27E9
            )
            mark = code == 10 or code == 63 or code == 33 or code == 44 or code == 46
            plain += mark or 48 <= code < 58 or 65 <= code < 91 or 97 <= code < 123
            if (
                code == 104
                and index >= until
                and index + 8 < stop
                and codes[index + 1] == 116
                and codes[index + 2] == 116
                and codes[index + 3] == 112
            ):
                colon = index + 5 if codes[index + 4] == 115 else index + 4
                if (
                    codes[colon] == 58
                    and codes[colon + 1] == 47
                    and codes[colon + 2] == 47
                ):
                    until = colon + 3
                    while (
                        until < stop
                        and not flags[until] & SPACE
                        and codes[until] != 34
                        and codes[until] != 60
                    ):
                        until += 1
                    address += until - index
        counts[doc], counts[doc + n_docs], counts[doc + 2 * n_docs] = (
            digits,
            spaces,
            brackets,
        )
        counts[doc + 3 * n_docs], counts[doc + 4 * n_docs] = plain, address
