"""Fits as JSON: for people, and for the next command."""

import json

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.choosing.record import fit_record, from_state, to_state
from stages.laws.deciding.crossover import crossovers
from stages.laws.fitting.fit import fit_law


@pytest.fixture(scope="module")
def boot(arm_runs):
    rows, _ = arm_runs(np.random.default_rng(0), 2)
    return bootstrap(
        fit_law(get_law("chinchilla"), rows, by_arm=("E", "B"), n_starts=8),
        rows,
        n_draws=20,
    )


def test_a_record_is_plain_and_complete(boot):
    record = json.loads(json.dumps(fit_record(boot.fit, boot).model_dump()))
    own = record["params"]["B"]["a"]
    assert record["law"] == "chinchilla" and own["low"] < own["value"] < own["high"]
    assert (
        record["params"]["alpha"]["unit"] == "1"
        and record["n_clusters"] == 90
        and record["starts"]["run"] == 8
    )
    assert fit_record(boot.fit).params["alpha"].low is None


def test_a_fit_comes_back_from_its_file_and_answers_the_same(boot):
    again = from_state(json.loads(json.dumps(to_state(boot))), get_law("chinchilla"))
    arms = {"a": {}, "b": {}, "c": {}}
    assert crossovers(again, arms, 1e16, 1e20) == crossovers(boot, arms, 1e16, 1e20)
    assert fit_record(again.fit, again) == fit_record(boot.fit, boot)
    np.testing.assert_array_equal(
        again.interval({"n_params": 1e8, "n_tokens_seen": 1e9}, "a", new_run=True),
        boot.interval({"n_params": 1e8, "n_tokens_seen": 1e9}, "a", new_run=True),
    )
    with pytest.raises(InputError, match="a fit of 'chinchilla', not of 'overfit'"):
        from_state(to_state(boot), get_law("overfit"))
