"""Runs of a trial are those of the trainer, and only their losses and gradients come back."""

from dataclasses import replace

import pytest

from stages.proxy.training.noise_scale import gradient_noise_scale
from stages.proxy.training.train import train_group
from stages.sweeping import trial_runs
from tests.stages.sweeping.test_train_trunks import sweep  # noqa: F401


@pytest.fixture
def asked(sweep, monkeypatch):  # noqa: F811
    """Two rates of one run, and the data as a trainer reads them."""
    trunks, data = sweep
    monkeypatch.setattr(trial_runs, "proxy_data", lambda given: given)
    spec = trunks[0]["spec"]
    return [replace(spec, lr=rate) for rate in (0.001, 0.01)], data


def test_each_rate_has_the_loss_of_its_last_budget(asked):
    specs, data = asked
    found = trial_runs.losses_of(specs, data, "cpu")
    alone = {
        spec.lr: train_group([spec], data, device="cpu")[0].budgets[-1]
        for spec in specs
    }
    assert found == pytest.approx(
        {rate: last.held_out["held"].loss_nats for rate, last in alone.items()},
        rel=1e-5,
    )
    assert len(set(found.values())) == 2


def test_the_noise_is_taken_halfway_to_the_first_decay(asked):
    [spec, _], data = asked
    halfway = max(1, spec.segments[0].n_steps // 2) * spec.batch_tokens
    expected = gradient_noise_scale(spec, data, halfway, device="cpu")
    assert trial_runs.noise_of(spec, data, "cpu") == pytest.approx(expected)
