"""Where image models are trained: said in the log, and a card is held meanwhile, as by a sweep of texts."""

import contextlib
import logging
from collections.abc import Iterator

from stages.proxy.network.device import choose_device
from stages.proxy.workforce.lease import device_lease, gpu_names

log = logging.getLogger("assay")


@contextlib.contextmanager
def image_device(wanted: str, stage: str) -> Iterator[str]:
    """Yields `cpu` or `cuda`; wanted: auto, cpu or cuda. Example: `with image_device("auto", "score"): ...`."""
    place, _, reason = choose_device(wanted, "float32")
    log.info("%s: %s", stage, reason)
    if place.type == "cpu":
        yield "cpu"
        return
    import torch

    with device_lease(gpu_names()) as index:
        torch.cuda.set_device(index)
        yield place.type
