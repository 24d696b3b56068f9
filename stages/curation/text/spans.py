"""Cuts spans of characters out of texts. Cost: linear in the characters of the texts that lose a span."""

import itertools

import numpy as np


def without_spans(
    texts: list[str], docs: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> list[str]:
    """The texts without characters [start, stop) of text `doc`; spans rise and do not overlap. Outer newlines go too.

    >>> without_spans(["one\\ntwo\\nthree"], np.array([0]), np.array([4]), np.array([8]))
    ['one\\nthree']
    """
    out = list(texts)
    bounds = np.flatnonzero(np.diff(docs, prepend=-1, append=len(texts)))
    for first, last in itertools.pairwise(bounds):
        doc = int(docs[first])
        froms = [0, *stops[first:last].tolist()]
        tos = [*starts[first:last].tolist(), len(texts[doc])]
        out[doc] = "".join(
            texts[doc][start:stop] for start, stop in zip(froms, tos, strict=True)
        ).strip("\n")
    return out
