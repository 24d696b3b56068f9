"""Records of searches with the fields that a verification reads."""

from types import SimpleNamespace

import pytest

from stages.searched.record import SearchedRecord


def record_of(kind, proposal, reference, best_run, **more):
    """A record of the question `q` with only what names, shares and predictions are read from."""
    usual = {
        "kind": kind,
        "question": SimpleNamespace(name="q"),
        "status": "decided",
        "target": None,
        "judges": [],
        "level": 0.9,
        "proposal": proposal,
        "reference": reference,
        "best_run": SimpleNamespace(shares=best_run, run_id="r"),
    }
    return SearchedRecord.model_construct(**usual | more)


@pytest.fixture(scope="session")
def searched_record():
    return record_of
