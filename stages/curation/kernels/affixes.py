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
# code points; numba takes them as constants
DOT, COMMA, COLON, SLASH = ord("."), ord(","), ord(":"), ord("/")
PLUS, MINUS, STAR, CARET = ord("+"), ord("-"), ord("*"), ord("^")
UNDERSCORE = ord("_")
APOSTROPHE, CURLY_APOSTROPHE = ord("'"), ord("\u2019")
ELLIPSIS = ord("\u2026")
FIRST_DASH, LAST_DASH = ord("\u2013"), ord("\u2015")  # en dash to horizontal bar
UPPER_A, UPPER_Z, LOWER_S = ord("A"), ord("Z"), ord("s")
CASE_BIT = 32  # an ASCII letter with it is lower case
N_ASCII = 128
# arrows and mathematical operators, and the signs of Latin-1
FIRST_SIGN, LAST_SIGN = ord("\u2190"), ord("\u22ff")
TIMES, PLUS_MINUS = ord("\u00d7"), ord("\u00b1")
LONGEST_CONTRACTION = 3  # characters of 'll, with the apostrophe


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
    found = 0
    index = 0
    while index < size:
        if flags[index] & SPACE:
            index += 1
            continue
        first = index
        plain = True
        while index < size and not flags[index] & SPACE:
            plain &= flags[index] & WORD > 0 and codes[index] != UNDERSCORE
            index += 1
        if plain:
            starts[found] = first
            ends[found] = index
            found += 1
            continue
        while first < index:
            step = _prefix(codes, flags, first, index)
            if step == 0:
                break
            starts[found] = first
            ends[found] = first + step
            found += 1
            first += step
        last = index
        while last > first:
            step = _suffix(codes, flags, first, last)
            if step == 0:
                break
            last -= step
        found = _core(codes, flags, first, last, starts, ends, found)
        while last < index:
            step = _mark(codes, last, index)
            starts[found] = last
            ends[found] = last + step
            found += 1
            last += step
    return found


@Part
def _is_upper(code):
    return UPPER_A <= code <= UPPER_Z


@Part
def _is_s(code):
    return (code | CASE_BIT) == LOWER_S


@Part
def _is_apostrophe(code):
    return code == APOSTROPHE or code == CURLY_APOSTROPHE


@Part
def _is_digit(flag):
    return flag & WORD > 0 and flag & ALPHA == 0


@Part
def _is_operator(code):
    return code == PLUS or code == MINUS or code == STAR or code == CARET


@Part
def _symbol(code, flag):
    """A mark outside ASCII that is stripped from both ends; dashes are, mathematical signs are not."""
    return (
        code >= N_ASCII
        and not flag & WORD
        and not FIRST_SIGN <= code <= LAST_SIGN
        and code != TIMES
        and code != PLUS_MINUS
    )


@Part
def _run(codes, start, stop):
    """How often the character at `start` stands there in a row."""
    count = 1
    while start + count < stop and codes[start + count] == codes[start]:
        count += 1
    return count


@Part
def _run_back(codes, start, stop):
    """How often the last character before `stop` stands there in a row."""
    count = 1
    while stop - count > start and codes[stop - count - 1] == codes[stop - 1]:
        count += 1
    return count


@Part
def _prefix(codes, flags, start, stop):
    """Length of the mark to strip from the front, 0 for none."""
    code = codes[start]
    if code >= N_ASCII:
        return 1 if _symbol(code, flags[start]) else 0
    if code == DOT:
        dots = _run(codes, start, stop)
        return dots if dots > 1 else 0
    if code == PLUS:
        if start + 1 == stop:
            return 0
        after = flags[start + 1]
        return 1 if after & WORD == 0 or after & ALPHA else 0
    if code == APOSTROPHE and stop - start == 2 and _is_s(codes[stop - 1]):
        return 0
    return 1 if AFFIX[code] & PREFIX else 0


@Part
def _suffix(codes, flags, start, stop):
    """Length of the mark to strip from the end, 0 for none."""
    code = codes[stop - 1]
    if code == DOT:
        return _dot_suffix(codes, flags, start, stop)
    if stop - start > 2 and _is_s(code) and _is_apostrophe(codes[stop - 2]):
        return 2
    if code >= N_ASCII:
        return 1 if _symbol(code, flags[stop - 1]) else 0
    if code == PLUS:
        return 1 if stop - start > 1 and _is_digit(flags[stop - 2]) else 0
    return 1 if AFFIX[code] & SUFFIX else 0


