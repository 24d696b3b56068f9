"""What a GPU can do: dense bfloat16 FLOP/s and bytes/s, of its data sheet or measured by one product and one copy."""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

N_PRODUCT, COPIED_NUMBERS = 8192, 1 << 28  # assumed: large enough to reach the limits
TURNS = 5  # assumed: the best counts, since other work only ever adds time


class Limits(NamedTuple):
    """Peak FLOP/s of dense bfloat16 products and bytes/s to and from memory."""

    flops: float
    n_bytes: float


# cited: NVIDIA's data sheets (H100 and H200 SXM, A100 SXM 80 GB, L40S, GeForce RTX 4090)
CARDS = {
    "H100": Limits(989e12, 3.35e12),
    "H200": Limits(989e12, 4.8e12),
    "A100": Limits(312e12, 2.04e12),
    "L40S": Limits(362e12, 0.864e12),
    "4090": Limits(165e12, 1.008e12),
}


def limits_of(card: str) -> Limits | None:
    """Of a card by its name; None for one that is not in the list."""
    return next((limits for name, limits in CARDS.items() if name in card), None)


def limits_here(device: torch.device) -> Limits:
    """Of the card in this machine: of its data sheet, else measured in well under a second."""
    known = limits_of(torch.cuda.get_device_name()) if device.type == "cuda" else None
    if known:
        return known
    limits = measured_limits(device)
    torch.cuda.empty_cache()  # else the 2 GB that it took would be missing where memory is planned
    return limits


def measured_limits(
    device: torch.device, n: int = N_PRODUCT, copied: int = COPIED_NUMBERS
) -> Limits:
    """By one product of n x n and one copy of so many numbers."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    a = torch.randn(n, n, device=device, dtype=dtype)
    big = torch.empty(copied, device=device)
    product_s = _seconds(lambda: a @ a, device)
    copy_s = _seconds(lambda: big.clone(), device)
    return Limits(2 * n**3 / product_s, 2 * big.nbytes / copy_s)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(TURNS):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)
