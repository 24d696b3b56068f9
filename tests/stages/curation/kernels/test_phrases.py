import random
import re

import numpy as np
import pytest

from stages.curation.kernels.phrases import phrase_places

PHRASES = (b"use cookies", b"uses cookies", b"read more...", b"aab")


@pytest.mark.parametrize("seed", range(3))
def test_places_are_those_of_a_search_for_each_phrase(seed):
    rng = random.Random(seed)
    pieces = [
        "use ",
        "Uses ",
        "COOKIES",
        "cookies",
        "read more..",
        ".",
        "a",
        "aB",
        "b",
        "ü",
        "\u0175se",
        " ",
    ]
    text = "".join(rng.choices(pieces, k=600))
    found = phrase_places(
        np.array([ord(char) for char in text], dtype=np.uint32), PHRASES
    )
    lower = re.sub("[A-Z]", lambda match: match[0].lower(), text)
    for phrase in PHRASES:
        assert found[phrase].tolist() == [
            match.start()
            for match in re.finditer(f"(?={re.escape(phrase.decode())})", lower)
        ]
    assert sum(map(len, found.values())) > 5


def test_a_phrase_at_either_end_of_a_block_is_found_and_one_that_is_cut_off_is_not():
    found = phrase_places(np.frombuffer(b"AAB and read more.", dtype=np.uint8), PHRASES)
    assert found[b"aab"].tolist() == [0] and len(found[b"read more..."]) == 0
    assert phrase_places(np.frombuffer(b"an aab", dtype=np.uint8), PHRASES)[
        b"aab"
    ].tolist() == [3]
    assert len(phrase_places(np.zeros(0, dtype=np.uint8), PHRASES)[b"aab"]) == 0