@Part
def _dot_suffix(codes, flags, start, stop):
    """Length of the dots to strip from the end, 0 where they belong to the word: A. and e.g."""
    dots = _run_back(codes, start, stop)
    if dots > 1:
        return dots
    size = stop - start
    if size < 2:
        return 0
    before = codes[stop - 2]
    flag = flags[stop - 2]
    if _is_upper(before):
        return 1 if size > 2 and _is_upper(codes[stop - 3]) else 0
    if size == 4 and codes[start + 1] == DOT and flag & ALPHA:
        return 0  # e.g. and i.e.
    if flag & WORD or before >= N_ASCII or before == PLUS or before == MINUS:
        return 1
    return 1 if AFFIX[before] & SUFFIX else 0


@Part
def _mark(codes, start, stop):
    """Length of the stripped mark that stands at `start`."""
    if codes[start] == DOT:
        return _run(codes, start, stop)
    possessive = (
        _is_apostrophe(codes[start]) and start + 1 < stop and _is_s(codes[start + 1])
    )
    return 2 if possessive else 1


@Part
def _core(codes, flags, start, stop, starts, ends, found):
    """Cuts what is left between the stripped marks."""
    if start == stop:
        return found
    tail = _contraction(codes, flags, start, stop)
    whole = _is_address(codes, start, stop)
    begin = start
    index = start + 1
    while index < tail and not whole:
        step = _split(codes, flags, index, tail)
        if step == 0:
            index += 1
            continue
        starts[found] = begin
        ends[found] = index
        starts[found + 1] = index
        ends[found + 1] = index + step
        found += 2
        begin = index + step
        index = begin + 1
    if begin < tail:
        starts[found] = begin
        ends[found] = tail
        found += 1
    if tail < stop:
        starts[found] = tail
        ends[found] = stop
        found += 1
    return found


@Part
def _is_address(codes, start, stop):
    """Whether :// stands in it."""
    found = False
    for index in range(start, stop - 2):
        found |= (
            codes[index] == COLON
            and codes[index + 1] == SLASH
            and codes[index + 2] == SLASH
        )
    return found


@Part
def _contraction(codes, flags, start, stop):
    """Where 't, 're or 'll begins at the end: as many words as spaCy's n't, 're, 'll; `stop` without one."""
    tail = stop
    for back in range(2, min(LONGEST_CONTRACTION + 1, stop - start)):
        if (
            _is_apostrophe(codes[stop - back])
            and flags[stop - back - 1] & ALPHA
            and flags[stop - 1] & ALPHA
        ):
            tail = stop - back
    return tail


@Part
def _split(codes, flags, index, stop):
    """Length of the mark at `index` that cuts a word in two, 0 for none."""
    code = codes[index]
    if code == DOT:
        return _dot_split(codes, flags, index, stop)
    if code == ELLIPSIS:
        return 1
    return 0 if flags[index] & WORD else _mark_split(codes, flags, index, stop)


@Part
def _dot_split(codes, flags, index, stop):
    """Two dots and more cut, one does between a small letter and a capital: the end.Then"""
    dots = _run(codes, index, stop)
    if dots > 1:
        return dots
    cuts = (
        index + 1 < stop
        and flags[index - 1] & ALPHA
        and not _is_upper(codes[index - 1])
        and _is_upper(codes[index + 1])
    )
    return 1 if cuts else 0


@Part
def _mark_split(codes, flags, index, stop):
    """Hyphens cut before a letter, ties between letters, operators between digits."""
    code = codes[index]
    before = flags[index - 1]
    after = flags[index + 1] if index + 1 < stop else 0
    step = 0
    if (code < N_ASCII and AFFIX[code] & HYPHEN) or FIRST_DASH <= code <= LAST_DASH:
        run = _run(codes, index, stop)
        after = flags[index + run] if index + run < stop else 0
        if before & WORD and after & ALPHA:
            step = run
    elif code < N_ASCII and AFFIX[code] & TIE and after & ALPHA:
        if before & ALPHA or (code != COMMA and before & WORD):
            step = 1
    if _is_operator(code) and _is_digit(before) and _is_digit(after):
        step = 1
    return step
