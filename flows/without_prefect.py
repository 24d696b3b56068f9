"""The pipeline without Prefect, which only watches: the same stages by DVC, then MLflow."""

import sys
import time

from flows.reporting.mlflow_reports import TRAINING, tell_of_failure
from flows.with_dvc.reproduced import (
    BACKOFF_SECONDS,
    BAD_INPUT,
    FINAL_CODES,
    StageFailure,
    reproduce,
    retries_of,
    stale_reasons,
)
from stages import images
from stages.foundation.errors import InputError, RefusedError, in_file
from stages.foundation.stage import Stage
from stages.pipeline import stages_upto


def pipeline_without_prefect(
    params_file: str, executor: str, jobs: int, gpus: float, upto: str = ""
) -> int:
    """Bring every stage up to date and publish the runs; the exit code.

    executor: as for the flow; its `prefect` becomes the workers of the sweep stage. upto: the last stage, by default
    the last there is.
    """
    for stage in stages_upto(upto):
        if not stale_reasons(stage):
            continue
        try:
            if stage.name in TRAINING and executor == "ray" and not images.are_pooled():
                from flows.sweep import fill

                fill(stage.name, params_file, executor, n_workers=jobs, gpus=gpus)
            _reproduce(stage)
        except (InputError, RefusedError) as error:
            why = in_file(error, params_file)
            code = BAD_INPUT if isinstance(error, InputError) else 1
            _warn(why)
            tell_of_failure(stage.name, StageFailure(stage.name, code, why), _warn)
            return code
        except StageFailure as failure:
            _warn(str(failure))
            tell_of_failure(stage.name, failure, _warn)
            return failure.exit_code
    _publish()
    return 0


def _reproduce(stage: Stage) -> None:
    """Tried as often as with Prefect, and after the same waits."""
    waits = BACKOFF_SECONDS[: retries_of(stage)]
    for seconds in (*waits, None):
        try:
            return reproduce(stage.name)
        except StageFailure as failure:
            if seconds is None or failure.exit_code in FINAL_CODES:
                raise
            time.sleep(seconds)


def _publish() -> None:
    from stages.runs.mlflow_store.publish import publish
    from stages.runs.mlflow_store.store import TrackingOutage

    try:
        publish()
    except TrackingOutage as outage:
        _warn(str(outage))


def _warn(line: str) -> None:
    print(f"assay: {line}", file=sys.stderr)
