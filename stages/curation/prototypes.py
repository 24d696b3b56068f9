"""Self-supervised prototypes: how far a document lies from the nearest cluster centre (Sorscher et al. 2022).

Far means hard: few documents are like it. Embeddings are hashed word counts reduced by a truncated SVD, so
nothing is downloaded; the number of clusters matters little within an order of magnitude (same source).
"""

import numpy as np

DIMENSIONS = 64  # assumed: enough to tell topics apart, small enough for one pass in memory
HASH_BITS = 15


def prototype_difficulty(texts: list[str], *, n_clusters: int, seed: int) -> np.ndarray:
    """1 - cosine to the nearest centroid, (documents,): 0 is typical, larger is harder."""
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.preprocessing import normalize

    words = HashingVectorizer(n_features=1 << HASH_BITS, alternate_sign=False, norm=None, token_pattern=r"\w+")
    counts = TfidfTransformer(sublinear_tf=True).fit_transform(words.transform(texts))
    dimensions = min(DIMENSIONS, max(1, min(counts.shape) - 1))
    embedding = normalize(TruncatedSVD(dimensions, random_state=seed).fit_transform(counts))
    clusters = MiniBatchKMeans(min(n_clusters, len(texts)), random_state=seed, n_init=3, batch_size=4096).fit(embedding)
    centres = normalize(clusters.cluster_centers_)
    return 1.0 - np.einsum("ij,ij->i", embedding, centres[clusters.labels_])
