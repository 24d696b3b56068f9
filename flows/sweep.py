"""The runs of a stage as mapped Prefect tasks: one task a group, each in a worker process of its own or on Ray.

It fills the folder that the stage reads, sweep or verify, so `dvc repro` then finds the work done: run files are the
hand-over.
A group that fails or whose machine is taken away is retried and goes on from its checkpoint.
How many run at once is a limit of the task runner, which enforces it, and a Prefect concurrency limit, which shows it.
Cost: 2 s a sweep and 0.1 s a task over the local executor; a worker or a Ray process loads torch in 3 s (measured).
"""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.concurrency.sync import concurrency
from prefect.task_runners import ThreadPoolTaskRunner

from flows.prefect_server.own_server import WITHOUT
from flows.with_dvc.reproduced import BACKOFF_SECONDS, RETRIES
from stages import verify
from stages.foundation import hashes
from stages.foundation.errors import InputError, RefusedError
from stages.pipeline import PIPELINE
from stages.proxy.network.device import choose_device
from stages.proxy.training.data import ProxyData
from stages.proxy.workforce.gpus import check_seen, gpus_held
from stages.proxy.workforce.workers import Workers
from stages.runs.machine_load import machine_load_noted
from stages.runs.run_files import CARRIED_ON, SWEPT, RunFolder
from stages.settings.params import load_params
from stages.settings.sweep import SweepParams
from stages.settings.verify import VerifyParams
from stages.sweeping.branches import phases, train_lost_again, trained_data
from stages.sweeping.train_trunks import Work, missing_work, runs_lease
from stages.sweeping.trunks import planned
from stages.verification.branched import order_and_data

LIMIT = "assay-proxies"  # groups of runs at once, on the Prefect page under Concurrency


def fill(
    stage: str,
    params_file: str,
    executor: str = "prefect",
    n_workers: int = 0,
    gpus: float = 0.0,
) -> None:
    """Train what a stage, sweep or verify, would find missing.

    executor: prefect (worker processes here) or ray. n_workers: groups at once, 0 for all that fit.
    gpus: part of a GPU for each group, for Ray; 0 for none on CPU and a whole one on CUDA. Raises
    InputError for what no retry mends, RefusedError where groups failed for good; the others are on
    disk by then.
    """
    params = load_params(params_file, PIPELINE)[stage]
    if isinstance(params, VerifyParams):
        return fill_verify(params, executor, n_workers=n_workers, gpus=gpus)
    assert isinstance(params, SweepParams)
    require_inputs("sweep")
    with runs_lease():
        data, trunks = planned(params)
        fan = Fan(executor, params.device, n_workers, gpus, folder=SWEPT)
        train_lost_again(trunks)
        given = trained_data(data, trunks, watch=params.watch)
        for phase in phases(trunks):
            _train(phase, given, fan)


def fill_verify(
    params: VerifyParams,
    executor: str = "prefect",
    n_workers: int = 0,
    gpus: float = 0.0,
) -> None:
    """Train what the verify stage would find missing with these parameters; as `fill`."""
    if not params.train:
        return
    require_inputs("verify")
    with runs_lease(CARRIED_ON):
        plan = verify.planned(params)
        if missing := verify.missing_trunks(plan.asked.values()):
            fan = Fan(executor, params.device, n_workers, gpus, folder=CARRIED_ON)
            phases_left, given = order_and_data(missing, plan.data)
            for phase in phases_left:
                _train(phase, given, fan)


def require_inputs(name: str) -> None:
    """Hold what a stage reads to what was recorded of it. Raises InputError where it is damaged."""
    stage = next(stage for stage in PIPELINE if stage.name == name)
    hashes.require_whole(stage.deps)


@dataclass(frozen=True)
class Fan:
    """Where groups run: executor prefect or ray, device, groups at once, part of a GPU each, folder of the files."""

    executor: str
    device: str
    n_workers: int
    gpus: float
    folder: RunFolder


def _train(trunks: list, data: ProxyData, fan: Fan) -> None:
    train_with = _on_ray if fan.executor == "ray" else _here
    train_with(trunks, data, fan)


def _here(trunks: list, data: ProxyData, fan: Fan) -> None:
    """On this machine: groups in worker processes, on CPU or one and more a card, or one after another on the GPU
    that is held.
    """
    place = choose_device(fan.device)[0].type
    specs = [trunk["spec"] for trunk in trunks]
    with gpus_held(specs, place, most=fan.n_workers or len(specs)) as cards:
        work = missing_work(trunks, data, fan.device, folder=fan.folder, cards=cards)
        environments = work.environments(fan.n_workers)
        n_tasks = len(environments)
        with contextlib.ExitStack() as stack:
            # a process that has loaded torch goes from task to task
            idle: SimpleQueue[Workers | None] = SimpleQueue()
            for workers in _started(work, environments, stack):
                idle.put(workers)

            def train(number: int) -> None:
                worker = idle.get()
                try:
                    failures = work.train([work.groups[number]], worker, work.save)
                finally:
                    idle.put(worker)
                if failures:
                    raise RuntimeError(failures[0])

            with machine_load_noted(fan.folder.stage):
                _run(work, train, n_tasks)


