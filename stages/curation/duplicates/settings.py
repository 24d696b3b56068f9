"""What a search for copies can be asked: settings and bounds, without the search.

A file of parameters is checked against these by every command, so nothing here imports polars or numpy.
"""

from dataclasses import dataclass

LEAST_MET = 0.9  # of the pairs at the threshold (assumed)
MOST_SKETCH_BYTES = 1024  # the standard error at .8 is then .0125
# FineWeb's setting, for what is joined by a band alone
FINEWEB_BANDS, FINEWEB_ROWS = 14, 8
NGRAM_WORDS = 13  # Brown et al. 2020, appendix C
OVERLAP_SHARE = 0.2  # a fifth of a document's 13-grams (assumed; paragraph-level removal in DCLM uses 0.8)
MIN_CHARS = 20  # assumed: shorter lines are structure (a bracket, a heading, a date), not copied prose
LAST_EPS = 2.0  # 1 minus the cosine of opposite vectors


@dataclass(frozen=True, kw_only=True)
class MinHash:
    """Parameters of the signature. Shingles are words, lower case, punctuation dropped.

    `threshold` is the Jaccard similarity of shingles from which documents are near duplicates.
    """

    shingle_words: int = 5
    bands: int = 20
    rows: int = 6
    seed: int = 1
    threshold: float = 0.8

    def __post_init__(self) -> None:
        for name in ("shingle_words", "bands", "rows"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"MinHash {name} is {getattr(self, name)}; give at least 1"
                )
        if not 0 < self.threshold <= 1:
            raise ValueError(
                f"MinHash threshold is {self.threshold}; give one above 0, at most 1"
            )

    def fault(self) -> str | None:
        """Why these bands do not find what is alike, if so."""
        met = self.probability(self.threshold)
        if met >= LEAST_MET:
            return None
        return (
            f"{self.bands} bands of {self.rows} rows meet {met:.0%} of the pairs at the"
            f" threshold {self.threshold:g}; give more bands or fewer rows (at .8 20 of"
            " 6 meet 99.8 %, at .5 60 of 4 meet 98 %)"
        )

    @property
    def sketch_bytes(self) -> int:
        """Permutations of which a byte is kept."""
        return min(self.bands * self.rows, MOST_SKETCH_BYTES)

    @property
    def sketch_words(self) -> int:
        """Columns of a sketch, eight bytes each; the last is filled up with zeros."""
        return -(-self.sketch_bytes // 8)

    def band_names(self) -> list[str]:
        return [f"band_{index:02d}" for index in range(self.bands)]

    def probability(self, similarity: float) -> float:
        """Chance that two documents of this Jaccard similarity become candidates."""
        return 1 - (1 - similarity**self.rows) ** self.bands


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Shares of a pool's documents from which something is said."""

    lost: float
    cluster: float
    shared: float
