"""Runs of a swarm whose truth is known: its fall over budgets and the differences of its mixtures are found again."""

from types import SimpleNamespace

import numpy as np
import pytest

from stages.laws.choosing.bootstrap import equal_tailed
from stages.searched.asked import asked
from stages.searched.compared import weighted
from stages.searched.swarm import swarm_rows
from stages.verification import swarm_claim
from stages.verification.judged import Claim
from stages.verification.swarm_claim import swarm_prediction
from tests.stages.searched.conftest import (
    BEST,
    POOLS,
    TOKENS,
    losses,
    params_of,
    runs_of,
)

PRIOR = np.array([0.6, 0.1, 0.3])
SHARE = {"q:proposal": BEST, "q:reference": PRIOR}
LARGEST = 80_000
UNIQUE = np.full(3, 1e9)


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(swarm_claim, "N_DRAWS", 80)
    monkeypatch.setattr(swarm_claim, "N_STARTS", 8)


def predicted(searched_record, budgets):
    """What the runs at these budgets predict at eight times the largest, as claims judge it."""
    made = asked(params_of(runs=16), TOKENS)
    question = made.questions["mix"]
    rows = swarm_rows(question, runs_of(made, budgets=budgets, effect=0.01))
    named = {
        arm: dict(zip(POOLS, each.tolist(), strict=True)) for arm, each in SHARE.items()
    }
    record = searched_record(
        "mixture",
        named["q:proposal"],
        named["q:reference"],
        named["q:proposal"],
        metrics=[weighted(f"loss_{pool}", 1 / 3) for pool in POOLS],
        provenance=SimpleNamespace(params={"decide": {"target_flops": [1e9]}}),
    )
    prediction = swarm_prediction(record, question, rows, share=SHARE, unique=UNIQUE)
    columns = {arm: {"n_tokens_unique": 1e9} for arm in SHARE}
    claim = Claim(
        prediction, columns, n_params=2_000, reach=6.0 * 2_000 * LARGEST, level=0.9
    )
    return prediction, claim


def test_values_at_eight_times_the_compute_are_those_of_the_truth(searched_record):
    prediction, claim = predicted(searched_record, (10_000, 20_000, 40_000, LARGEST))
    rows = claim.rows([*SHARE], [8 * claim.reach] * 2)
    truth = [losses(share[None], 8 * LARGEST).mean() for share in SHARE.values()]
    assert prediction.fall is not None
    assert prediction.point(rows) == pytest.approx(truth, abs=0.02)
    drawn = prediction.new_runs(rows)
    low, high = equal_tailed(drawn, 0.9)
    assert (low < truth).all() and (truth < high).all()
    lead = drawn[:, 0] - drawn[:, 1]
    assert np.quantile(lead, 0.95) < 0 and lead.mean() == pytest.approx(
        truth[0] - truth[1], abs=0.01
    )


def test_one_budget_predicts_differences_alone(searched_record):
    prediction, claim = predicted(searched_record, (LARGEST,))
    rows = claim.rows([*SHARE], [8 * claim.reach] * 2)
    assert prediction.fall is None
    value = prediction.point(rows)
    truth = [losses(share[None], LARGEST).mean() for share in SHARE.values()]
    assert value[0] - value[1] == pytest.approx(truth[0] - truth[1], abs=0.01)
    drawn = prediction.new_runs(rows)
    assert drawn.shape[1] == 2 and (drawn[:, 0] < drawn[:, 1]).mean() > 0.9


@pytest.mark.parametrize(("passes", "rises"), [(0.5, False), (2.5, False), (5, True)])
def test_repeats_make_no_swarm_rise_whose_runs_do_not_repeat_often(passes, rises):
    """A kink between budgets was read as a rise: .3 nats too much at three times the compute."""
    budgets = LARGEST * np.array([0.125, 0.25, 0.5, 1.0])
    table = swarm_claim.fall_rows(
        {
            "n_params": np.repeat([2_000.0, 8_000.0], 4),
            "n_tokens_seen": np.tile(budgets, 2),
            "flops": 6 * np.repeat([2_000.0, 8_000.0], 4) * np.tile(budgets, 2),
        },
        read=PRIOR,
        unique=PRIOR * LARGEST / passes,
    )
    found = {law.name for law in swarm_claim.candidates_of(table)}
    assert bool(swarm_claim.RISING & found) == rises and len(found) >= 2
    assert ("half_life_mix" in found) == (passes > 1)
