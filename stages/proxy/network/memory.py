"""Bytes that a group of stacked runs needs, and bytes that this machine or card has left.

On CPU the count is what training allocates: the buffers of `kernel.py` are laid out on torch's meta
device, which takes no memory. On CUDA the compiler decides what is kept between forward and
backward pass: the count follows its own choice, to which a test holds it, and lies within 6 % of
the peaks seen on an H200 (34.9, 11.0 and 12.3 GB).
"""

import os
from pathlib import Path

import torch

from stages.proxy.network.kernel import Buffers
from stages.proxy.network.model import n_dropout_sites
from stages.proxy.specs.shape import MLP_RATIO, Shape

# weights, gradient, two moments, and on CPU the update's work
CUDA_COPIES, CPU_COPIES = 4, 5
# weights and moments of the trunk behind an open branch, and of a checkpoint being written
TRUNK_COPIES = CHECKPOINT_COPIES = 3
# assumed: the rest is for other processes, held-out batches and fragments
SAFE_FRACTION = 0.8
LARGEST_STACK = 1024  # assumed
# Bytes of d_model each, a token and layer, in bfloat16 but for the residual stream: it twice,
# normed twice, query, key, value and joined heads, wide and squared.
CUDA_LAYER_BYTES = 2 * 4 + 2 * 2 + 4 * 2 + 2 * 2 * MLP_RATIO
# a token and layer: scales of both norms; of each head, of query and key, and the sum of its softmax
CUDA_SCALE_BYTES, CUDA_HEAD_BYTES = 2 * 4, 3 * 4
# measured on tensors without memory, at most 1.88 and 1.48: what a step keeps in float32, and one in bfloat16 that no
# compiler fuses, over a compiled one in bfloat16
FLOAT32_TIMES, PLAIN_TIMES = 2.0, 1.5


def training_bytes(
    shape: Shape,
    batch_tokens: int,
    n_runs: int,
    device: str = "cpu",
    dropout: bool = False,
    dtype: str = "auto",
) -> int:
    """Bytes of weights, optimiser and activations of `n_runs` stacked runs; `dtype` of the products, on CUDA."""
    copies = CUDA_COPIES if device == "cuda" else CPU_COPIES
    copies += TRUNK_COPIES + CHECKPOINT_COPIES
    flat = copies * n_runs * shape.n_params_total * 4
    masks = (
        2 * 4 * n_runs * batch_tokens * shape.d_model * n_dropout_sites(shape)
        if dropout
        else 0
    )
    if device == "cuda":
        n_embedded = shape.vocab_size * shape.d_model
        others = n_runs * (shape.n_params_total - n_embedded)
        float32 = dtype == "float32"
        half = 0 if float32 else 2 * others
        # as they leave the backward pass, when the activations are gone
        gradients = 4 * n_runs * n_embedded + (4 if float32 else 2) * others
        kept = cuda_activation_bytes(shape, n_runs * batch_tokens, float32)
        return flat + masks + half + max(kept, gradients)
    return flat + masks + _buffer_bytes(shape, n_runs, batch_tokens // shape.context)


def _buffer_bytes(shape: Shape, n_runs: int, n_sequences: int) -> int:
    """Of the CPU kernel's buffers, twice: those of training and those of held-out batches meet at a budget."""
    with torch.device("meta"):
        buffers = Buffers(
            shape,
            n_runs=n_runs,
            n_sequences=n_sequences,
            context=shape.context,
            like=torch.empty(0),
        )
    parts = [
        part
        for value in vars(buffers).values()
        for part in (value if isinstance(value, list) else [value])
    ]
    return 2 * sum(
        part.numel() * part.element_size()
        for part in parts
        if isinstance(part, torch.Tensor)
    )


def cuda_activation_bytes(
    shape: Shape, n_tokens: int, float32: bool = False, compiled: bool = True
) -> int:
    """Of so many tokens of all runs together, at the peak: where the backward pass begins; bfloat16 products unless
    `float32`.
    """
    each_layer = (
        CUDA_LAYER_BYTES * shape.d_model
        + CUDA_HEAD_BYTES * shape.n_heads
        + CUDA_SCALE_BYTES
    )
    outer = 2 * shape.d_model  # the last normed state
    logits = 2 * 2 * shape.vocab_size  # in bfloat16, and their gradient
    times = FLOAT32_TIMES if float32 else 1.0 if compiled else PLAIN_TIMES
    return round(times * n_tokens * (shape.n_layers * each_layer + outer + logits))


def available_bytes(device: str = "cpu") -> int:
    """What may be used now: free memory of the card, or of the machine within the limit of its container."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    return min(_free_by_kernel(), _left_in_container())


def _free_by_kernel() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(
            int(line.split()[1]) * 1024
            for line in lines
            if line.startswith("MemAvailable")
        )
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _left_in_container() -> int:
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = (
            (folder / "memory.max").read_text().strip(),
            int((folder / "memory.current").read_text()),
        )
    except (OSError, ValueError):
        return 2**63
    return 2**63 if limit == "max" else max(0, int(limit) - used)


def runs_that_fit(
    shape: Shape,
    batch_tokens: int,
    *,
    n_bytes: float,
    device: str = "cpu",
    dropout: bool = False,
    dtype: str = "auto",
) -> int:
    """The largest power of two of runs that train together in `n_bytes`; 0 where not even one does."""
    fits, n_runs = 0, 1
    while (
        n_runs <= LARGEST_STACK
        and training_bytes(
            shape,
            batch_tokens,
            n_runs=n_runs,
            device=device,
            dropout=dropout,
            dtype=dtype,
        )
        <= n_bytes
    ):
        fits, n_runs = n_runs, 2 * n_runs
    return fits
