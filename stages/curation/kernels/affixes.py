"""The compiled tokeniser behind the words "datatrove": words as spaCy's English rules cut them.

Input: code points and class bits of a block's characters. Output: where words begin and end. The
order is spaCy's: split at spaces, strip marks from both ends, then split inside at hyphens,
contractions and a few more places. Its list of abbreviations is not followed (Mr. is two words
here, one there). Cost: 130 MB a CPU-second (measured).
"""

import numpy as np

from stages.curation.kernels.classes import ALPHA, SPACE, WORD
from stages.curation.kernels.loops import Loop
from stages.curation.kernels.types import INT64, INT64S, UINT8S, UINT32S, Part

PREFIX, SUFFIX, TIE, HYPHEN = 1, 2, 4, 8


def _affix_classes() -> np.ndarray:
    """What the ASCII marks may be (128,): stripped in front, stripped behind, split between two letters."""
    classes = np.zeros(128, dtype=np.uint8)
    for char in ",:;!?()[]{}<>_#*&'\"`%":
        classes[ord(char)] |= PREFIX | SUFFIX
    for char in "$=":
        classes[ord(char)] |= PREFIX
    for char in ",:<>=/":
        classes[ord(char)] |= TIE
    for char in "-~":
        classes[ord(char)] |= HYPHEN
    return classes


AFFIX = _affix_classes()


@Loop
def affix_words(
    codes: UINT32S, flags: UINT8S, size: INT64, starts: INT64S, ends: INT64S
):
    """Fills `starts` and `ends` with words as spaCy's English tokeniser cuts them; returns how many."""
    found, index = 0, 0
    while index < size:
        if flags[index] & SPACE:
            index += 1
            continue
        start, plain = index, True
        while index < size and not flags[index] & SPACE:
            plain &= flags[index] & WORD > 0 and codes[index] != 95
            index += 1
        first = start
        if plain:
            starts[found], ends[found] = start, index
            found += 1
            continue
        while first < index:
            step = _prefix(codes, flags, first, index)
            if step == 0:
                break
            starts[found], ends[found] = first, first + step
            found, first = found + 1, first + step
        last = index
        while last > first:
            step = _suffix(codes, flags, first, last)
            if step == 0:
                break
            last -= step
        found = _core(codes, flags, first, last, starts, ends, found)
        while last < index:
            step = _mark(codes, last, index)
            starts[found], ends[found] = last, last + step
            found, last = found + 1, last + step
    return found


@Part
def _dots(codes, start, stop):
    count = 0
    while start + count < stop and codes[start + count] == 46:
        count += 1
    return count


@Part
def _symbol(code, flag):
    """A mark outside ASCII that is stripped from both ends; dashes are, mathematical signs are not."""
    return (
        code > 127
        and not flag & WORD
        and not 0x2190 <= code < 0x2300
        and code != 0xD7
        and code != 0xB1
    )


@Part
def _prefix(codes, flags, start, stop):
    code = codes[start]
    if code == 46:
        dots = _dots(codes, start, stop)
        return dots if dots > 1 else 0
    if code < 128:
        if code == 43:
            return (
                1
                if start + 1 < stop
                and (flags[start + 1] & WORD == 0 or flags[start + 1] & ALPHA)
                else 0
            )
        if code == 39 and stop - start == 2 and (codes[stop - 1] | 32) == 115:
            return 0
        return 1 if AFFIX[code] & PREFIX else 0
    return 1 if _symbol(code, flags[start]) else 0


@Part
def _suffix(codes, flags, start, stop):
    code = codes[stop - 1]
    if code == 46:
        dots = 1
        while stop - dots > start and codes[stop - dots - 1] == 46:
            dots += 1
        if dots > 1:
            return dots
        if stop - start < 2:
            return 0
        before, flag = codes[stop - 2], flags[stop - 2]
        if 65 <= before < 91:
            return 1 if stop - start > 2 and 65 <= codes[stop - 3] < 91 else 0
        if stop - start == 4 and codes[start + 1] == 46 and flag & ALPHA:
            return 0  # e.g. and i.e.
        if flag & WORD:
            return 1
        return (
            1
            if before > 127 or before == 43 or before == 45 or AFFIX[before] & SUFFIX
            else 0
        )
    if (
        stop - start > 2
        and (code | 32) == 115
        and (codes[stop - 2] == 39 or codes[stop - 2] == 0x2019)
    ):
        return 2
    if code < 128:
        if code == 43:
            return (
                1
                if stop - start > 1
                and flags[stop - 2] & WORD
                and not flags[stop - 2] & ALPHA
                else 0
            )
        return 1 if AFFIX[code] & SUFFIX else 0
    return 1 if _symbol(code, flags[stop - 1]) else 0


@Part
def _mark(codes, start, stop):
    """Length of the stripped mark that stands at `start`."""
    if codes[start] == 46:
        return _dots(codes, start, stop)
    apostrophe = codes[start] == 39 or codes[start] == 0x2019
    return (
        2 if apostrophe and start + 1 < stop and (codes[start + 1] | 32) == 115 else 1
    )


@Part
def _core(codes, flags, start, stop, starts, ends, found):
    """Cuts what is left between the stripped marks."""
    if start == stop:
        return found
    address, tail = False, stop
    for index in range(start, stop - 2):
        address |= (
            codes[index] == 58 and codes[index + 1] == 47 and codes[index + 2] == 47
        )
    for back in range(2, min(4, stop - start)):
        if (
            (codes[stop - back] == 39 or codes[stop - back] == 0x2019)
            and flags[stop - back - 1] & ALPHA
            and flags[stop - 1] & ALPHA
        ):
            tail = stop - back  # 't, 're, 'll: as many words as spaCy's n't, 're, 'll
    begin, index = start, start + 1
    while index < tail and not address:
        step, before = 0, flags[index - 1]
        code = codes[index]
        if code == 46:
            dots = _dots(codes, index, tail)
            if dots > 1:
                step = dots
            elif (
                index + 1 < tail
                and (before & ALPHA)
                and not 65 <= codes[index - 1] < 91
                and 65 <= codes[index + 1] < 91
            ):
                step = 1
        elif code == 0x2026:
            step = 1
        elif not flags[index] & WORD:
            after = flags[index + 1] if index + 1 < tail else 0
            if (code < 128 and AFFIX[code] & HYPHEN) or 0x2012 < code < 0x2016:
                run = 1
                while index + run < tail and codes[index + run] == code:
                    run += 1
                after = flags[index + run] if index + run < tail else 0
                if before & WORD and after & ALPHA:
                    step = run
            elif code < 128 and AFFIX[code] & TIE and after & ALPHA:
                step = 1 if before & ALPHA or (code != 44 and before & WORD) else 0
            digits = (
                before & WORD
                and not before & ALPHA
                and after & WORD
                and not after & ALPHA
            )
            if digits and (code == 43 or code == 45 or code == 42 or code == 94):
                step = 1
        if step == 0:
            index += 1
            continue
        starts[found], ends[found], starts[found + 1], ends[found + 1] = (
            begin,
            index,
            index,
            index + step,
        )
        found, begin = found + 2, index + step
        index = begin + 1
    if begin < tail:
        starts[found], ends[found] = begin, tail
        found += 1
    if tail < stop:
        starts[found], ends[found] = tail, stop
        found += 1
    return found
