import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.laws import get_law
from stages.laws.fitting.onset import power_law_onset

LAW = get_law("chinchilla")


def ladder(early, noise=0.001):
    """4 sizes x 8 budgets of a Chinchilla law; below 500k tokens the loss is held back by `early` a halving."""
    n, d = (
        axis.ravel()
        for axis in np.meshgrid([6e3, 25e3, 55e3, 147e3], 65_536 * 2.0 ** np.arange(8))
    )
    value = 1.5 + 40 / n**0.35 + 60 / d**0.3
    value *= np.exp(
        early * np.maximum(0, np.log2(524_288 / d))
        + noise * np.random.default_rng(0).standard_normal(len(n))
    )
    return {"n_params": n, "n_tokens_seen": d, "value": value}


def test_budgets_before_the_law_are_found_and_said():
    found = power_law_onset(LAW, ladder(early=-0.05))
    assert found.least_tokens == 524_288
    assert found.keep.sum() == 4 * 5
    assert found.reason.startswith(
        "budgets up to 262,144 tokens lie before the power law and are left out: the"
        " law of the larger ones misses 262,144 by -"
    )


def test_a_clean_ladder_keeps_every_budget():
    found = power_law_onset(LAW, ladder(early=0.0))
    assert found.keep.all()
    assert found.reason == "every budget follows the law"


def test_too_few_runs_are_refused():
    rows = {name: column[:5] for name, column in ladder(0.0).items()}
    with pytest.raises(
        InputError,
        match=(
            "the table has 5 runs at 2 budgets, finding where its law begins needs 7"
            " at 4"
        ),
    ):
        power_law_onset(LAW, rows)
