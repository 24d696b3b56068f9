"""Where a run is trained and in which precision, with the reason for it."""

import contextlib
import ctypes
import functools
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# held while a graph is recorded, and by a thread that allocates pinned memory meanwhile
card_is_quiet = threading.Lock()
# runs, rows, inner, columns: oneDNN picks its arithmetic by size
CHECKED_PRODUCTS = (
    (2, 64, 256, 64),
    (4, 512, 16, 48),
    (2, 256, 64, 512),
    (1, 512, 192, 256),
)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc mallopt.h


def choose_device(
    wanted: str = "auto", dtype: str = "auto"
) -> tuple["torch.device", "torch.dtype", str]:
    """Device, precision of the matrix products and one line saying why.

    CUDA trains in bfloat16 with fp32 master weights and torch.compile; CPU in fp32 with one thread a worker.
    Example: `device, dtype, reason = choose_device(); print(reason)`.
    """
    import torch

    if wanted == "cpu" or not torch.cuda.is_available():
        why = "asked for" if wanted == "cpu" else "no CUDA device"
        precision = torch.bfloat16 if dtype == "bfloat16" else torch.float32
        return (
            torch.device("cpu"),
            precision,
            f"device cpu ({why}), {_name(precision)}, one thread",
        )
    capability = torch.cuda.get_device_capability()
    half = dtype == "bfloat16" or (dtype == "auto" and capability >= (8, 0))
    precision = torch.bfloat16 if half else torch.float32
    card = f"{torch.cuda.get_device_name()}, SM {capability[0]}{capability[1]}"
    return (
        torch.device("cuda"),
        precision,
        f"device cuda ({card}), {_name(precision)} products, fp32 weights",
    )


def _name(dtype: "torch.dtype") -> str:
    return str(dtype).removeprefix("torch.")


def usable_cores() -> tuple[int, str]:
    """Worker processes that this machine feeds, and why: the cores this process may use, less where
    a container caps them.
    """
    n_cores = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        quota, period = "max", "1"
    if quota != "max" and int(quota) < n_cores * int(period):
        capped = max(1, int(quota) // int(period))
        return (
            capped,
            (
                f"{capped} workers: the container is capped at"
                f" {int(quota) / int(period):.1f} of {n_cores} cores"
            ),
        )
    return n_cores, f"{n_cores} workers: one a core"


@contextlib.contextmanager
def compute_threads(n_threads: int = 1) -> Iterator[None]:
    """Train on so many CPU threads and keep freed memory; the number of threads is put back at the end.

    Measured: two threads in one process gain 1.1 to 1.4 times on an idle machine and cost 17 times on a busy one.
    One also makes sums, hence results, the same in a worker and in a process with many threads.
    """
    import torch

    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> contextlib.AbstractContextManager[None]:
    """`compute_threads` of one: what every worker trains on."""
    return compute_threads(1)


def keep_freed_memory() -> None:
    """Let glibc reuse buffers of megabytes instead of returning them to the kernel at every step.

    Measured: page faults were a quarter of a step of plain autograd at 32 x 2 layers. Does nothing outside glibc.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


@contextlib.contextmanager
def quick_products(dtype: "torch.dtype") -> Iterator[None]:
    """Inside, fp32 matrix products on CPU go through oneDNN where that keeps fp32 accuracy, or dtype is bfloat16.

    torch sends fp32 products to MKL, which runs at half speed on AMD (measured: 85 against 170 GFLOP/s on Zen 5), and
    to oneDNN once bfloat16 products are allowed. oneDNN then still computes in fp32 unless the processor has AMX.
    """
    import torch

    allowed = dtype == torch.bfloat16 or _onednn_keeps_fp32()
    with _bfloat16_allowed() if allowed else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _bfloat16_allowed() -> Iterator[None]:
    import torch

    setting = torch.backends.mkldnn.matmul
    before = setting.fp32_precision
    setting.fp32_precision = "bf16"
    try:
        yield
    finally:
        setting.fp32_precision = before


@functools.cache
def _onednn_keeps_fp32() -> bool:
    """Whether a product has fp32 accuracy even where bfloat16 is allowed: a check of numbers, never of time."""
    import torch

    for n_runs, rows, inner, columns in CHECKED_PRODUCTS:
        generator = torch.Generator().manual_seed(rows)
        a = torch.randn(n_runs, rows, inner, generator=generator)
        b = torch.randn(n_runs, inner, columns, generator=generator)
        exact = a.double() @ b.double()
        with _bfloat16_allowed():
            many, one = a @ b - exact, a[0] @ b[0] - exact[0]
        # fp32 errs by 1e-7 of the spread, bfloat16 by 1e-3
        if max(many.abs().max(), one.abs().max()) > 1e-5 * exact.std():
            return False
    return True
