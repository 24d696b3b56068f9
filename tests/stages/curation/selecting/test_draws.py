import numpy as np
import polars as pl
import pytest

from stages.curation.selecting.draws import disjoint_draws, draw
from stages.foundation.errors import InputError


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(0)
    n = 4000
    return pl.DataFrame(
        {
            "id": [f"{i:016x}" for i in range(n)],
            "parent": [f"{i // 8:016x}" for i in range(n)],
            "pool": np.where(np.arange(n) // 8 % 10 == 0, "good", "rest"),
            "n_tokens": rng.integers(1, 200, n),
        }
    )


@pytest.mark.parametrize("unit", ["id", "parent"])
def test_a_draw_has_its_size_and_its_pools_in_proportion(pool, unit):
    drawn = draw(pool, 100_000, 0, unit=unit)
    assert drawn["n_tokens"].sum() == pytest.approx(100_000, rel=0.02)
    share = pool.filter(pool="good")["n_tokens"].sum() / pool["n_tokens"].sum()
    assert drawn.filter(pool="good")["n_tokens"].sum() / drawn[
        "n_tokens"
    ].sum() == pytest.approx(share, abs=0.01)


def test_a_draw_depends_on_seed_and_ids_alone(pool):
    first = draw(pool, 50_000, 3)
    assert first["id"].is_sorted()
    assert (
        draw(pool.sample(fraction=1, shuffle=True, seed=0), 50_000, 3)
        .sort("id")
        .equals(first)
    )
    assert not draw(pool, 50_000, 4).equals(first)


def test_parents_stay_together(pool):
    drawn = draw(pool, 100_000, 0, unit="parent")
    whole = pool.join(drawn.select("parent").unique(), on="parent", how="semi")
    assert whole["id"].equals(drawn["id"])


@pytest.mark.parametrize("unit", ["id", "parent"])
def test_disjoint_draws_share_nothing(pool, unit):
    draws = disjoint_draws(pool, 90_000, 4, 0, unit=unit)
    assert pl.concat(draws)[unit].n_unique() == sum(
        part[unit].n_unique() for part in draws
    )
    assert all(
        part["n_tokens"].sum() == pytest.approx(90_000, rel=0.03) for part in draws
    )
    assert draws[0].equals(draw(pool, 90_000, 0, unit=unit))


def test_a_draw_of_everything_is_everything(pool):
    assert draw(pool, int(pool["n_tokens"].sum()), 0).equals(pool)


def test_more_than_there_is_is_refused(pool):
    with pytest.raises(InputError, match="need 1000000, the pool holds 403267"):
        disjoint_draws(pool, 500_000, 2, 0)
