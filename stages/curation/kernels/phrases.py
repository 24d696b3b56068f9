"""The compiled loop that finds a handful of phrases in a block, in either case, in one pass.

Question: where do these phrases stand? Input: code points of a block's characters. Output: for each phrase its places,
rising. A place is looked at where its first two characters begin some phrase.
Cost: 300 MB a CPU-second for eleven phrases, where bytes.find takes 1 GB/s for each (measured).
"""

from functools import cache

import numpy as np

from stages.curation.kernels.loops import Loop
from stages.curation.kernels.types import INT64, INT64S, UINT8S, UINT32S


def phrase_places(
    codes: np.ndarray, phrases: tuple[bytes, ...]
) -> dict[bytes, np.ndarray]:
    """The places of each phrase; phrases are ASCII, lower case, of two characters or more, and none
    begins with another.
    """
    codes = codes.astype(np.uint32, copy=False)
    letters, bounds, pairs = _tables(phrases)
    # memory is taken only where it is written
    places, which = np.empty((2, len(codes) + 1), dtype=np.int64)
    found = _phrase_places(
        codes, len(codes), letters, bounds, len(phrases), pairs, places, which
    )
    return {
        phrase: places[:found][which[:found] == number]
        for number, phrase in enumerate(phrases)
    }


@cache
def _tables(phrases: tuple[bytes, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(all characters, bounds of the phrases in them, pairs of characters that begin one)."""
    pairs = np.zeros(1 << 14, dtype=np.uint8)
    pairs[[phrase[0] << 7 | phrase[1] for phrase in phrases]] = 1
    return (
        np.frombuffer(b"".join(phrases), dtype=np.uint8).copy(),
        np.cumsum([0, *map(len, phrases)]),
        pairs,
    )


@Loop
def _phrase_places(
    codes: UINT32S,
    size: INT64,
    letters: UINT8S,
    bounds: INT64S,
    n_phrases: INT64,
    pairs: UINT8S,
    places: INT64S,
    which: INT64S,
):
    found, before = 0, 0
    for index in range(size):
        code = codes[index]
        if 65 <= code < 91:
            code += 32
        if code > 127:
            code = 127
        if pairs[before << 7 | code]:
            for phrase in range(n_phrases):
                length, place = bounds[phrase + 1] - bounds[phrase], 0
                if index - 1 + length > size:
                    continue
                while place < length:
                    letter = codes[index - 1 + place]
                    if 65 <= letter < 91:
                        letter += 32
                    if letter != letters[bounds[phrase] + place]:
                        break
                    place += 1
                if place == length:
                    places[found], which[found] = index - 1, phrase
                    found += 1
        before = code
    return found
