"""Groups of runs on Ray: each Prefect task hands its group to a Ray process and waits for it.

Ray chooses the machine and gives the group its cores and its part of a GPU; the group writes its
run files into the project's folder, which every machine must see under the same path (a shared disk
on a cluster). Ray processes need neither Prefect nor its server. A process or machine that is taken
away ends the Prefect task with one line, and its retry goes on from the checkpoint. The cluster is
RAY_ADDRESS, else one started here that ends with this process.
"""

import contextlib
import os
from collections.abc import Callable, Iterator

from stages.foundation.errors import InputError
from stages.proxy.workforce.backlog import train_here
from stages.proxy.workforce.lease import device_lease, gpu_names
from stages.sweeping.machine_share import jobs
from stages.sweeping.train_trunks import Work, checkpoint_file

WHOLE = 1.0


@contextlib.contextmanager
def ray_workers(
    work: Work, n_workers: int, gpus: float
) -> Iterator[tuple[Callable[[int], None], int]]:
    """A function that trains group `number` on Ray, and how many groups run at once.

    gpus: part of a GPU a group; 0 for a whole one where the sweep trains on CUDA, none on CPU.
    """
    ray = _ray()
    gpus = gpus or (WHOLE if work.place == "cuda" else 0.0)
    # as Ray will do by itself soon; without it Ray warns
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    started_here = "RAY_ADDRESS" not in os.environ
    ray.init(
        num_cpus=n_workers or jobs() if started_here else None,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    try:
        n_fit = _that_fit(ray.cluster_resources(), gpus)
        # retries are Prefect's, where people see them
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_train_group)
        shared, folder = ray.put(work), os.getcwd()

        def train(number: int) -> None:
            try:
                ray.get(remote.remote(shared, number, folder, gpus))
            except ray.exceptions.RayTaskError as error:
                raise (
                    error.cause
                    if isinstance(error.cause, InputError)
                    else RuntimeError(_line(error.cause))
                ) from None
            except (ray.exceptions.RayError, ConnectionError) as error:
                raise RuntimeError(
                    f"the Ray process of group {number} was taken away: {_line(error)}"
                ) from None

        yield train, min(n_workers or n_fit, n_fit)
    finally:
        ray.shutdown()


def _train_group(work: Work, number: int, folder: str, gpus: float) -> None:
    """In a Ray process: train one group and write its run files."""
    os.chdir(folder)
    with device_lease(gpu_names(), gpus) if gpus else contextlib.nullcontext():
        failures = train_here(
            [work.groups[number]],
            work.data,
            on_result=work.save,
            checkpoint=checkpoint_file,
            settings=work.settings,
            device=work.device,
        )
    if failures:
        raise RuntimeError(failures[0].message)


def _that_fit(resources: dict[str, float], gpus: float) -> int:
    """Groups that the cluster can hold at once."""
    n_fit = int(resources.get("CPU", 0))
    if gpus:
        n_fit = min(
            n_fit, int(resources.get("GPU", 0)) * int(1 / gpus) if gpus <= 1 else 0
        )
    if n_fit < 1:
        raise InputError(
            f"no machine of the Ray cluster has a core and {gpus:g} GPUs for a group"
            f" (it has {resources.get('CPU', 0):g} cores and"
            f" {resources.get('GPU', 0):g} GPUs); lower --gpus or add machines"
        )
    return n_fit


def _ray():
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise InputError(
            "--executor ray needs Ray: pip install 'assay[ray]', or take --executor"
            " prefect"
        ) from None
    return ray


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
