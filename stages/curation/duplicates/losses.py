"""What a person should look at before copies go: a pool that loses much, one large cluster, one text in many documents.

Question: is what the search for copies does to a pool what its owner expects? Input: counts, and a
few texts. Output: coded warnings of one line. A text that many documents share while they differ in
the rest, such as a licence or a template, is named by its longest run of equal words. Cost: .1 s a
text that is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from stages.curation.duplicates.settings import Limits

LEAST_DOCUMENTS = 10  # fewer are no pattern (assumed)
LEAST_RUN = 12  # words in a row that two documents share by chance seldom (assumed)
COMPARED_WORDS = 3_000
SHOWN_CHARS = 100
WITNESSES = 4  # documents of a group whose texts are read
MOST_NAMED = 3


@dataclass(frozen=True)
class CopyWarning:
    """`code` is pool_lost, large_cluster or shared_text."""

    code: str
    message: str


@dataclass(frozen=True)
class Group:
    """Documents that are copies of one, or hold one text; `texts` are of some of them."""

    documents: int
    texts: Sequence[str]
    kept_id: str = ""


def copy_warnings(
    pool: str,
    documents: int,
    lost: int,
    *,
    clusters: Sequence[Group],
    shared: Sequence[Group],
    limits: Limits,
) -> list[CopyWarning]:
    """In one pool of so many documents; `clusters` and `shared` with the largest first.

    >>> limits = Limits(lost=0.5, cluster=0.05, shared=0.05)
    >>> found = copy_warnings("web", 100, 60, clusters=[], shared=[], limits=limits)
    >>> found[0].message
    'web: 60 of 100 documents (60 %) go as copies; look at the pairs before you train'
    """
    found = []
    if lost >= max(LEAST_DOCUMENTS, limits.lost * documents):
        what = f"{lost:,} of {documents:,} documents ({_percent(lost, documents)})"
        found.append(
            CopyWarning(
                "pool_lost",
                f"{pool}: {what} go as copies; look at the pairs before you train",
            )
        )
    for group in clusters[:MOST_NAMED]:
        if group.documents >= max(LEAST_DOCUMENTS, limits.cluster * documents):
            what = f"{group.documents:,} ({_percent(group.documents, documents)})"
            found.append(
                CopyWarning(
                    "large_cluster",
                    f"{pool}: {what} go as copies of {group.kept_id}"
                    f"{_quoted(group.texts[0]) if group.texts else ''}",
                )
            )
    large = [
        group
        for group in shared
        if group.documents >= max(LEAST_DOCUMENTS, limits.shared * (documents - lost))
    ]
    return found + _shared_warnings(pool, documents - lost, large)


def _shared_warnings(
    pool: str, documents: int, groups: Sequence[Group]
) -> list[CopyWarning]:
    found: dict[str, CopyWarning] = {}
    for group in groups:
        named = common_run(group.texts)
        if named is None or any(_overlap(named[0], known) for known in found):
            continue
        what = f"{group.documents:,} ({_percent(group.documents, documents)})"
        found[named[0]] = CopyWarning(
            "shared_text",
            f"{pool}: at least {what} hold one text, {named[1]:.0%} of each, and differ"
            f" in the rest{_quoted(named[0])}",
        )
    return list(found.values())[:MOST_NAMED]


def common_run(texts: Sequence[str]) -> tuple[str, float] | None:
    """The longest run of words that all of these texts hold, and its median share of them; None
    where it is shorter than LEAST_RUN words. In a text without spaces a character is a word.

    >>> both = "one two three four " * 4
    >>> round(common_run([f"{both} a b", f"x {both} c d"])[1], 3)
    0.865
    """
    if len(texts) < 2:
        return None
    unspaced = any(_is_unspaced(text) for text in texts)
    split = [
        (list(text) if unspaced else text.split())[:COMPARED_WORDS] for text in texts
    ]
    run = split[0]
    for other in split[1:]:
        match = SequenceMatcher(None, run, other, autojunk=False).find_longest_match()
        run = run[match.a : match.a + match.size]
    if len(run) < LEAST_RUN * (3 if unspaced else 1):
        return None
    share = float(np.median([len(run) / len(words) for words in split]))
    return ("" if unspaced else " ").join(run), share


def _is_unspaced(text: str) -> bool:
    return len(text) > 40 * max(1, len(text.split()))


def _overlap(one: str, other: str) -> bool:
    """Whether two runs are of the same text: the middle of one lies in the other."""
    shorter, longer = sorted((one, other), key=len)
    third = len(shorter) // 3
    return shorter[third : 2 * third] in longer


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.0f} %"


def _quoted(text: str) -> str:
    text = " ".join(text[: 4 * SHOWN_CHARS].split())
    return f": {text[:SHOWN_CHARS]!r}{'...' if len(text) > SHOWN_CHARS else ''}"
