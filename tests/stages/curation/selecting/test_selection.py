import numpy as np
import polars as pl
import pytest

from stages.curation.selecting.selection import TAKES, keep_fraction, tiers
from stages.foundation.errors import InputError


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(0)
    n = 2000
    return pl.DataFrame(
        {
            "id": [f"{i:016x}" for i in range(n)],
            "n_tokens": rng.integers(1, 500, n),
            "score": rng.integers(0, 50, n) / 50,
        }
    )


@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize("fraction", [0, 0.05, 0.2, 0.5, 1])
def test_a_fraction_is_of_tokens_and_overshoots_by_less_than_a_document(
    pool, take, fraction
):
    kept = keep_fraction(pool, fraction, take=take)["n_tokens"].sum()
    wanted = fraction * pool["n_tokens"].sum()
    assert wanted <= kept < wanted + 500


def test_the_ends_and_the_middle_are_what_they_say(pool):
    means = {
        take: keep_fraction(pool, 0.2, take=take)["score"].mean() for take in TAKES
    }
    assert means["high"] > 0.85 and means["low"] < 0.12
    assert means["middle"] == pytest.approx(0.49, abs=0.02)
    assert means["random"] == pytest.approx(0.49, abs=0.04)


@pytest.mark.parametrize("take", TAKES)
def test_row_order_does_not_matter_and_is_kept(pool, take):
    kept = keep_fraction(pool, 0.3, take=take, seed=4)
    shuffled = keep_fraction(
        pool.sample(fraction=1, shuffle=True, seed=1), 0.3, take=take, seed=4
    )
    assert kept["id"].is_sorted() and kept.equals(shuffled.sort("id"))


def test_selections_are_nested(pool):
    for take in TAKES:
        small, large = (
            set(keep_fraction(pool, f, take=take)["id"]) for f in (0.2, 0.4)
        )
        assert small < large


def test_random_depends_on_the_seed_and_needs_no_score(pool):
    first, second = (
        set(keep_fraction(pool, 0.3, take="random", score=None, seed=seed)["id"])
        for seed in (0, 1)
    )
    assert len(first & second) / len(first) == pytest.approx(0.3, abs=0.06)


def test_tiers_are_the_bands_of_the_selection(pool):
    table = tiers(pool, [0.05, 0.2, 0.5, 1])
    assert table["id"].equals(pool["id"])
    for last, edge in enumerate([0.05, 0.2, 0.5, 1]):
        assert table.filter(pl.col("tier") <= last)["id"].equals(
            keep_fraction(pool, edge)["id"]
        )
    assert table.select("tier", "tier_name").unique().sort("tier")[
        "tier_name"
    ].to_list() == ["0-5", "5-20", "20-50", "50-100"]
    assert tiers(pool, [1])["tier"].unique().to_list() == [0]


def test_another_size_can_be_the_measure(pool):
    frame = pool.with_columns(n_chars=pl.lit(1))
    assert keep_fraction(frame, 0.25, size="n_chars").height == 500


def test_mistakes_are_named(pool):
    with pytest.raises(
        InputError, match="fraction 20 is outside 0 to 1; write 20 % as 0.2"
    ):
        keep_fraction(pool, 20)
    with pytest.raises(InputError, match="cannot take 'best'"):
        keep_fraction(pool, 0.2, take="best")
    with pytest.raises(InputError, match="1 of 2000 documents have no 'score'"):
        keep_fraction(
            pool.with_columns(score=pl.when(pl.col("id") != "0" * 16).then("score")),
            0.2,
        )
    with pytest.raises(InputError, match="must rise"):
        tiers(pool, [0.5, 0.2, 1])
