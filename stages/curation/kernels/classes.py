"""Class bits of a character, as `characters` gives them and the compiled loops read them."""

from stages.curation.kernels.types import Part

WORD, SPACE, ALPHA, ALONE, JOINER, UPPER, DIGIT, KNOWN = 1, 2, 4, 8, 16, 32, 64, 128

# tsheg and its hard form set Tibetan syllables apart, wordspace Ethiopic words, and a space of no width Khmer words
TSHEG, HARD_TSHEG, WORDSPACE, NO_WIDTH = 0x0F0B, 0x0F0C, 0x1361, 0x200B


@Part
def is_word_break(code):
    """Whether the character sets words apart although it is no space."""
    return code == TSHEG or code == HARD_TSHEG or code == WORDSPACE or code == NO_WIDTH
