"""Where image models are trained: said in the log, and a card is held meanwhile, as by a sweep of texts."""

import contextlib
import logging
from collections.abc import Iterator

from stages.proxy.network.device import choose_device
from stages.proxy.workforce.lease import card_leased

log = logging.getLogger("assay")


@contextlib.contextmanager
def image_device(wanted: str, stage: str) -> Iterator[str]:
    """Yields `cpu` or `cuda`; wanted: auto, cpu or cuda. Example: `with image_device("auto", "score"): ...`."""
    place, _, reason = choose_device(wanted, "float32")
    log.info("%s: %s", stage, reason)
    with card_leased() if place.type == "cuda" else contextlib.nullcontext():
        yield place.type
