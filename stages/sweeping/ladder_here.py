"""How fast the machine at hand trains each size of proxy, for a ladder that fits a time.

On CPU some small sizes are measured by all workers at once, a second each; between them the rate is read off in logs,
and beyond the largest at its FLOPs a second. On a GPU rates are expected from operations and bytes, as in a sweep.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from stages.proxy.network.device import choose_device
from stages.proxy.specs.shape import Shape
from stages.proxy.workforce.expected import expected_rates
from stages.proxy.workforce.probe import candidates, rates_together
from stages.proxy.workforce.workers import Workers
from stages.sweeping.machine_share import jobs

MEASURED = ("6k", "55k", "332k")
SECONDS_A_SIZE = 1.0  # assumed: enough to tell the order of the candidates
# ours: runs of one size that a ladder has for sure, and that a GPU stacks of it
MOST_STACKED, ON_A_GPU = 8, 32


@dataclass(frozen=True)
class Machine:
    """rate: size -> tokens a second, all workers together; words: what it is and how the rates are known."""

    rate: Callable[[str], float]
    words: str


def machine_here(batch_tokens: int, device: str = "auto") -> Machine:
    """The machine that this runs on."""
    place, _, _ = choose_device(device)
    if place.type == "cuda":
        return Machine(
            lambda size: _expected(size, batch_tokens),
            "one GPU, rates expected from operations and bytes",
        )
    n_workers = jobs()
    with Workers(None, n_workers) as workers:
        rates = {
            size: n_workers * _measured(size, batch_tokens, workers)
            for size in MEASURED
        }
    return Machine(
        between(rates),
        f"{n_workers} workers on CPU, {', '.join(MEASURED)} measured now",
    )


def _expected(size: str, batch_tokens: int) -> float:
    shape = Shape.named(size)
    ways = candidates(shape, "cuda", "auto", largest=ON_A_GPU)
    return max(expected_rates(shape, batch_tokens, ways).values())


def _measured(size: str, batch_tokens: int, workers: Workers) -> float:
    """Tokens a second of one worker while all of them train."""
    shape = Shape.named(size)
    ways = candidates(shape, "cpu", "float32", largest=MOST_STACKED)
    found = rates_together(workers, shape, batch_tokens, ways, seconds=SECONDS_A_SIZE)
    return max(found.values())


def between(rates: Mapping[str, float]) -> Callable[[str], float]:
    """Size -> tokens a second from those of some sizes: FLOPs a second are interpolated in logs, and held outside.

    >>> rate = between({"6k": 3e5, "332k": 2e4})
    >>> rate("332k"), rate("786k") < rate("332k") < rate("55k")
    (20000.0, True)
    """
    costs = {size: Shape.named(size).flops_per_token for size in rates}
    sizes = sorted(rates, key=lambda size: costs[size])
    log_cost = np.log([costs[size] for size in sizes])
    log_speed = np.log([rates[size] * costs[size] for size in sizes])

    def rate(size: str) -> float:
        cost = Shape.named(size).flops_per_token
        return float(
            np.round(np.exp(np.interp(np.log(cost), log_cost, log_speed)) / cost, 6)
        )

    return rate
