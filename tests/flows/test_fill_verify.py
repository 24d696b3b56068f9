"""The runs of verify fan out as those of the sweep: only what is missing, into the folder of verify."""

import contextlib
from types import SimpleNamespace

import pytest

from flows import environment

environment.prepare()

from flows import sweep
from flows.commands.project.verify import verify_command
from stages.foundation.errors import InputError
from stages.runs.run_files import CARRIED_ON
from stages.settings.verify import VerifyParams
from stages.verification.asked import Asked

TRUNKS = [{"trunk_id": name} for name in ("done", "left", "also")]


@pytest.fixture
def handed(monkeypatch):
    """What is handed to be trained: (ids of the trunks, fan). Two questions share a trunk; one trunk is on disk."""
    asked = {
        "filter": Asked(None, None, {}, trunks=TRUNKS[:2]),
        "mix": Asked(None, None, {}, trunks=TRUNKS[1:]),
    }
    plan = SimpleNamespace(asked=asked, data=None)
    found, leases = [], []
    monkeypatch.setattr(sweep.verify, "planned", lambda params: plan)
    monkeypatch.setattr(
        sweep.verify, "is_trained", lambda trunk: trunk["trunk_id"] == "done"
    )
    monkeypatch.setattr(
        sweep, "order_and_data", lambda missing, data: ([missing], data)
    )
    monkeypatch.setattr(
        sweep,
        "runs_lease",
        lambda folder: leases.append(folder) or contextlib.nullcontext(),
    )
    monkeypatch.setattr(
        sweep,
        "_train",
        lambda trunks, data, fan: found.append(
            ([trunk["trunk_id"] for trunk in trunks], fan)
        ),
    )
    return SimpleNamespace(found=found, leases=leases)


def test_only_trunks_that_are_missing_are_trained_each_once(handed):
    sweep.fill_verify(VerifyParams(), "ray", n_workers=3, gpus=0.5)
    [(ids, fan)] = handed.found
    assert ids == ["left", "also"] and handed.leases == [CARRIED_ON]
    assert (fan.executor, fan.n_workers, fan.gpus) == ("ray", 3, 0.5)
    assert fan.folder is CARRIED_ON


def test_nothing_is_trained_where_training_is_off(handed):
    sweep.fill_verify(VerifyParams(train=False))
    assert handed.found == [] and handed.leases == []


def test_an_executor_that_does_not_exist_is_refused_first():
    with pytest.raises(InputError, match="--executor magic: must be one of local"):
        verify_command("p.yaml", None, None, [], as_json=False, executor="magic")
