"""Where a reader is trained and reads documents: on a GPU where that pays, and the log says why.

A GPU trains and reads faster, but a process on it starts in seconds and compiles the reader's
programs; one core has read a small pool by then.
"""

import contextlib
import logging
from collections.abc import Iterator

from stages.proxy.network.device import choose_device
from stages.proxy.specs.shape import Shape
from stages.proxy.workforce.expected import COMPILE_SECONDS, START_SECONDS
from stages.proxy.workforce.gpus import gpus_held

log = logging.getLogger("assay")
CORE_FLOPS = 2e10  # measured: a second on one core of a Zen 5, 1e10 with 6k parameters, 4e10 with 332k
FORWARD = 1 / 3  # of the operations of a training step


@contextlib.contextmanager
def reading_place(
    size: str,
    *,
    vocab_size: int,
    trained_tokens: int,
    read_tokens: int,
    context: int = 128,
    backward: bool = False,
) -> Iterator[str]:
    """Yields `cpu` or `cuda` for a reader that is trained on so many tokens and then reads so many, with a backward
    pass where gradients are asked for. A card is held meanwhile.

    Example: `with reading_place("25k", vocab_size=512, trained_tokens=262_144, read_tokens=10**6) as device: ...`.
    """
    shape = Shape.named(size, context=context, vocab_size=vocab_size)
    place = choose_device()[0].type
    if place == "cuda":
        place, why = better_place(
            shape.flops_per_token
            * (trained_tokens + read_tokens * (1 if backward else FORWARD))
        )
        log.info("score: a proxy of %d parameters %s", shape.n_params, why)
    with gpus_held([], place):
        yield place


def better_place(flops: float) -> tuple[str, str]:
    """Where so many operations are done sooner on a machine with a card, and why."""
    core_s, card_s = flops / CORE_FLOPS, START_SECONDS + COMPILE_SECONDS
    seconds = f"about {core_s:.0f} s on one core, {card_s:.0f} s until a card begins"
    if core_s > card_s:
        return "cuda", f"reads on the GPU: {seconds}"
    return "cpu", f"reads on the processor: {seconds}"
