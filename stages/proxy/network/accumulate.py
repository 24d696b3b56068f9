"""Into how many parts a batch is cut on a GPU that cannot hold its activations, and whether these are made again."""

from stages.proxy.network.memory import SAFE_FRACTION, cuda_activation_bytes
from stages.proxy.specs.shape import Shape


def parts_that_fit(
    shape: Shape, n_runs: int, n_sequences: int, free_bytes: float
) -> tuple[int, bool]:
    """Sequences of a run trained at once, and whether activations are recomputed in the backward pass.

    Recomputing costs a third more arithmetic, so it is taken only where not even one sequence fits without it.
    Example: `parts_that_fit(Shape.named("302M", context=1024, vocab_size=50_304), 1, 64, 60e9)`.
    """
    size = n_sequences
    while size > 1 and not _fits(shape, n_runs * size * shape.context, free_bytes):
        size = -(-size // 2)
    return size, not _fits(shape, n_runs * size * shape.context, free_bytes)


def _fits(shape: Shape, n_tokens: int, free_bytes: float) -> bool:
    return cuda_activation_bytes(shape, n_tokens) <= SAFE_FRACTION * free_bytes
