"""From a budget to a model size, a token count and a value."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.deciding.path import arm_path
from stages.laws.fitting.fit import fit_law


@pytest.fixture(scope="module")
def boot(simulated):
    rows, _ = simulated("overfit")
    rows = rows | {
        "value": (
            rows["value"]
            * np.exp(
                0.005 * np.random.default_rng(0).standard_normal(rows["value"].size)
            )
        )
    }
    return bootstrap(
        fit_law(get_law("overfit"), rows, n_starts=16, identify=False), rows, n_draws=50
    )


def test_a_given_size_sets_the_tokens(boot):
    path = arm_path(boot, [6e17, 6e18], {"all": {"n_tokens_unique": 1e9}}, n_params=1e8)
    np.testing.assert_allclose(path.n_tokens["all"], [1e9, 1e10])
    assert path.values["all"].shape == (2,) and path.draws["all"].shape == (50, 2)


def test_the_best_size_is_no_worse_than_any_given_one(boot):
    arms = {"all": {"n_tokens_unique": 1e9}}
    best = arm_path(boot, [1e19], arms).values["all"][0]
    assert all(
        best <= arm_path(boot, [1e19], arms, n_params=n).values["all"][0] + 1e-4
        for n in np.geomspace(1e7, 1e10, 30)
    )


def test_less_unique_data_is_never_better(boot):
    path = arm_path(
        boot,
        [1e20],
        {"scarce": {"n_tokens_unique": 1e8}, "plenty": {"n_tokens_unique": 1e12}},
    )
    assert path.values["scarce"][0] > path.values["plenty"][0]


def test_bad_requests_are_refused(boot, simulated):
    with pytest.raises(InputError, match="positive FLOPs"):
        arm_path(boot, [0.0], {"all": {"n_tokens_unique": 1e9}})
    with pytest.raises(InputError, match="no column 'n_tokens_unique'"):
        arm_path(boot, [1e19], {"all": {}})
    rows, _ = simulated("half_life")
    rows = rows | {"n_params": np.full(rows["value"].size, 1e6)}
    rows["flops"] = 6e6 * rows["n_tokens_seen"]
    no_size = bootstrap(
        fit_law(get_law("half_life"), rows, n_starts=8, identify=False), rows, n_draws=5
    )
    with pytest.raises(InputError, match="does not know model size.*say n_params="):
        arm_path(no_size, [1e19], {"all": {"n_tokens_unique": 1e9}})
