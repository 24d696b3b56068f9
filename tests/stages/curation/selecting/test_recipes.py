"""What an arm offers a law, worked out by hand for two draws."""

import polars as pl

from stages.curation.selecting.recipes import recipes


def test_tokens_and_shares_are_means_over_the_draws():
    views = pl.DataFrame(
        {
            "arm": ["all", "all", "all", "best"],
            "draw": [0, 0, 1, 1],
            "weight": [1.0, 1.0, 1.0, 3.0],
            "tier": [0, 1, 0, 0],
            "n_tokens": [30, 10, 50, 20],
        }
    )
    found = recipes(views, ["all", "best"], ["high", "low"])
    # all: 80 tokens of the high tier and 10 of the low one in two draws
    assert found["all"] == {
        "n_tokens_unique": 45.0,
        "unique_high": 40.0,
        "share_high": 40 / 45,
        "unique_low": 5.0,
        "share_low": 5 / 45,
    }
    # laws divide by unique tokens: a tier that is not used has one, and no share
    assert (found["best"]["unique_low"], found["best"]["share_low"]) == (1.0, 0.0)
    assert found["best"]["share_high"] == 1.0
