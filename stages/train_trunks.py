"""Train the trunks of a sweep that are not on disk yet: worker processes on CPU, one process on a GPU.

How many runs are stacked is measured once and kept with the runs, so that a sweep that is killed and goes
on computes what an undisturbed one would have.
"""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from stages.errors import RefusedError
from stages.files import content_hash, read_json, write_json
from stages.proxy.data import ProxyData
from stages.proxy.device import choose_device
from stages.proxy.probe import best_stack
from stages.proxy.spec import RunResult, RunSpec
from stages.proxy.stack import stacks, training_cost
from stages.proxy.train import train_group
from stages.proxy.workers import run_groups
from stages.run_files import RUNS, save_run

log = logging.getLogger("assay")
CHECKPOINTS = Path(".assay/checkpoints")
STACKS = "stack_sizes.json"
Trunk = dict[str, Any]


def jobs() -> int:
    """Worker processes: ASSAY_JOBS, else one a core that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(os.environ.get("ASSAY_JOBS") or 0) or cores


@dataclass(frozen=True)
class Work:
    """What is left of a sweep: groups of runs, what they read, and the headers of their files by spec hash."""

    groups: list[list[RunSpec]]
    data: ProxyData
    headers: dict[str, Trunk]
    device: str
    place: str  # cpu or cuda

    def save(self, result: RunResult) -> None:
        """Write the file of one finished run."""
        trunk = self.headers[content_hash(result.spec.to_dict())]
        save_run({key: trunk[key] for key in ("trunk_id", "arm", "control", "data_hash", "code_hash")}, result)

    def train(self, groups: list[list[RunSpec]], n_workers: int, on_result: Callable[[RunResult], None]) -> list[str]:
        """Train these groups; the messages of those that failed."""
        if self.place == "cuda":
            return _train_here(groups, self.data, self.device, on_result)
        failures = run_groups(groups, self.data, n_workers=n_workers, on_result=on_result, checkpoint=checkpoint_file, device=self.device)
        return [failure.message for failure in failures]


def missing_work(trunks: Sequence[Trunk], data: ProxyData, device: str) -> Work:
    """Groups of the runs without a file.

    trunks: the whole plan, {trunk_id, arm, control, data_hash, code_hash, spec}."""
    torch.set_num_threads(1)  # as in the workers: the stack size is measured for one thread
    place, _, reason = choose_device(device, trunks[0]["spec"].dtype)
    sizes = stack_sizes(trunks, device)
    log.info("sweep: %s; %s", reason, "; ".join(sorted({entry["reason"] for entry in sizes.values()})))
    groups = missing_groups(trunks, {key: entry["stack_size"] for key, entry in sizes.items()}, device)
    return Work(groups, data, {content_hash(trunk["spec"].to_dict()): trunk for trunk in trunks}, device, place.type)


def train(trunks: Sequence[Trunk], data: ProxyData, device: str) -> None:
    """Train every trunk without a file, and write one file each as they finish.

    Raises RefusedError with the first failure where runs failed; the others are on disk by then."""
    work = missing_work(trunks, data, device)
    total = sum(training_cost(group) for group in work.groups)
    with tqdm(total=round(total / 1e9), unit="GFLOP", desc="proxies", disable=None, smoothing=0.05) as bar:

        def keep(result: RunResult) -> None:
            work.save(result)
            bar.update(round(training_cost([result.spec]) / 1e9))

        failures = work.train(work.groups, jobs(), keep)
    if failures:
        raise RefusedError(f"{len(failures)} of {len(work.groups)} groups of runs failed, the rest is kept; the first: {failures[0]}")


def _train_here(groups: list[list[RunSpec]], data: ProxyData, device: str, save: Callable[[RunResult], None]) -> list[str]:
    """One process owns the GPU; a group is one batched model."""
    for group in groups:
        for result in train_group(group, data, device=device, checkpoint=checkpoint_file(group)):
            save(result)
    return []


def checkpoint_file(group: Sequence[RunSpec]) -> Path:
    """Where a group's state is kept while it trains."""
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    return CHECKPOINTS / f"{content_hash([spec.to_dict() for spec in group])}.pt"


def stack_sizes(trunks: Sequence[Trunk], device: str) -> dict[str, dict[str, Any]]:
    """Stack size and reason by kind of run, measured where the runs folder has none yet."""
    file = RUNS / STACKS
    known = read_json(file) if file.is_file() else {}
    for trunk in trunks:
        spec, key = trunk["spec"], stack_key(trunk["spec"], device)
        if key not in known:
            choice = best_stack(spec.shape, spec.batch_tokens, device=device, dtype=spec.dtype)
            known[key] = {"stack_size": choice.stack_size, "reason": choice.reason}
            write_json(file, known)
    return known


def stack_key(spec: RunSpec, device: str) -> str:
    return f"{device} d{spec.shape.d_model} x {spec.shape.n_layers} vocabulary {spec.shape.vocab_size} batch {spec.batch_tokens} x {spec.context}"


def missing_groups(trunks: Sequence[Trunk], sizes: dict[str, int], device: str) -> list[list[RunSpec]]:
    """Stacks of the whole plan less the runs on disk, so that what is left is stacked as in an undisturbed sweep."""
    done = {content_hash(trunk["spec"].to_dict()) for trunk in trunks if (RUNS / f"{trunk['trunk_id']}.json").is_file()}
    groups = stacks([trunk["spec"] for trunk in trunks], lambda spec: sizes[stack_key(spec, device)])
    left = [[spec for spec in group if content_hash(spec.to_dict()) not in done] for group in groups]
    return [group for group in left if group]
