"""From the runs table to the law: the choice of regularisation and the held-out resamples."""

import numpy as np
import polars as pl
import pytest

from stages.foundation.errors import InputError
from stages.runs.study import best_regularised, heldout_resamples


def table(
    values: dict[tuple[int, float], float], diverged: set = frozenset()
) -> pl.DataFrame:
    """One cell; {(pool_draw, weight_decay): value}."""
    return pl.DataFrame(
        [
            {
                "run_id": f"{d}-{w}",
                "arm": "a",
                "n_params": 10,
                "n_tokens_seen": 5,
                "pool_draw": d,
                "weight_decay": w,
                "dropout": 0.0,
                "value": v,
                "diverged": (d, w) in diverged,
            }
            for (d, w), v in values.items()
        ]
    )


def test_the_setting_of_a_draw_is_chosen_on_the_others():
    # On draw 0 the strong decay wins by luck; the other draws say the weak one is better.
    best = best_regularised(
        table(
            {
                (0, 0.1): 3.0,
                (0, 1.0): 1.0,
                (1, 0.1): 2.0,
                (1, 1.0): 9.0,
                (2, 0.1): 2.0,
                (2, 1.0): 9.0,
            }
        )
    )
    chosen = dict(best.select("pool_draw", "weight_decay").iter_rows())
    assert chosen[0] == 0.1


def test_a_further_seed_of_a_resample_is_a_row_and_no_other_draw():
    grid = table({(0, 0.1): 3.0, (0, 1.0): 2.0, (1, 0.1): 2.5, (1, 1.0): 4.0})
    rows = grid.with_columns(seed=pl.col("pool_draw"))
    again = rows.filter(pool_draw=0, weight_decay=1.0).with_columns(
        seed=pl.lit(10_000, pl.Int64), value=pl.lit(1.0)
    )
    best = best_regularised(pl.concat([rows, again]))
    # by draw 1 the weak decay is better for draw 0, whatever its own further seed says
    found = best.select("pool_draw", "seed", "weight_decay", "value").rows()
    assert found == [(0, 0, 0.1, 3.0), (0, 10_000, 1.0, 1.0), (1, 1, 1.0, 4.0)]


def test_choosing_from_noise_does_not_flatter():
    rng = np.random.default_rng(0)
    means = []
    for _ in range(300):
        best = best_regularised(
            table({(d, w): 3 + rng.normal() for d in range(4) for w in (0.1, 1.0)})
        )
        means.append(best["value"].mean())
    assert np.mean(means) == pytest.approx(3, abs=0.1)


def test_a_setting_that_diverged_is_out_and_an_arm_that_always_does_is_refused():
    values = {(d, w): 1.0 if w == 1.0 else 2.0 for d in (0, 1) for w in (0.1, 1.0)}
    best = best_regularised(table(values, diverged={(1, 1.0)}))
    assert set(best["weight_decay"]) == {0.1}
    with pytest.raises(InputError, match="every run of arm 'a' diverged"):
        best_regularised(table(values, diverged={(0, 0.1), (1, 1.0)}))


def test_heldout_resamples_centre_on_the_loss_and_pair_the_runs():
    rng = np.random.default_rng(1)
    n_tokens = rng.integers(50, 500, 40)
    common = rng.normal(3, 0.5, 40)
    losses = pl.DataFrame(
        {
            "run_id": ["x", "y"],
            "loss_nats": [
                (common * n_tokens).tolist(),
                ((common + 0.1) * n_tokens).tolist(),
            ],
        }
    )
    draws = heldout_resamples(losses, n_tokens, ["y", "x"], draws=2000, seed=0)
    assert draws.shape == (2000, 2)
    assert draws[:, 1].mean() == pytest.approx(
        (common * n_tokens).sum() / n_tokens.sum(), abs=0.02
    )
    assert np.allclose(draws[:, 0] - draws[:, 1], 0.1)
