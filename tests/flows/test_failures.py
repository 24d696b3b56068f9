"""What a failed run of the flow says of its cause, however deep Prefect has wrapped it."""

from prefect.results import ResultRecord, ResultRecordMetadata
from prefect.serializers import JSONSerializer
from prefect.states import Completed, Failed

from flows.with_dvc.reproduced import (
    BACKOFF_SECONDS,
    BAD_INPUT,
    StageFailure,
    retries_of,
)
from flows.with_dvc.tasks import _worth_a_retry, failure_of
from stages.pipeline import PIPELINE


def record(value):
    return ResultRecord(
        result=value,
        metadata=ResultRecordMetadata(serializer=JSONSerializer(), storage_key="k"),
    )


def test_the_failure_is_found_in_records_and_states_and_bad_input_is_not_retried():
    bad, refused = (
        StageFailure("sweep", BAD_INPUT, "no"),
        StageFailure("sweep", 1, "later"),
    )
    for failure, again in (
        (bad, False),
        (refused, True),
        (RuntimeError("killed"), True),
    ):
        plain, wrapped = Failed(data=failure), Failed(data=record(failure))
        for state in (
            plain,
            wrapped,
            Failed(data=wrapped),
            Failed(data=record(wrapped)),
        ):
            assert (
                failure_of(state) is failure
                and _worth_a_retry(None, None, state) == again
            )
    assert failure_of(Completed(data=None)) is None


def test_only_training_and_reading_from_outside_is_tried_again_each_time_later():
    retried = {stage.name for stage in PIPELINE if retries_of(stage)}
    assert retried == {"ingest", "sweep", "verify"}
    assert max(map(retries_of, PIPELINE)) == len(BACKOFF_SECONDS)
    assert BACKOFF_SECONDS == sorted(set(BACKOFF_SECONDS))
