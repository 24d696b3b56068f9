"""What torch.compile is told on CUDA: one program of a shape serves every number of stacked runs.

The axis of runs is dynamic, so stacks of 2 to 1,024 share a program; a single run, whose axis torch
never leaves open, has one of its own. A program holds for one layout of its inputs: whoever calls
it hands over dense ones, since another stride compiles anew, and a compile inside the recording of a
CUDA graph ends the recording.
"""

import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

PROGRAMS = 64  # assumed: a ladder of sizes, twice; torch gives up after 8 by default
CACHE = "TORCHINDUCTOR_CACHE_DIR"  # read by torch; Triton keeps its kernels below it


@functools.cache
def program(function: Callable, backend: str = "inductor") -> Callable:
    """The function as one compiled program; call it with tensors that went through `runs_open`."""
    import torch._dynamo

    torch._dynamo.config.recompile_limit = PROGRAMS
    return torch.compile(function, dynamic=False, backend=backend)


def runs_open(tensors: Iterable[torch.Tensor | None], axis: int = 0) -> None:
    """Leave the axis of runs open in what a program is called with; of one run there is nothing to leave open."""
    import torch._dynamo

    for tensor in tensors:
        if tensor is not None and tensor.shape[axis] > 1:
            torch._dynamo.mark_dynamic(tensor, axis)


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """A copy with the strides of its shape alone, whatever it is a window into."""
    return tensor.clone(memory_format=torch.contiguous_format)


def keep_programs_in(folder: Path) -> None:
    """Keep compiled programs here, so that a second sweep starts warm; a cache that the user names stays."""
    os.environ.setdefault(CACHE, str(folder.absolute()))