def _started(
    work: Work,
    environments: Sequence[Mapping[str, str] | None],
    stack: contextlib.ExitStack,
) -> list[Workers | None]:
    """A worker for each environment, None where this process trains; all start before one is waited for."""
    started = [
        None
        if one is None
        else stack.enter_context(Workers(work.data, 1, [one], device=work.device))
        for one in environments
    ]
    for workers, one in zip(started, environments, strict=True):
        if workers and one is not None and work.place == "cuda":
            check_seen(workers, [one])
    return started


def _on_ray(trunks: list, data: ProxyData, fan: Fan) -> None:
    """On Ray, whose processes hold their own part of a GPU; this one holds a whole one only while it measures."""
    from flows.ray_workers import ray_workers

    place = choose_device(fan.device)[0].type
    with gpus_held([trunk["spec"] for trunk in trunks], place):
        per_card = int(1 / fan.gpus) if 0 < fan.gpus < 1 else 1
        work = missing_work(
            trunks, data, fan.device, folder=fan.folder, per_card=per_card
        )
    with ray_workers(work, fan.n_workers, fan.gpus) as (train, n_tasks):
        _run(work, train, n_tasks)


def _run(work: Work, train: Callable[[int], None], n_tasks: int) -> None:
    """One Prefect task a group. RefusedError where some failed for good."""
    if not work.groups:
        return
    trained = _without_prefect if WITHOUT in os.environ else _with_prefect
    failed = trained(work, train, n_tasks)
    if bad := [error for error in failed if isinstance(error, InputError)]:
        raise bad[0]
    if failed:
        first = (str(failed[0]).splitlines() or [type(failed[0]).__name__])[0]
        raise RefusedError(
            f"{len(failed)} of {len(work.groups)} groups of runs failed, the rest is"
            f" kept; the first: {first}"
        )


def _with_prefect(
    work: Work, train: Callable[[int], None], n_tasks: int
) -> list[BaseException]:
    _show_limit(n_tasks)
    runner = ThreadPoolTaskRunner(max_workers=n_tasks)
    return flow(name=work.folder.stage, task_runner=runner)(_train_all)(
        _Unseen((work, train))
    )


def _without_prefect(
    work: Work, train: Callable[[int], None], n_tasks: int
) -> list[BaseException]:
    """The same in plain threads, where Prefect has no server."""
    with ThreadPoolExecutor(n_tasks) as threads:
        found = threads.map(lambda n: _last_error(train, n), range(len(work.groups)))
        return [error for error in found if error]


def _last_error(train: Callable[[int], None], number: int) -> Exception | None:
    """Of a group that failed as often as it may; None where it is trained."""
    last: Exception | None = None
    for _ in range(1 + RETRIES):
        try:
            train(number)
            return None
        except InputError as error:
            return error
        except RuntimeError as error:
            last = error
    return last


class _Unseen:
    """Keeps Prefect from looking into the views and packs that every task reads."""

    def __init__(self, content: tuple[Work, Callable[[int], None]]) -> None:
        self.content = content


def _train_all(unseen: _Unseen) -> list[BaseException]:
    """What went wrong, one error a group that failed for good."""
    work, train = unseen.content

    @task(
        retries=RETRIES,
        retry_delay_seconds=BACKOFF_SECONDS,
        retry_condition_fn=_worth_a_retry,
        task_run_name="{label}",
    )
    def train_group(label: str, number: int) -> None:
        with concurrency(LIMIT, occupy=1):
            train(number)

    labels = [
        f"{group[0].arm} d{group[0].shape.d_model} and {len(group) - 1} more"
        for group in work.groups
    ]
    futures = train_group.map(labels, range(len(labels)))
    return [
        error
        for future in futures
        if isinstance(error := future.result(raise_on_failure=False), BaseException)
    ]


def _worth_a_retry(_task: object, _run: object, state: Any) -> bool:
    return not isinstance(state.result(raise_on_failure=False), InputError)


def _show_limit(n_tasks: int) -> None:
    """Set the limit and free its slots: those of a sweep that was killed would be held for ever."""
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(LIMIT, n_tasks)
        client.update_global_concurrency_limit(
            LIMIT, GlobalConcurrencyLimitUpdate(active_slots=0)
        )
