"""Which arms, budgets and settings are worth training after a decision."""

import polars as pl
import pytest

from stages.verification.chosen import (
    arms_to_train,
    budgets_to_train,
    setting_for,
    settings_by_budget,
    tokens_of,
    unfiltered_arm,
    winners,
)

PLAIN = {"upweight": None, "mixture": None}


def test_the_unfiltered_arm_takes_the_pool_as_it_is():
    arms = {
        "upweight_20": {**PLAIN, "keep": 1.0, "upweight": 0.5},
        "keep_50": {**PLAIN, "keep": 0.5},
        "keep_100": {**PLAIN, "keep": 1.0},
    }
    columns = {arm: {"n_tokens_unique": 900.0} for arm in arms}
    assert unfiltered_arm(arms, columns) == "keep_100"


def test_without_one_it_is_the_arm_with_the_most_different_tokens():
    arms = {name: {**PLAIN, "keep": 0.5} for name in ("a", "b", "c")}
    columns = {
        "a": {"n_tokens_unique": 400.0},
        "b": {"n_tokens_unique": 700.0},
        "c": {"n_tokens_unique": 600.0},
    }
    assert unfiltered_arm(arms, columns) == "b"


def test_the_two_best_and_the_unfiltered_are_trained():
    predicted = {"all": 4.3, "strict": 5.0, "half": 4.1, "upweight": 4.0}
    chosen = arms_to_train(predicted, "all", n_best=2)
    assert list(chosen) == ["upweight", "half", "all"]
    assert chosen["all"] == "the unfiltered pool"
    assert chosen["half"] == "second by prediction at the largest budget"


def test_where_the_unfiltered_is_among_the_best_the_next_is_trained():
    predicted = {"all": 4.0, "strict": 5.0, "half": 4.2, "upweight": 4.1}
    assert list(arms_to_train(predicted, "all", n_best=2)) == [
        "all",
        "upweight",
        "half",
    ]
    assert list(arms_to_train({"all": 4.0, "half": 4.2}, "all", n_best=2)) == [
        "all",
        "half",
    ]


def test_budgets_are_the_top_its_halves_and_the_targets_between():
    # halves of 8e9 are 4e9 and 2e9; the target at 3.9e9 stands for the first
    targets = [5e8, 3.9e9, 1e10]
    assert budgets_to_train(1e9, 8e9, targets, "wsd") == [2e9, 3.9e9, 8e9]
    assert budgets_to_train(1e9, 8e9, [], "power") == [2e9, 4e9, 8e9]
    assert budgets_to_train(1e9, 1.5e9, [], "wsd") == [1.5e9]


def test_a_target_next_to_another_is_left_out_and_the_top_always_stays():
    assert budgets_to_train(1e9, 2e9, [1.3e9, 1.5e9, 1.9e9], "wsd") == [1.5e9, 2e9]


@pytest.mark.parametrize("schedule", ["cosine", "wsd_s"])
def test_a_schedule_without_branches_is_trained_to_the_top_alone(schedule):
    assert budgets_to_train(1e9, 8e9, [2e9], schedule) == [8e9]


def test_budgets_are_whole_batches_of_tokens():
    # 6 N D with N = 100: 60,000 FLOPs are 100 tokens
    assert tokens_of([60_000, 61_000, 130_000], n_params=100, batch_tokens=32) == [
        96,
        224,
    ]


def swept(rows):
    """rows: arm, tokens, epochs, weight decay, dropout, values of the resamples, diverged."""
    return pl.DataFrame(
        [
            {
                "arm": arm,
                "n_tokens_seen": tokens,
                "epochs": epochs,
                "weight_decay": decay,
                "dropout": dropout,
                "value": value,
                "diverged": diverged,
            }
            for arm, tokens, epochs, decay, dropout, values, diverged in rows
            for value in values
        ]
    )


RUNS = swept(
    [
        ("all", 1000, 1.0, 0.1, 0.0, [4.0, 4.2], False),  # mean 4.1 wins
        ("all", 1000, 1.0, 1.0, 0.0, [3.9, 4.5], False),  # mean 4.2
        ("strict", 1000, 10.0, 0.1, 0.0, [5.0, 5.0], False),
        ("strict", 1000, 10.0, 1.0, 0.1, [4.8, 4.8], False),
        ("strict", 1000, 10.0, 3.0, 0.1, [1.0, 1.0], True),
        ("strict", 500, 5.0, 1.0, 0.0, [5.1, 5.1], False),
    ]
)
WON = winners(RUNS)


def test_the_setting_with_the_least_mean_wins_unless_it_diverged():
    won = {
        (row["arm"], row["n_tokens_seen"]): (row["weight_decay"], row["dropout"])
        for row in WON.iter_rows(named=True)
    }
    assert won == {
        ("all", 1000): (0.1, 0.0),
        ("strict", 1000): (1.0, 0.1),
        ("strict", 500): (1.0, 0.0),
    }


@pytest.mark.parametrize(
    ("epochs", "setting"),
    [(0.5, (0.1, 0.0)), (1.2, (0.1, 0.0)), (5.5, (1.0, 0.0)), (40.0, (1.0, 0.1))],
)
def test_a_setting_is_that_of_the_nearest_repeats(epochs, setting):
    assert setting_for(WON, "all", epochs) == setting


def test_of_equal_repeats_the_arm_itself_counts():
    won = pl.DataFrame(
        {
            "arm": ["a", "b"],
            "n_tokens_seen": [2000, 1000],
            "epochs": [3.0, 3.1],
            "weight_decay": [0.1, 1.0],
            "dropout": [0.0, 0.0],
        }
    )
    assert setting_for(won, "a", 3.05) == (0.1, 0.0)
    assert setting_for(won, "b", 3.05) == (1.0, 0.0)


def test_every_budget_has_the_setting_of_the_top_and_near_ones_the_fitted_too():
    # 8,000 tokens are 8 epochs of 1,000: the strict arm's ten are nearest
    chosen = settings_by_budget(WON, "all", [1500, 2000, 4000, 8000], n_unique=1000)
    assert chosen == {(1.0, 0.1): (1500, 2000, 4000, 8000), (0.1, 0.0): (1500, 2000)}


def test_one_setting_is_enough_where_both_are_the_same():
    assert settings_by_budget(WON, "strict", [8000, 2000], n_unique=100) == {
        (1.0, 0.1): (2000, 8000)
    }
