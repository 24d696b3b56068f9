"""Run the same tasks in this process, in worker processes, or on Ray.

Question: who does the work? Input: a task (a picklable callable) and what to call it on. Output: results as they are
finished. A task writes its result to files that appear whole, so it can be run again anywhere; on Ray with several
machines, the work folder must be one that all of them see.
Cost: a worker process takes 1 s to start; Ray 5 s (measured).
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Protocol

from stages.foundation.errors import InputError, RefusedError
from stages.foundation.processes.pool import process_pool

EXECUTORS = ("local", "ray")
AHEAD = 4  # tasks handed out a worker, so that none waits and a long list costs nothing


class Executor(Protocol):
    """Something that calls a task on many things."""

    def map(self, task: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """Results in the order in which they are finished; the first error ends it."""


@contextmanager
def executor(kind: str, workers: int) -> Iterator[Executor]:
    """local: this process for one worker, else that many processes; ray: a running cluster, or one of this machine."""
    if kind == "ray":
        with _ray(workers) as found:
            yield found
    elif workers == 1:
        yield _Here()
    else:
        with process_pool(workers) as pool:
            yield _Processes(pool, workers)


class _Here:
    def map(self, task: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        return map(task, items)


class _Processes:
    def __init__(self, pool: ProcessPoolExecutor, workers: int) -> None:
        self.pool, self.workers = pool, workers

    def map(self, task: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        todo = iter(items)
        running: set[Future[Any]] = set()
        try:
            while True:
                running |= {
                    self.pool.submit(task, item)
                    for item in _some(todo, self.workers * AHEAD - len(running))
                }
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BrokenProcessPool:
            why = (
                "a worker was killed, most likely for memory; give fewer --workers or a"
                " smaller shard_mb, and run the same command again"
            )
            raise InputError(f"{why}: finished work is kept") from None


def _some(items: Iterator[Any], n: int) -> Iterable[Any]:
    return (item for _, item in zip(range(n), items, strict=False))


@contextmanager
def _ray(workers: int) -> Iterator[Executor]:
    try:
        import ray
    except ImportError:
        raise InputError(
            "--executor ray needs Ray; run: pip install 'assay[ray]'"
        ) from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    started = not ray.is_initialized()
    if started:
        ray.init(
            num_cpus=None if os.environ.get("RAY_ADDRESS") else workers,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
        )
    try:
        yield _Ray(ray, workers)
    finally:
        if started:
            ray.shutdown()


class _Ray:
    def __init__(self, ray, workers: int) -> None:
        self.ray, self.workers = ray, workers

    def map(self, task: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        remote = self.ray.remote(max_retries=3)(lambda shared, item: shared(item))
        shared = self.ray.put(task)
        todo = iter(items)
        running: list[Any] = []  # Ray's references
        while True:
            running += [
                remote.remote(shared, item)
                for item in _some(todo, self.workers * AHEAD - len(running))
            ]
            if not running:
                return
            done, running = self.ray.wait(running)
            try:
                yield from self.ray.get(done)
            except self.ray.exceptions.RayTaskError as error:
                told = isinstance(error.cause, InputError | RefusedError)
                raise (error.cause if told else error) from None
