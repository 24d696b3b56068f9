"""MASS-like selection: documents that touch the skills a reference set is made of (2503.14917),
without a language model.

Question: which documents teach what the reference teaches, and what goes with it? Input: a 0/1
matrix of reference documents and skills, and the likeness of every pool document to every skill.
Output: a score. The skill graph A has each skill's share of reference documents on its diagonal and
the share of documents that hold both skills off it; a document scores
    sum_s (b_x A)[s],   b_x[s] its cosine to skill s, cut below a threshold.   High = keep.
The paper lets a language model name the skills; offline they are keyphrases of the reference
(`keyphrases`) or cluster labels. The published text gives the idea, the exact normalisation is
ours. Cost: two sparse products. Fails where one common phrase ("all rights reserved") goes with
everything: the hub then outweighs every real skill, and boilerplate wins (a test); name the phrases
to leave out in `stop`.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from stages.curation.vectors.products import unit_rows
from stages.foundation.errors import InputError

THRESHOLD = 0.05  # assumed: weaker likeness is noise


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
        token_pattern=r"(?u)\b[^\W\d_]\w+\b",
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


def phrase_likeness(texts: Sequence[str], phrases: Sequence[str]) -> csr_matrix:
    """Weight (n, skills) of each phrase in each text: (1 + log(count)) / sqrt(words of the text),
    near its cosine to the whole text.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    counted = TfidfVectorizer(
        vocabulary=list(phrases),
        ngram_range=(1, 2),
        stop_words="english",
        sublinear_tf=True,
        use_idf=False,
        norm=None,
        token_pattern=r"(?u)\b[^\W\d_]\w+\b",
    )
    rows = counted.fit_transform(texts).tocsr()
    n_words = np.array([max(1, len(text.split())) for text in texts])
    rows.data /= np.sqrt(np.repeat(n_words, np.diff(rows.indptr)))
    return rows
