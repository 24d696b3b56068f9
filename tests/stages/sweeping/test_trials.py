"""Trials before a sweep are made once, kept beside the runs and used for all."""

import numpy as np
import pytest

from stages.foundation.errors import RefusedError
from stages.foundation.files import read_json
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.runs.run_files import RUNS
from stages.settings.sweep import SweepParams
from stages.sweeping import trial_runs, trials
from stages.sweeping.trunks import plan, tried
from stages.sweeping.views import Views

PARAMS = {
    "sizes": ["6k", "25k"],
    "control_sizes": ["6k"],
    "budgets_tokens": [1024, 2048],
    "regularisations": [{}],
    "context": 32,
    "batch_tokens": 256,
}


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    random = np.random.default_rng(0)
    pack = write_packed(
        tmp_path_factory.mktemp("pack") / "p",
        ((str(i), random.integers(1, 64, 49), 60) for i in range(80)),
        vocab_size=64,
        eos_id=0,
    )
    held = write_packed(
        tmp_path_factory.mktemp("pack") / "h",
        [("x", random.integers(1, 64, 400), 500)],
        vocab_size=64,
        eos_id=0,
    )
    made = {"all/0": View(pack, range(80)), "tenth/0": View(pack, range(20))}
    return Views(pack, made, {"held": held}, {"controls": {}})


def test_the_base_width_trial_is_kept_and_not_repeated(views, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []

    def losses_of(found, data, device):
        asked.append([spec.lr for spec in found])
        assert {(spec.arm, spec.shape.d_model, spec.base_width) for spec in found} == {
            ("all/0", 16, 16)
        }
        return {0.003: 4.0, 0.012: 3.5, 0.05: float("inf")}

    monkeypatch.setattr(trial_runs, "losses_of", losses_of)
    params = SweepParams(
        **PARAMS,
        tuning={"rule": "width", "base_size": "6k", "lrs": [0.003, 0.012, 0.05]},
    )
    assert tried(params, views).lr == tried(params, views).lr == 0.012
    assert asked == [[0.003, 0.012, 0.05]]
    kept = read_json(RUNS / trials.RATES)
    assert kept["best_lr"] == 0.012
    assert kept["sensitivity_nats"] == pytest.approx((4.0 + 3.5 + np.log(64)) / 3 - 3.5)
    monkeypatch.setattr(trial_runs, "losses_of", lambda *_: {0.003: float("inf")})
    with pytest.raises(
        RefusedError, match="every learning rate of sweep.tuning.lrs diverged"
    ):
        tried(params.model_copy(update={"decay_fraction": 0.3}), views)


def test_the_critical_batch_is_measured_once_and_used_for_all(
    views, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trial_runs, "noise_of", lambda spec, data, device: 150.0)
    asked = SweepParams(**PARAMS, tuning={"critical_batch": True})
    params = tried(asked, views)
    # the rate is that of the batch in the section, carried as its square root
    assert params.lr == pytest.approx(asked.lr * (160 / asked.batch_tokens) ** 0.5)
    assert {
        (spec.batch_tokens, spec.budgets_tokens)
        for spec in (t["spec"] for t in plan(params, views))
    } == {(160, (960, 2080))}
