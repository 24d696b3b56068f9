"""The half-life law as coded: every value that the authors' code gave."""

import numpy as np
import pytest

from stages.laws import get_law, half_life_code


@pytest.mark.parametrize("form", ["utility", "data"])
def test_the_authors_code_is_reproduced_for_every_budget_and_number_of_pools(
    evidence, form
):
    fits = [
        row
        for row in evidence("qqt_params.csv")
        if row["objective"] == f"effective_{form}"
    ]
    expected = [
        row
        for row in evidence("qqt_reference_predictions.csv")
        if row["objective"] == f"effective_{form}"
    ]
    assert len(expected) == 16
    for row in expected:
        n_pools = int(row["num_pools"])
        pools = [f"p{i}" for i in range(n_pools)]
        p = {"a": float(fits[0]["a"]), "d": float(row["d"])}
        for pool, fit in zip(
            pools, fits, strict=False
        ):  # the authors stretch each half-life by the number of pools
            p |= {
                f"beta_{pool}": -float(fit["b"]),
                f"tau_{pool}": n_pools * float(fit["half_life_epochs_tau"]),
            }
        v = {
            "n_tokens_seen": float(row["total_samples_seen"]),
            "n_tokens_unique": float(row["unique_samples"]),
        }
        v |= {f"share_{pool}": 1 / n_pools for pool in pools}
        found = half_life_code(pools, form).value(p, v)
        assert found[0] == pytest.approx(float(row["pred_imagenet_error"]), abs=1e-12)


def test_the_headline_numbers_to_four_digits():
    top = {"a": 0.025, "d": 0.1, "beta": 0.16, "tau": 6.7272727}
    found = get_law("half_life_code").value(
        top,
        {
            "n_tokens_seen": np.array([32e6, 128e6]),
            "n_tokens_unique": np.full(2, 12.8e6),
        },
    )
    np.testing.assert_allclose(found, [0.8175, 0.7127], atol=5e-5)
