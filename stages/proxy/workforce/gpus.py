"""Groups of runs on the GPUs of this machine: small ones stacked and spread over the cards, a large
one on all cards together.

Cards are leased first (`lease.py`), so that a second sweep waits in place of sharing one: all where
a run is large, else those that are free. On one card groups are trained one after another in this
process; on several, or where several groups share a card, each has a worker process that sees one
card alone. Large runs come first, since they need every card.

Sharing a card is not timed on one. Kernels of two processes take turns unless NVIDIA's MPS runs, so
what it can gain is the host's time: compiling, reading, held-out losses. Every group is trained by
the same `train_group`, wherever it lies.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from stages.foundation.errors import InputError, RefusedError
from stages.proxy.network.device import choose_device
from stages.proxy.specs.outcome import Failure, Outcome, first_line
from stages.proxy.specs.spec import RunResult, RunSpec
from stages.proxy.training.data import ProxyData
from stages.proxy.training.ranks import LARGE_PARAMS, replicas_fit, train_on_ranks
from stages.proxy.workforce.backlog import (
    Backlog,
    CheckpointOf,
    Settings,
    Tell,
    train_here,
)
from stages.proxy.workforce.lease import device_lease, gpu_names
from stages.proxy.workforce.workers import Workers

VISIBLE = "CUDA_VISIBLE_DEVICES"
# NVIDIA's drivers and CUDA_VISIBLE_DEVICES write them before a UUID, torch does not
GPU, MIG = "GPU-", "MIG-"


@dataclass
class Cards:
    """Cards that are held, by their names (`lease.gpu_names`); none on CPU."""

    names: list[str] = field(default_factory=list)
    leases: list[contextlib.ExitStack] = field(default_factory=list)

    def take(self, names: Sequence[str], timeout_s: float | None = None) -> int:
        """Hold the first of these that is free, as `lease.device_lease`; its place in `names`."""
        lease = contextlib.ExitStack()
        place = lease.enter_context(device_lease(names, timeout_s=timeout_s))
        self.leases.append(lease)
        self.names.append(names[place])
        return place

    def keep(self, n: int) -> None:
        """Give back all but the first n."""
        for lease in self.leases[n:]:
            lease.close()
        del self.leases[n:], self.names[n:]


@contextlib.contextmanager
def gpus_held(specs: Sequence[RunSpec], place: str, most: int = 1) -> Iterator[Cards]:
    """Hold what these runs need: nothing on CPU, every card where one of them is large, else up to
    `most`.

    Those are the first card that is free, which is waited for and becomes this process's own, and
    the others that are free by then. Example: `with gpus_held(specs, "cuda", most=len(groups)) as
    cards: train_on_gpus(groups, data, cards=cards.names, on_result=save)`.
    """
    names = gpu_names() if place == "cuda" else []
    cards = Cards()
    try:
        if len(names) > 1 and any(is_large(spec) for spec in specs):
            # in one order everywhere, so that two sweeps cannot wait for each other
            for name in sorted(names):
                cards.take([name])
        elif names:
            torch.cuda.set_device(cards.take(names))
            for name in names:
                if len(cards.names) < most and name not in cards.names:
                    with contextlib.suppress(InputError):  # another sweep has it
                        cards.take([name], timeout_s=0)
        yield cards
    finally:
        cards.keep(0)


def is_large(spec: RunSpec, least: int = LARGE_PARAMS) -> bool:
    """Whether a run is worth all cards."""
    return spec.shape.n_params >= least


def spread(
    groups: Sequence[Sequence[RunSpec]], card_bytes: float
) -> Iterator[Sequence[RunSpec]]:
    """Groups of large runs as they are trained: one run at a time where a card does not hold all of a group."""
    for group in groups:
        yield from (
            [group]
            if all(replicas_fit(spec, card_bytes / len(group)) for spec in group)
            else ([spec] for spec in group)
        )


def worker_environments(
    cards: Sequence[str], per_card: int = 1
) -> list[dict[str, str]]:
    """Of worker processes, `per_card` on each card: what shows it that card alone. The first ones lie on different
    cards.

    Where this process sees a single device its workers see it too, whatever part of a card it is.
    """
    alone = len(cards) == 1 and torch.cuda.device_count() == 1
    each: list[dict[str, str]] = [
        {} if alone else {VISIBLE: visible(card)} for card in cards
    ]
    return each * per_card


def visible(name: str) -> str:
    """A card's name as CUDA_VISIBLE_DEVICES takes it. Example: `visible("8932f937-d72c") == "GPU-8932f937-d72c"`."""
    return name if name.startswith((GPU, MIG)) else GPU + name


def train_on_gpus(
    groups: Sequence[Sequence[RunSpec]],
    data: ProxyData,
    *,
    on_result: Callable[[RunResult], None],
    device: str = "cuda",
    cards: Sequence[str] = (),
    per_card: int = 1,
    checkpoint: CheckpointOf | None = None,
    settings: Settings | None = None,
    on_progress: Tell | None = None,
    n_gpus: int | None = None,
    large_params: int = LARGE_PARAMS,
    card_bytes: float | None = None,
) -> list[Failure]:
    """Train every group; returns those that failed. Arguments as in `workers.Workers.train`; large
    runs report at their end alone.

    cards: names of those that are held, over which small groups are spread; per_card: groups on each
    at once. Without cards, or with one and one group on it, small groups are trained in this process.
    A large run that does not fit a card of `card_bytes` (default: the first card's) is sharded over
    all `n_gpus`.
    """
    n_gpus = torch.cuda.device_count() if n_gpus is None else n_gpus
    room = card_bytes or (
        torch.cuda.get_device_properties(0).total_memory
        if torch.cuda.is_available()
        else float("inf")
    )
    large = [
        group for group in groups if n_gpus > 1 and is_large(group[0], large_params)
    ]
    small = [group for group in groups if group not in large]
    backlog = Backlog(spread(large, room), checkpoint, settings)
    while job := backlog.take():
        sharded = not replicas_fit(job.group[0], room)
        try:
            outcome = Outcome(
                train_on_ranks(
                    job.group,
                    data,
                    n_gpus,
                    device=device,
                    sharded=sharded,
                    **backlog.options(job),
                )
            )
        except RuntimeError as error:
            outcome = Outcome(message=first_line(error))
        backlog.settle(job, outcome, on_result)
    how: dict[str, Any] = {
        "on_result": on_result,
        "checkpoint": checkpoint,
        "settings": settings,
        "on_progress": on_progress,
    }
    environments = worker_environments(cards, per_card)[: len(small)]
    if len(environments) < 2:
        return backlog.failures + train_here(small, data, device=device, **how)
    with Workers(data, len(environments), environments, device=device) as workers:
        if choose_device(device)[0].type == "cuda":
            check_seen(workers, environments)
        return backlog.failures + workers.train(small, **how)


def check_seen(workers: Workers, environments: Sequence[Mapping[str, str]]) -> None:
    """Raises RefusedError where a worker does not see its card alone: it would train on another, or on none."""
    for own, seen in zip(environments, workers.ask(gpu_names), strict=True):
        found = [visible(name) for name in seen]
        if len(found) != 1 or own.get(VISIBLE, found[0]) != found[0]:
            raise RefusedError(
                f"the worker of card {own.get(VISIBLE, 'alone')} sees"
                f" {', '.join(found) or 'no card'}; set {VISIBLE} to one card, and run"
                " again to train on it alone"
            )
