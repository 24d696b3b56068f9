"""A device for products of vectors, held while it is used, and one line in the log that says why it was chosen.

A card is leased as for a sweep (`workforce/lease.py`), so searches and sweeps on one machine take turns.
"""

import contextlib
import logging
import re
from collections.abc import Iterator

from stages.curation.vectors.place import Cost, chosen_place
from stages.curation.vectors.products import has_card
from stages.foundation.errors import InputError

log = logging.getLogger("assay")
CARD = re.compile(r"cuda(:\d+)?")


@contextlib.contextmanager
def products_device(wanted: str, cost: Cost, what: str) -> Iterator[str]:
    """Yields `cpu`, `cuda:INDEX` of the card that is held meanwhile, or another torch device that was asked for.

    what: of the stage, for the log. Raises InputError where a card is asked for and there is none.
    Example: `with products_device("auto", clusters_cost(n, 64, k), "dedup: semantic copies") as device: ...`.
    """
    place, why = chosen_place(wanted, cost, has_card)
    log.info("%s %s", what, why)
    with contextlib.ExitStack() as held:
        yield held.enter_context(_card(place)) if CARD.fullmatch(place) else place


@contextlib.contextmanager
def _card(place: str) -> Iterator[str]:
    """Hold the card of this name, or for `cuda` the first that is free."""
    if not has_card():
        raise InputError(
            f"device {place}: there is no CUDA device here; use auto or cpu"
        )
    from stages.proxy.workforce.lease import device_lease, gpu_names

    names = gpu_names()
    first = int(place.partition(":")[2] or 0)
    if first >= len(names):
        raise InputError(
            f"device {place}: there are {len(names)} cards here; use auto, or cuda:0 to"
            f" cuda:{len(names) - 1}"
        )
    own = names if place == "cuda" else [names[first]]
    with device_lease(own) as index:
        yield f"cuda:{first + index}"
