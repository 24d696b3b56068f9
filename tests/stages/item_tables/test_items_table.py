"""A task of easy and hard items, foretold beyond its budgets: the truth is known, and one law of all misses it."""

import numpy as np
import polars as pl
import pytest

from stages.foundation.errors import InputError
from stages.item_tables.items_table import asked_of, items_table

FLOPS = np.geomspace(1e18, 1e20, 9)
N_EASY, N_HARD = 60, 90


def easy(flops):
    return np.exp(-((4e17 / flops) ** 0.8))


def hard(flops):
    return np.exp(-((1.2e20 / flops) ** 0.5))


def truth(flops):
    return (N_EASY * easy(flops) + N_HARD * hard(flops)) / (N_EASY + N_HARD)


def table(n_tries=40, seed=0, flat=0) -> pl.DataFrame:
    """A row an item and budget; `flat` further items are guessed right a quarter of the time."""
    rng = np.random.default_rng(seed)
    curves = [easy] * N_EASY + [hard] * N_HARD + [lambda flops: 0.25 + 0 * flops] * flat
    rows = [
        {
            "item": f"q{number:03d}",
            "flops": flops,
            "value": rng.binomial(n_tries, float(curve(flops))) / n_tries,
            "tries": n_tries,
        }
        for number, curve in enumerate(curves)
        for flops in FLOPS
    ]
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def found():
    return items_table(table(), "items.csv", at=[3e20, 1e21], n_held=3)


def test_the_two_kinds_of_item_are_told_apart(found):
    sizes = [each["items"] for each in found["clusters"]]
    assert sizes == [N_EASY, N_HARD] and found["n_items"] == N_EASY + N_HARD
    labels = [found["items"][f"q{number:03d}"] for number in range(N_EASY + N_HARD)]
    assert labels == [0] * N_EASY + [1] * N_HARD
    assert all(each["foretold"] for each in found["clusters"])


def test_the_score_is_foretold_at_three_and_ten_times_the_compute(found):
    near, far = found["at"]
    assert near["value"] == pytest.approx(truth(3e20), abs=0.04)
    assert far["value"] == pytest.approx(truth(1e21), abs=0.08)
    for each in (near, far):
        assert each["low"] < truth(each["flops"]) < each["high"]


def test_left_out_budgets_are_foretold_better_than_by_one_law(found):
    rows = found["held_out"]
    assert [row["flops"] for row in rows] == pytest.approx(FLOPS[-3:])
    off = {
        key: np.mean([abs(row[key] - row["measured"]) for row in rows])
        for key in ("clusters", "one_law")
    }
    assert off["clusters"] < 0.5 * off["one_law"], off


def test_items_that_do_not_rise_are_carried_along():
    made = items_table(table(flat=50), "items.csv", at=[1e21])
    flat = [each for each in made["clusters"] if not each["foretold"]]
    assert [each["items"] for each in flat] == [50]
    assert made["warnings"][0]["code"] == "flat_items"
    assert "50 items do not rise" in made["warnings"][0]["message"]
    [said], alone = made["at"], items_table(table(), "items.csv", at=[1e21])["at"][0]
    # three quarters of the items by their laws, and a quarter that stays at .25
    assert said["value"] == pytest.approx(0.75 * alone["value"] + 0.0625, abs=0.02)
    assert said["low"] < said["value"] < said["high"]


def test_a_task_that_nothing_learns_foretells_nothing():
    guessed = table().with_columns(value=pl.lit(0.25))
    made = items_table(guessed, "items.csv", at=[1e21])
    assert made["at"] == []
    assert "nothing is foretold" in made["warnings"][0]["message"]
    assert made["held_out"][0]["clusters"] is None


def test_runs_of_one_budget_are_added_up():
    rows = table(n_tries=10).drop("tries")
    twice = asked_of(pl.concat([rows, rows]), "items.csv")
    once = asked_of(rows, "items.csv")
    assert twice.passes == pytest.approx(2 * once.passes)
    assert (twice.tries == 2).all() and (once.tries == 1).all()
    assert twice.score() == pytest.approx(once.score())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop("item"), "no column 'item'; map the one"),
        (
            lambda t: t.with_columns(value=pl.lit(1.5)),
            "'value', row 1: 1.5 must lie in",
        ),
        (
            lambda t: t.with_columns(tries=pl.lit(0)),
            "'tries', row 1: 0 must be above 0",
        ),
        (lambda t: t.filter(pl.col("flops") < 5e18), "3 budgets .* at least 5"),
    ],
)
def test_a_table_of_no_use_is_one_line(change, message):
    with pytest.raises(InputError, match=message) as error:
        items_table(change(table()), "items.csv")
    assert "\n" not in str(error.value)
