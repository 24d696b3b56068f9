"""The sweep as mapped Prefect tasks: one task a group of runs, each in a worker process of its own.

It fills the folder that the sweep stage reads, so `dvc repro` then finds the work done. A group that fails is
retried from its checkpoint; two sweeps never run at once, because DVC holds its lock for the stage alone.
"""

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

from stages.params import load_params
from stages.pipeline import PIPELINE
from stages.sweep import planned, proxy_data
from stages.train_trunks import Work, jobs, missing_work

RETRIES, RETRY_SECONDS = 2, 10


def fill(params_file: str, n_workers: int) -> None:
    """Train what the sweep stage would find missing."""
    params = load_params(params_file, PIPELINE)["sweep"]
    data, trunks = planned(params)
    work = missing_work(trunks, proxy_data(data), params.device)
    n_tasks = 1 if work.place == "cuda" else n_workers or jobs()  # one GPU, one lease
    flow(name="sweep", task_runner=ThreadPoolTaskRunner(max_workers=n_tasks))(_train_all)(_Shared(work))


class _Shared:
    """Keeps Prefect from looking into the views and packs that every task reads."""

    def __init__(self, work: Work) -> None:
        self.work = work


def _train_all(shared: _Shared) -> None:
    work = shared.work

    @task(retries=RETRIES, retry_delay_seconds=RETRY_SECONDS, task_run_name="{label}")
    def train_group(label: str, number: int) -> None:
        if failures := work.train([work.groups[number]], 1, work.save):
            raise RuntimeError(failures[0])

    labels = [f"{group[0].arm} d{group[0].shape.d_model} and {len(group) - 1} more" for group in work.groups]
    train_group.map(labels, range(len(labels))).result()
