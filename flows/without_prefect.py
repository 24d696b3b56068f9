"""The pipeline without Prefect, which only watches: the same stages by DVC, then MLflow."""

import sys
from concurrent.futures import ThreadPoolExecutor

from flows.dvc_stages import (
    BAD_INPUT,
    FINAL_CODES,
    StageFailure,
    reproduce,
    stale_reasons,
)
from stages import images
from stages.foundation.errors import InputError, RefusedError, in_file
from stages.pipeline import PIPELINE
from stages.settings.params import load_params
from stages.settings.sweep import SweepParams

ATTEMPTS = 3  # as with Prefect: a preempted or killed sweep goes on from its run files


def pipeline_without_prefect(
    params_file: str, executor: str, jobs: int, gpus: float
) -> int:
    """Bring every stage up to date and publish the runs; the exit code.

    executor: as for the flow; its `prefect` becomes the workers of the sweep stage.
    """
    for stage in PIPELINE:
        if not stale_reasons(stage):
            continue
        try:
            if stage.name == "sweep" and executor == "ray" and not images.are_pooled():
                fill_on_ray(params_file, jobs, gpus)
            _reproduce(stage.name, ATTEMPTS if stage.resumable else 1)
        except (InputError, RefusedError) as error:
            print(f"assay: {in_file(error, params_file)}", file=sys.stderr)
            return BAD_INPUT if isinstance(error, InputError) else 1
        except StageFailure as failure:
            print(f"assay: {failure}", file=sys.stderr)
            return failure.exit_code
    _publish()
    return 0


def fill_on_ray(params_file: str, n_workers: int, gpus: float) -> None:
    """The groups of runs on Ray, each tried again as with Prefect; RefusedError where some failed for good."""
    from flows.ray_workers import ray_workers
    from stages.proxy.network.device import choose_device
    from stages.proxy.workforce.gpus import gpus_held
    from stages.sweeping.train_trunks import missing_work, runs_lease
    from stages.sweeping.trunks import planned
    from stages.sweeping.views import proxy_data

    params = load_params(params_file, PIPELINE)["sweep"]
    assert isinstance(params, SweepParams)
    with runs_lease():
        views, trunks = planned(params)
        specs = [trunk["spec"] for trunk in trunks]
        with gpus_held(specs, choose_device(params.device)[0].type):
            work = missing_work(trunks, proxy_data(views), params.device)
        if not work.groups:
            return
        with ray_workers(work, n_workers, gpus) as (train, n_tasks):
            with ThreadPoolExecutor(n_tasks) as threads:
                found = threads.map(lambda n: _error(train, n), range(len(work.groups)))
                failed = [error for error in found if error]
    if failed:
        raise RefusedError(
            f"{len(failed)} of {len(work.groups)} groups of runs failed, the rest is"
            f" kept; the first: {failed[0]}"
        )


def _error(train, number: int) -> str:
    """The last error of a group that failed as often as it may; empty where it is trained."""
    why = ""
    for _ in range(ATTEMPTS):
        try:
            train(number)
            return ""
        except InputError:
            raise
        except RuntimeError as error:
            why = (str(error).splitlines() or [type(error).__name__])[0]
    return why


def _reproduce(name: str, attempts: int) -> None:
    for attempt in range(1, attempts + 1):
        try:
            return reproduce(name)
        except StageFailure as failure:
            if attempt == attempts or failure.exit_code in FINAL_CODES:
                raise


def _publish() -> None:
    from stages.runs.tracking import TrackingOutage, publish

    try:
        publish()
    except TrackingOutage as outage:
        print(
            f"assay: {outage}; `python -m stages publish` sends it later",
            file=sys.stderr,
        )
