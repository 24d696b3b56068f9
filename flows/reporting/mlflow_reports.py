"""What MLflow is told of a run of the pipeline: what it made or, where its training failed, that it did.

MLflow only watches: an outage is the line of whoever called.
"""

from collections.abc import Callable

from flows.with_dvc.reproduced import FINAL_CODES, StageFailure

TRAINING = ("sweep", "verify")  # stages whose runs an executor may train


def tell_of_failure(
    stage: str, failure: BaseException | None, warn: Callable[[str], None]
) -> None:
    """Mark the sweep as failed where training did; bad input and a stop say nothing about the runs."""
    is_final = isinstance(failure, StageFailure) and failure.exit_code in FINAL_CODES
    if stage not in TRAINING or is_final:
        return
    from stages.runs.mlflow_store.publish import record_failure
    from stages.runs.mlflow_store.store import TrackingOutage

    try:
        record_failure(stage, str(failure or "failed"))
    except TrackingOutage as outage:
        warn(str(outage))
