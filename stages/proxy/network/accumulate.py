"""Into how many parts a batch is cut on a GPU that cannot hold its activations, and whether these are made again."""

from stages.proxy.network.memory import SAFE_FRACTION, cuda_activation_bytes
from stages.proxy.specs.shape import Shape


def parts_that_fit(
    shape: Shape,
    n_runs: int,
    n_sequences: int,
    free_bytes: float,
    *,
    float32: bool = False,
    compiled: bool = True,
) -> tuple[int, bool]:
    """Sequences of a run trained at once, and whether activations are recomputed in the backward pass; `float32` and
    `compiled` as in `memory.cuda_activation_bytes`.

    Recomputing costs a third more arithmetic, so it is taken only where not even one sequence fits without it.
    Example: `parts_that_fit(Shape.named("302M", context=1024, vocab_size=50_304), 1, 64, 60e9)`.
    """

    def fits(n_at_once: int) -> bool:
        n_tokens = n_runs * n_at_once * shape.context
        kept = cuda_activation_bytes(shape, n_tokens, float32, compiled)
        return kept <= SAFE_FRACTION * free_bytes

    size = n_sequences
    while size > 1 and not fits(size):
        size = -(-size // 2)
    return size, not fits(size)
