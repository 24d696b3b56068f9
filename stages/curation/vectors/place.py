"""Where products of vectors are made: on a GPU where that pays, with the reason in one line.

Question: do clusters and close pairs wait for a card? Input: how many rows, columns and clusters. Output: `cpu` or
`cuda`, and why. The time of one core follows from the cosines to be made, that of a card is what it takes to begin and
to be sent the rows; its own products are not counted, being a hundred times as fast. Neither the number of cores nor of
workers counts, so that a result does not depend on them. Cost: nothing is run, and torch is not imported where one core
is done before a card begins.

How results differ. Both sides multiply in 32 bits, but sum in another order: cosines of unit rows differ by less than
`products.ROUNDING` (1e-6). So a row may lie in another cluster where two centres are as near as that, a pair may be
close on one side alone where its cosine is as near to the threshold, and of copies whose ranks are as near another one
may stay. Where no row is as near to a border as that, the groups are the same on either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stages.curation.vectors.spherical import ITERATIONS, SAMPLE_PER_CLUSTER

# measured: one core of an AMD EPYC with other work beside it, 16 to 768 columns: within 1.5 times from 300 centres on,
# to a third of that speed at 30
CORE_FLOPS = 1e11
LARGEST_S = 1.6e-9  # measured, as above: to find the largest of a row's cosines, each
CLOSE_S = 4.5e-9  # measured, as above: to find those above a threshold, each
READER_FLOPS = 2e10  # measured: a core that reads with a small transformer
START_SECONDS = 6.0  # measured on an H200: of a process until its first step is done
SENT_BYTES = 5e9  # assumed: bytes a second from unpinned memory to a card
EPS_ROUNDS = 5  # assumed: searches with doubled eps until enough is dropped
CHARS_A_TOKEN = 4  # assumed
MOST_TOKENS = 512  # assumed: of a document that a sentence model reads
WEIGHT_BYTES = 4  # of a saved weight in 32 bits
WEIGHT_FILES = ("*.safetensors", "*.bin", "*.npy")


@dataclass(frozen=True)
class Cost:
    """Floating-point operations, seconds of one core, and bytes that a card would be sent."""

    flops: float
    core_s: float
    sent_bytes: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.flops + other.flops,
            core_s=self.core_s + other.core_s,
            sent_bytes=self.sent_bytes + other.sent_bytes,
        )


def nearest_cost(n_rows: float, columns: int, n_centres: float) -> Cost:
    """The nearest centre of so many rows."""
    cells = n_rows * n_centres
    return _products(cells, columns, LARGEST_S, n_sent=n_rows + n_centres)


def clusters_cost(
    n_rows: int, columns: int, n_clusters: int, n_sample: int | None = None
) -> Cost:
    """Spherical k-means, at most: as many iterations as there may be on the sample (default: that of
    `spherical_kmeans`), then all rows.

    >>> f"{clusters_cost(100_000, 64, 316).core_s:.1f}"
    '2.3'
    """
    n_sample = min(n_rows, n_sample or SAMPLE_PER_CLUSTER * n_clusters)
    return nearest_cost(
        ITERATIONS * n_sample + n_rows, columns=columns, n_centres=n_clusters
    )


def pairs_cost(n_rows: int, columns: int, n_clusters: int, rounds: int = 1) -> Cost:
    """Close pairs inside clusters, at least: were all of one size; rounds: how often they are sought."""
    cells = rounds * n_rows**2 / n_clusters
    return _products(cells, columns, CLOSE_S, n_sent=2 * rounds * n_rows)


def reading_cost(folder: Path | str, n_documents: int, n_chars: int) -> Cost:
    """What a model saved in `folder` takes to read documents, at most: its weights by the size of their files.

    A folder without weights costs nothing here; what reads it will say so.
    """
    files = [file for kind in WEIGHT_FILES for file in Path(folder).rglob(kind)]
    n_params = sum(file.stat().st_size for file in files) / WEIGHT_BYTES
    n_tokens = min(n_chars / CHARS_A_TOKEN, n_documents * MOST_TOKENS)
    flops = 2 * n_params * n_tokens
    return Cost(flops, core_s=flops / READER_FLOPS, sent_bytes=n_chars)


def chosen_place(
    wanted: str, cost: Cost, has_card: Callable[[], bool]
) -> tuple[str, str]:
    """The device, and one line that says why. wanted: auto, or a device that is taken as it is.

    has_card is asked only where a card would be done sooner.
    Example: `chosen_place("auto", clusters_cost(10**6, 64, 1000), has_card)`.
    """
    if wanted != "auto":
        return wanted, f"on {wanted}: asked for"
    card_s = START_SECONDS + cost.sent_bytes / SENT_BYTES
    seconds = f"{cost.flops:.1e} operations, about {spoken(cost.core_s)} s on one core"
    until = f"{spoken(card_s)} s until a card has begun and has the rows"
    if cost.core_s <= card_s:
        return "cpu", f"on the processor: {seconds}, {until}"
    if not has_card():
        return "cpu", f"on the processor: {seconds}, no card here"
    return "cuda", f"on the GPU: {seconds}, {until}"


def spoken(seconds: float) -> str:
    """Example: `spoken(0.042) == "0.042"`, `spoken(1234.5) == "1234"`."""
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def _products(cells: float, columns: int, look_s: float, n_sent: float) -> Cost:
    flops = 2 * cells * columns
    return Cost(
        flops,
        core_s=flops / CORE_FLOPS + cells * look_s,
        sent_bytes=4 * n_sent * columns,
    )
