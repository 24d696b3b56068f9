"""MASS-like selection: documents that touch the skills a reference set is made of (2503.14917),
without a language model.

Question: which documents teach what the reference teaches, and what goes with it? Input: a 0/1
matrix of reference documents and skills, and the likeness of every pool document to every skill.
Output: a score. The skill graph A has each skill's share of reference documents on its diagonal and
the share of documents that hold both skills off it; a document scores
    sum_s (b_x A)[s],   b_x[s] its cosine to skill s, cut below a threshold.   High = keep.
The paper lets a language model name the skills; offline they are keyphrases of the reference
(`keyphrases`), phrases that the user names (`named_phrases`) or labels (`label_likeness`). The
published text gives the idea, the exact normalisation is ours.
Cost: two sparse products. Fails where one common phrase ("all rights reserved") goes with
everything: the hub then outweighs every real skill, and boilerplate wins (a test); name the phrases
to leave out in `stop`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from stages.curation.vectors.products import unit_rows
from stages.foundation.errors import InputError

THRESHOLD = 0.05  # assumed: weaker likeness is noise
WORD = r"(?u)\b[^\W\d_]\w+\b"  # a letter and more


def skill_graph(holds: np.ndarray | csr_matrix) -> np.ndarray:
    """A (skills, skills) of reference documents x skills: shares of documents, of each skill and of
    each pair; sum 1.
    """
    holds = csr_matrix(holds, dtype=np.float64)
    holds.data[:] = 1.0
    together = (holds.T @ holds).toarray()
    if not together.any():
        raise InputError(
            "no reference document holds a skill; give more reference text or other"
            " skills"
        )
    return together / together.sum()


def skill_scores(
    likeness: np.ndarray | csr_matrix,
    graph: np.ndarray,
    *,
    threshold: float = THRESHOLD,
) -> np.ndarray:
    """Score of each document (n,): its likeness to the skills (n, skills), spread over the graph and summed.

    >>> holds = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]])  # reference documents x skills
    >>> likeness = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 0]])  # pool documents x skills
    >>> skill_scores(likeness, skill_graph(holds)).round(2).tolist()
    [0.44, 0.11, 0.0]
    """
    if likeness.shape[1] != len(graph):
        raise InputError(
            f"likeness has {likeness.shape[1]} skills, the graph {len(graph)}; make"
            " both from one list"
        )
    strong = csr_matrix(likeness, dtype=np.float64)  # a copy
    strong.data[strong.data < threshold] = 0.0
    return strong @ graph.sum(axis=1)


def embedding_likeness(documents: np.ndarray, skills: np.ndarray) -> np.ndarray:
    """Cosines (n, skills) of document embeddings (n, d) to skill embeddings (skills, d)."""
    return unit_rows(documents) @ unit_rows(skills).T


def keyphrases(
    reference: Sequence[str], count: int = 200, *, stop: Sequence[str] = ()
) -> list[str]:
    """Words and word pairs of the reference with the most tf-idf weight: the offline stand-in for
    skills.

    A phrase must be in two documents or more and in less than half of them; English function words
    and `stop` are left out.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(
        ngram_range=(1, 2),
        stop_words="english",
        min_df=2,
        max_df=0.5,
        sublinear_tf=True,
        token_pattern=WORD,
    )
    try:
        weights = np.asarray(words.fit_transform(reference).sum(axis=0)).ravel()
    except ValueError:
        raise InputError(
            f"{len(reference)} reference documents share no phrase, so they name no"
            " skills; give more of them"
        ) from None
    names = words.get_feature_names_out()
    ranked = (names[i] for i in np.lexsort((names, -weights)))
    return [name for name in ranked if name not in set(stop)][:count]


def named_phrases(names: Sequence[str], reference: Sequence[str]) -> list[str]:
    """The phrases that a user names as skills, as they are looked for: in lower case, without function words.

    Raises InputError where one has no word that is looked for, or no reference text holds it.

    >>> named_phrases(["The Oven", "linear algebra"], ["an oven", "on linear algebra"])
    ['oven', 'linear algebra']
    """
    taken = _words().build_analyzer()
    phrases = [" ".join(taken(name)) for name in names]
    for name, phrase in zip(names, phrases, strict=True):
        if not phrase:
            raise InputError(
                f"the skill {name!r} has no word of two letters or more that is no"
                " function word; name another"
            )
    for name, phrase in zip(names, phrases, strict=True):
        if phrases.count(phrase) > 1:
            raise InputError(
                f"the skill {name!r} is looked for as {phrase!r}, and so is another;"
                " name it once"
            )
    held = np.asarray((phrase_likeness(reference, phrases) > 0).sum(axis=0)).ravel()
    for name, count in zip(names, held, strict=True):
        if not count:
            raise InputError(
                f"the skill {name!r} is in no reference document; name another, or give"
                " more reference text"
            )
    return phrases


def _words(**options: Any) -> Any:
    """What counts English words in texts but for function words."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(stop_words="english", token_pattern=WORD, **options)


def label_likeness(labels: Sequence[Sequence[str]], names: Sequence[str]) -> csr_matrix:
    """1 for each skill (n, skills) that labels name a document with.

    >>> label_likeness([["sums"], [], ["sums", "cakes"]], ["cakes", "sums"]).toarray()
    array([[0., 1.],
           [0., 0.],
           [1., 1.]])
    """
    place = {name: at for at, name in enumerate(names)}
    found = [[place[each] for each in {*own} if each in place] for own in labels]
    rows = np.repeat(np.arange(len(labels)), [len(own) for own in found])
    columns = np.array([at for own in found for at in own], int)
    ones = np.ones(rows.size)
    return csr_matrix((ones, (rows, columns)), shape=(len(labels), len(names)))


def phrase_likeness(texts: Sequence[str], phrases: Sequence[str]) -> csr_matrix:
    """Weight (n, skills) of each phrase in each text: (1 + log(count)) / sqrt(words of the text),
    near its cosine to the whole text.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    longest = max(2, *(len(phrase.split()) for phrase in phrases), 2)
    counted = TfidfVectorizer(
        vocabulary=list(dict.fromkeys(phrases)),
        ngram_range=(1, longest),
        stop_words="english",
        sublinear_tf=True,
        use_idf=False,
        norm=None,
        token_pattern=WORD,
    )
    rows = counted.fit_transform(texts).tocsr()
    n_words = np.array([max(1, len(text.split())) for text in texts])
    rows.data /= np.sqrt(np.repeat(n_words, np.diff(rows.indptr)))
    return rows
