"""Comparisons on anybody's table: what is shared, what is chosen, and what is refused."""

import numpy as np
import polars as pl
import pytest

from stages.foundation.errors import InputError
from stages.run_tables.arm_fits import fitted_arms
from stages.run_tables.compare_table import compare_table

ASKED = {
    "arm": "data",
    "law": "chinchilla",
    "cluster": None,
    "n_params": None,
    "n_draws": 100,
}


def table(gap=0.0, noise=0.003, seed=0):
    """Two data sets on one design; b is better by `gap` of the floor."""
    rng = np.random.default_rng(seed)
    n, d, arm = (
        grid.ravel()
        for grid in np.meshgrid(
            np.geomspace(1e7, 1e9, 4),
            np.geomspace(2e8, 5e10, 6),
            np.arange(2),
            indexing="ij",
        )
    )
    loss = (1.8 - gap * arm + 400 / n**0.34 + 1200 / d**0.33) * np.exp(
        noise * rng.standard_normal(n.size)
    )
    return pl.DataFrame(
        {
            "n_params": n,
            "n_tokens_seen": d,
            "value": loss,
            "data": [("a", "b")[int(i)] for i in arm],
        }
    )


def test_a_clear_winner_is_decided_with_any_sharing():
    for share in ("auto", "A,alpha,beta"):
        decisions = compare_table(
            table(gap=0.1), "t", at=[1e20], share=share, **ASKED
        ).decisions
        assert decisions[0].status == "decided" and decisions[0].best == "b"


def test_own_exponents_are_asked_unless_they_are_separate_already():
    rows = {
        name: table()[name].to_numpy()
        for name in ("n_params", "n_tokens_seen", "value")
    } | {"arm": table()["data"].to_numpy()}
    fitted = fitted_arms("chinchilla", rows, None, 50)
    assert set(fitted.own_exponents.fit.by_arm) - set(fitted.boot.fit.by_arm) >= {
        "beta"
    }
    assert fitted_arms("chinchilla", rows, None, 50, "none").own_exponents is None


def test_compute_alone_is_compared_by_laws_of_compute():
    rows = table(gap=0.1).select(
        flops=6 * pl.col("n_params") * pl.col("n_tokens_seen"),
        value="value",
        data="data",
    )
    done = compare_table(rows, "t", at=[1e20], **(ASKED | {"law": "auto"}))
    decisions, reason = done.decisions, done.reason
    assert ("power_floor" in reason or "compute_offset" in reason) and decisions[
        0
    ].best == "b"
    few = rows.filter(pl.col("flops").rank("dense") <= 4)
    found = compare_table(few, "t", at=[1e18], **(ASKED | {"law": "auto"}))
    assert "of the weight" in found.reason
    assert found.decisions[0].status != "decided"


def test_a_law_that_was_asked_for_stands_beside_the_one_that_predicts_best():
    """Compute alone cannot tell runs of different shape apart: the law of compute is not the best
    here, and the table says so.
    """
    reason = compare_table(
        table(gap=0.1), "t", at=[1e20], **(ASKED | {"law": "power_floor"})
    ).reason
    assert (
        "power_floor: asked for, though chinchilla errs less" in reason
        or "power_floor: asked for, though coupled errs less" in reason
    )


@pytest.mark.parametrize(
    ("rows", "share", "line"),
    [
        (table(), "all", "--share all leaves nothing to tell the arms apart"),
        (table(), "gamma", "no parameter 'gamma' to share"),
        (table().filter(pl.col("value") < 0), "auto", "no rows to compare"),
        (table().filter(pl.col("data") == "a"), "auto", "holds one arm, 'a'"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(rows, share, line):
    with pytest.raises(InputError, match=line):
        compare_table(rows, "t", at=[1e20], share=share, **ASKED)
