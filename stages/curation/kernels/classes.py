"""Class bits of a character, as `characters` gives them and the compiled loops read them."""

WORD, SPACE, ALPHA, ALONE, JOINER, UPPER, DIGIT, KNOWN = 1, 2, 4, 8, 16, 32, 64, 128
