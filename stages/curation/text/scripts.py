"""Which script a document is written in, and whether that script sets words off by spaces.

Input: texts. Output: an ISO 15924 code a text (Jpan where kana stand among ideographs, Zyyy where no script is known).
A text is foreign where its other scripts take more bytes than its Latin letters, so a page of Japanese about a program
is Japanese. Cost: under 1 % of the rules where all is Latin (measured).
"""

import numpy as np
import polars as pl

from stages.curation.text.characters import UNSPACED, Block, block_of

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


def _script_numbers() -> np.ndarray:
    numbers = np.zeros(0x110000, dtype=np.uint8)
    for span in UNSPACED:
        numbers[span.start : span.stop] = NAMES.index("Unsp")
    for name, start, stop in BLOCKS:
        numbers[start:stop] = NAMES.index(name)
    return numbers


SCRIPT_NUMBERS = _script_numbers()
CASE_BIT = 32  # an ASCII letter with it is lower case
FIRST_ACCENTED, LAST_ACCENTED = 0xC0, 0x250
FIRST_OF_THREE = 0x800  # code point that takes three bytes of UTF-8
FIRST_OTHER = BLOCKS[0][1]  # code points below are Latin, or no letters


def main_scripts(texts: pl.Series) -> list[str]:
    """The script of each text.

    >>> main_scripts(pl.Series(["Plain.", "Просто.", "日本語のテキスト", "中文文本"]))
    ['Latn', 'Cyrl', 'Jpan', 'Hani']
    """
    return block_scripts(block_of(texts))


def block_scripts(block: Block) -> list[str]:
    """The script of each document of a block."""
    found = [LATIN_SCRIPT] * block.n_docs
    if block.codes.dtype == np.uint8:
        return found
    places = np.flatnonzero(block.codes >= FIRST_OTHER)
    numbers = SCRIPT_NUMBERS[block.codes[places]]
    places, numbers = places[numbers > 0], numbers[numbers > 0]
    bounds = np.searchsorted(places, block.doc_starts)
    for doc in np.flatnonzero(np.diff(bounds)).tolist():
        codes = block.codes[block.doc_starts[doc] : block.doc_starts[doc + 1]]
        inside = slice(bounds[doc], bounds[doc + 1])
        bytes_ = np.where(block.codes[places[inside]] < FIRST_OF_THREE, 2, 3).sum()
        if bytes_ > _latin_letters(codes):
            counts = np.bincount(numbers[inside], minlength=len(NAMES)).tolist()
            found[doc] = _script(dict(zip(NAMES, counts, strict=True)))
    return found


def writing(script: str) -> int:
    """LATIN, SPACED or UNSPACED_WRITING."""
    if script == LATIN_SCRIPT:
        return LATIN
    return UNSPACED_WRITING if script in UNSPACED_SCRIPTS else SPACED


def _latin_letters(codes: np.ndarray) -> int:
    lower = codes | np.uint32(CASE_BIT)
    plain = (lower >= ord("a")) & (lower <= ord("z"))
    return int(
        plain.sum() + ((codes >= FIRST_ACCENTED) & (codes < LAST_ACCENTED)).sum()
    )


def _script(counts: dict[str, int]) -> str:
    kana, han = counts["Kana"], counts["Hani"]
    counts = counts | {"Kana": 0, "Hani": kana + han}
    name = max(counts, key=lambda script: counts[script])
    if name == "Hani" and kana > KANA_SHARE * (kana + han):
        return "Jpan"
    return name
