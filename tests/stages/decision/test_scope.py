"""What the proxies had of each arm where simulated epoching cut it."""

import polars as pl
import pytest

from stages.decision.scope import as_trained

DRAWN = {
    "few": {"n_tokens_unique": 1_000.0, "unique_t0": 1_000.0, "share_t0": 1.0},
    "all": {"n_tokens_unique": 5_000.0, "unique_t0": 1_000.0, "share_t0": 0.2},
}


def runs(*cells):
    return pl.DataFrame(
        cells, schema=["arm", "n_tokens_seen", "n_tokens_unique"], orient="row"
    )


def test_a_cut_arm_is_what_its_longest_runs_passed_over():
    rows = runs(("few", 2_000, 100), ("few", 8_000, 400), ("all", 8_000, 2_000))
    found = as_trained(DRAWN, rows)
    assert found["few"] == pytest.approx(
        {"n_tokens_unique": 400, "unique_t0": 400, "share_t0": 1.0}
    )
    assert found["all"]["unique_t0"] == pytest.approx(400)


def test_an_arm_that_is_not_cut_or_not_repeated_stays():
    whole = runs(("few", 20_000, 990), ("all", 3_000, 2_900))
    assert as_trained(DRAWN, whole) == DRAWN
