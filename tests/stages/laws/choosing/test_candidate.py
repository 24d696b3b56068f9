"""A candidate's refit below a fold: what it says of the runs held out, and of them at the fold's edge."""

import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.choosing.candidate import fitted_candidates, log_value, runs_of
from stages.laws.choosing.folds import Fold
from stages.laws.fitting.variant import Variant

FLOPS = np.geomspace(1e15, 1e18, 10)
ROWS = {"flops": FLOPS, "value": 2.0 + 3.0 * (FLOPS / 1e15) ** -0.3}
OPTIONS = {"arm_column": "arm", "n_starts": 8, "delta": None}
TOP = Fold("flops", FLOPS > 1e17)


def fitted(rows=ROWS, names=("power_floor",), cuts=(TOP,)):
    variants = [Variant(get_law(name)) for name in names]
    return fitted_candidates(
        variants, rows, cuts, separate=lambda law: (), options=OPTIONS
    )


def test_a_right_law_says_the_held_out_runs_and_their_value_at_the_edge():
    [candidate], refused = fitted()
    assert not refused
    np.testing.assert_allclose(candidate.below[0], np.log(ROWS["value"]), atol=1e-4)
    largest = FLOPS[~TOP.held].max()
    at_edge = np.log(2.0 + 3.0 * (largest / 1e15) ** -0.3)
    np.testing.assert_allclose(candidate.edge[0][TOP.held], at_edge, atol=1e-4)


def test_runs_that_are_held_out_do_not_move_the_refit():
    raised = ROWS | {"value": np.where(TOP.held, 9.0, ROWS["value"])}
    [candidate], _ = fitted(raised)
    said = candidate.below[0][~TOP.held]
    np.testing.assert_allclose(said, np.log(ROWS["value"][~TOP.held]), atol=1e-3)


def test_without_folds_nothing_is_refitted():
    [candidate], _ = fitted(cuts=())
    assert candidate.below.shape == candidate.edge.shape == (0, 10)


def test_a_law_that_the_runs_do_not_allow_is_named_with_the_reason():
    found, refused = fitted(names=("power_floor", "chinchilla"))
    assert len(found) == 1 and list(refused) == ["chinchilla"]
    with pytest.raises(InputError, match="no candidate could be fitted: chinchilla: "):
        fitted(names=("chinchilla",))


def test_logs_are_finite_whatever_the_value():
    said = log_value(np.array([1.0, 0.0, -1.0, np.nan, np.inf]))
    assert np.isfinite(said).all() and said[0] == 0.0


def test_runs_of_a_mask_keep_what_is_no_column():
    kept = runs_of(ROWS | {"unit": "nats", "scale": 2.0}, TOP.held)
    assert kept["flops"].size == TOP.held.sum()
    assert kept["unit"] == "nats" and kept["scale"] == 2.0
