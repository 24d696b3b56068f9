"""Groups of runs on the GPUs of this machine: small ones stacked on one card, a large one on all cards together.

Cards are leased first (`lease.py`), so that a second sweep waits in place of sharing one; a large run takes all of them.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch

from stages.proxy.backlog import Backlog, CheckpointOf, Settings, Tell, train_here
from stages.proxy.data import ProxyData
from stages.proxy.lease import device_lease, gpu_names
from stages.proxy.outcome import Failure, Outcome, first_line
from stages.proxy.ranks import LARGE_PARAMS, train_on_ranks
from stages.proxy.spec import RunResult, RunSpec


@contextlib.contextmanager
def gpus_held(specs: Sequence[RunSpec], place: str) -> Iterator[None]:
    """Hold what these runs need: nothing on CPU, every card where one of them is large, else the first card that is free."""
    with contextlib.ExitStack() as held:
        if place == "cuda":
            names = gpu_names()
            if len(names) > 1 and any(is_large(spec) for spec in specs):
                for name in sorted(names):  # in one order everywhere, so that two sweeps cannot wait for each other
                    held.enter_context(device_lease([name]))
            else:
                torch.cuda.set_device(held.enter_context(device_lease(names)))
        yield


def is_large(spec: RunSpec, least: int = LARGE_PARAMS) -> bool:
    """Whether a run is worth all cards."""
    return spec.shape.n_params >= least


def train_on_gpus(groups: Sequence[Sequence[RunSpec]], data: ProxyData, *, on_result: Callable[[RunResult], None], device: str = "cuda",
                  checkpoint: CheckpointOf | None = None, settings: Settings | None = None,
                  on_progress: Tell | None = None, n_gpus: int | None = None, large_params: int = LARGE_PARAMS) -> list[Failure]:
    """Train every group; returns those that failed. Arguments as in `workers.Workers.train`; large runs report at their end alone."""
    n_gpus = torch.cuda.device_count() if n_gpus is None else n_gpus
    large = [group for group in groups if n_gpus > 1 and is_large(group[0], large_params)]
    small = [group for group in groups if group not in large]
    backlog = Backlog(large, checkpoint, settings)
    while job := backlog.take():
        try:
            outcome = Outcome(train_on_ranks(job.group, data, n_gpus, device=device, **backlog.options(job)))
        except RuntimeError as error:
            outcome = Outcome(message=first_line(error))
        backlog.settle(job, outcome, on_result)
    return backlog.failures + train_here(small, data, on_result=on_result, checkpoint=checkpoint, settings=settings, on_progress=on_progress, device=device)
