"""Which script a document is written in, and whether that script sets words off by spaces.

Input: texts. Output: an ISO 15924 code a text (Jpan where kana stand among ideographs, Zyyy where no script is known).
A text is foreign where its other scripts take more bytes than its Latin letters, so a page of Japanese about a program
is Japanese. Cost: 1 GB a CPU-second where all is Latin, 100 MB where it is not (measured).
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from stages.curation.text.characters import UNSPACED, block_of, utf8

LATIN, SPACED, UNSPACED_WRITING = 0, 1, 2  # how a block is written
LATIN_SCRIPT, OTHER_SCRIPT = "Latn", "Zyyy"
KANA_SHARE = 0.05  # of kana and ideographs, from which a text is Japanese (assumed)
# first and one past the last code point
BLOCKS: tuple[tuple[str, int, int], ...] = (
    ("Grek", 0x0370, 0x0400),
    ("Cyrl", 0x0400, 0x0530),
    ("Armn", 0x0530, 0x0590),
    ("Hebr", 0x0590, 0x0600),
    ("Arab", 0x0600, 0x0700),
    ("Syrc", 0x0700, 0x0750),
    ("Arab", 0x0750, 0x0780),
    ("Thaa", 0x0780, 0x07C0),
    ("Nkoo", 0x07C0, 0x0800),
    ("Arab", 0x0870, 0x0900),
    ("Deva", 0x0900, 0x0964),
    ("Deva", 0x0966, 0x0980),
    ("Beng", 0x0980, 0x0A00),
    ("Guru", 0x0A00, 0x0A80),
    ("Gujr", 0x0A80, 0x0B00),
    ("Orya", 0x0B00, 0x0B80),
    ("Taml", 0x0B80, 0x0C00),
    ("Telu", 0x0C00, 0x0C80),
    ("Knda", 0x0C80, 0x0D00),
    ("Mlym", 0x0D00, 0x0D80),
    ("Sinh", 0x0D80, 0x0E00),
    ("Thai", 0x0E00, 0x0E80),
    ("Laoo", 0x0E80, 0x0F00),
    ("Tibt", 0x0F00, 0x1000),
    ("Mymr", 0x1000, 0x10A0),
    ("Geor", 0x10A0, 0x1100),
    ("Hang", 0x1100, 0x1200),
    ("Ethi", 0x1200, 0x13A0),
    ("Cher", 0x13A0, 0x1400),
    ("Cans", 0x1400, 0x1680),
    ("Khmr", 0x1780, 0x1800),
    ("Mong", 0x1800, 0x18B0),
    ("Geor", 0x1C90, 0x1CC0),
    ("Grek", 0x1F00, 0x2000),
    ("Ethi", 0x2D80, 0x2DE0),
    ("Tfng", 0x2D30, 0x2D80),
    ("Hani", 0x3400, 0xA000),
    ("Hang", 0xA960, 0xA980),
    ("Mymr", 0xA9E0, 0xAA00),
    ("Mymr", 0xAA60, 0xAA80),
    ("Hang", 0xAC00, 0xD7B0),
    ("Hani", 0xF900, 0xFB00),
    ("Hebr", 0xFB1D, 0xFB50),
    ("Arab", 0xFB50, 0xFE00),
    ("Arab", 0xFE70, 0xFF00),
    ("Hani", 0x20000, 0x32400),
    # later ones win
    ("Kana", 0x3040, 0x3100),
    ("Hang", 0x3130, 0x3190),
    ("Kana", 0x31F0, 0x3200),
    ("Kana", 0xFF66, 0xFFA0),
)
NAMES = (OTHER_SCRIPT, *dict.fromkeys(name for name, _, _ in BLOCKS), "Unsp")
UNSPACED_SCRIPTS = ("Hani", "Jpan", "Thai", "Laoo", "Tibt", "Mymr", "Khmr", "Unsp")
NO_ENDS = ("Thai", "Laoo", "Tibt", "Unsp")  # scripts that end sentences by a space


def _byte_kinds() -> np.ndarray:
    """1 for a letter or the first byte of one in a Latin text, 2 for what other scripts begin with (256,)."""
    kinds = np.zeros(256, dtype=np.uint8)
    letters = [*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)]
    kinds[[*letters, *range(0xC3, 0xCA)]] = 1
    # CE and on, but for marks and signs (E2), private use and forms (EE, EF), emoji (F0)
    kinds[0xCD:0xEE] = 2
    kinds[0xE2] = 0
    return kinds


def _script_numbers() -> np.ndarray:
    numbers = np.zeros(0x110000, dtype=np.uint8)
    for span in UNSPACED:
        numbers[span.start : span.stop] = NAMES.index("Unsp")
    for name, start, stop in BLOCKS:
        numbers[start:stop] = NAMES.index(name)
    return numbers


BYTE_KINDS, SCRIPT_NUMBERS = _byte_kinds(), _script_numbers()
# of UTF-8, that a character of the scripts behind a first byte takes
FIRST_OF_THREE = 0xE0


def main_scripts(texts: pl.Series) -> list[str]:
    """The script of each text.

    >>> main_scripts(pl.Series(["Plain.", "Просто.", "日本語のテキスト", "中文文本"]))
    ['Latn', 'Cyrl', 'Jpan', 'Hani']
    """
    found = [LATIN_SCRIPT] * len(texts)
    foreign = np.flatnonzero(_foreign(texts))
    if len(foreign):
        for place, name in zip(
            foreign.tolist(), _scripts(texts.gather(foreign)), strict=True
        ):
            found[place] = name
    return found


def writing(script: str) -> int:
    """LATIN, SPACED or UNSPACED_WRITING."""
    if script == LATIN_SCRIPT:
        return LATIN
    return UNSPACED_WRITING if script in UNSPACED_SCRIPTS else SPACED


def _foreign(texts: pl.Series) -> np.ndarray:
    """Where the bytes of other scripts outweigh Latin letters (D,)."""
    data, bounds = utf8(texts)
    found = np.zeros(len(texts), dtype=np.bool_)
    if not len(data) or data[bounds[0] : bounds[-1]].max(initial=0) < 0xCD:
        return found
    for row in np.flatnonzero(texts.str.len_bytes() != texts.str.len_chars()).tolist():
        part = data[bounds[row] : bounds[row + 1]]
        counts = np.bincount(part, minlength=256)
        other = np.flatnonzero(BYTE_KINDS == 2)
        weight = counts[other] @ np.where(other < FIRST_OF_THREE, 2, 3)
        found[row] = weight > counts[BYTE_KINDS == 1].sum()
    return found


def _scripts(texts: pl.Series) -> Sequence[str]:
    block = block_of(texts)
    numbers = SCRIPT_NUMBERS[block.codes]
    docs = np.repeat(np.arange(block.n_docs), np.diff(block.doc_starts))
    size = len(NAMES)
    counts = np.bincount(docs * size + numbers, minlength=block.n_docs * size)
    counts = counts.reshape(-1, size)
    counts[:, 0] = 0
    return [_script(dict(zip(NAMES, row, strict=True))) for row in counts.tolist()]


def _script(counts: dict[str, int]) -> str:
    kana, han = counts["Kana"], counts["Hani"]
    counts = counts | {"Kana": 0, "Hani": kana + han}
    name = max(counts, key=lambda script: counts[script])
    if name == "Hani" and kana > KANA_SHARE * (kana + han):
        return "Jpan"
    return name
