"""Training that failed is said in MLflow; bad input, a stop and other stages are not a failure of the runs."""

import pytest

from flows.reporting.mlflow_reports import tell_of_failure
from flows.with_dvc.reproduced import StageFailure
from stages.runs.mlflow_store import publish
from stages.runs.mlflow_store.store import TrackingOutage


@pytest.fixture
def told(monkeypatch):
    """What MLflow was told."""
    lines = []
    monkeypatch.setattr(publish, "record_failure", lambda *line: lines.append(line))
    return lines


@pytest.mark.parametrize(
    ("stage", "code", "n_told"),
    [
        ("sweep", 1, 1),
        ("verify", 1, 1),
        ("sweep", 2, 0),
        ("sweep", 143, 0),
        ("fit", 1, 0),
    ],
)
def test_only_failed_training_is_told(told, stage, code, n_told):
    tell_of_failure(stage, StageFailure(stage, code, "lost"), pytest.fail)
    assert told == n_told * [(stage, f"stage {stage}: lost; go on with `assay run`")]


def test_an_outage_of_mlflow_is_a_warning(monkeypatch):
    def lost(*_):
        raise TrackingOutage("MLflow is down")

    monkeypatch.setattr(publish, "record_failure", lost)
    warnings = []
    tell_of_failure("sweep", StageFailure("sweep", 1), warnings.append)
    assert warnings == ["MLflow is down"]
