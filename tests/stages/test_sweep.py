"""What a sweep plans from its parameters, and what its summary leaves out."""

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from stages.foundation.errors import InputError, RefusedError
from stages.foundation.files import read_json
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.runs.run_files import RUNS
from stages.settings.hyperparameters import lr_sensitivity
from stages.settings.sweep import SweepParams
from stages.sweep import metrics
from stages.sweeping import train_trunks, trials
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


def specs(views, **changes):
    return [trunk["spec"] for trunk in plan(SweepParams(**PARAMS | changes), views)]


def test_without_options_a_trunk_is_what_it_always_was(views):
    found = specs(views)
    assert [(spec.arm, spec.shape.d_model) for spec in found] == [
        ("all/0", 32),
        ("tenth/0", 32),
        ("all/0", 16),
        ("tenth/0", 16),
    ]
    for spec in found:
        assert (
            spec.lr,
            spec.batch_tokens,
            spec.budgets_tokens,
            spec.schedule,
            spec.shape.qk_norm,
        ) == (0.012, 256, (1024, 2048), "wsd", True)
        assert (spec.z_loss, spec.base_width, spec.decay_arm, spec.unique_tokens) == (
            0.0,
            None,
            None,
            None,
        )


def test_rules_of_tuning_give_every_arm_of_a_size_the_same(views):
    width = specs(views, tuning={"rule": "width", "base_size": "6k"})
    assert {
        (spec.shape.d_model, spec.base_width, spec.base_depth) for spec in width
    } == {(16, 16, 2), (32, 16, 2)}
    law = specs(views, tuning={"rule": "step_law"})
    assert [spec.lr for spec in law if spec.shape.d_model == 32] == pytest.approx(
        [1.797 * 24576**-0.71292 * 2048**0.30749] * 2
    )
    assert {spec.batch_tokens for spec in law} == {
        32 * round(0.5807 * 2048**0.57094 / 32)
    }
    power = specs(views, tuning={"rule": "power"})
    assert {spec.schedule for spec in power} == {"power"}
    assert power[0].power_tokens == pytest.approx((4.6 * 8 / 0.012) ** (1 / 0.51))
    with pytest.raises(ValidationError, match="rule width needs base_size, one of 6k"):
        SweepParams(**PARAMS, tuning={"rule": "width"})


def test_a_curriculum_names_the_view_of_its_own_draw_and_changes_the_data_hash(views):
    trunks = plan(SweepParams(**PARAMS, decay_mix={"all": "tenth"}), views)
    hashes = {
        (trunk["arm"], trunk["spec"].decay_arm): trunk["data_hash"] for trunk in trunks
    }
    assert set(hashes) == {("all", "tenth/0"), ("tenth", None)}
    assert hashes["all", "tenth/0"] != views.data_hash("all/0")
    with pytest.raises(
        InputError, match="sweep.decay_mix names the arm 'gone', which arms.arms lacks"
    ):
        specs(views, decay_mix={"all": "gone"})


def test_simulated_epoching_cuts_every_arm_by_the_same_part(views):
    """The pool has 4000 tokens; a target of one pass needs 1024 of them for 1024 tokens: a quarter of every arm."""
    found = [spec for spec in specs(views, pool_passes=1.0) if spec.shape.d_model == 16]
    unique = {(spec.arm, spec.budgets_tokens): spec.unique_tokens for spec in found}
    assert unique == {
        ("all/0", (1024,)): 1024,
        ("all/0", (2048,)): 2048,
        ("tenth/0", (1024,)): 256,
        ("tenth/0", (2048,)): 512,
    }
    with pytest.raises(InputError, match="needs 1.02 times the pool of a draw"):
        specs(views, pool_passes=0.5)


def test_the_base_width_trial_is_kept_and_not_repeated(views, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []

    def losses_of(found, data, device):
        asked.append([spec.lr for spec in found])
        assert {(spec.arm, spec.shape.d_model, spec.base_width) for spec in found} == {
            ("all/0", 16, 16)
        }
        return {0.003: 4.0, 0.012: 3.5, 0.05: float("inf")}

    monkeypatch.setattr(train_trunks, "losses_of", losses_of)
    params = SweepParams(
        **PARAMS,
        tuning={"rule": "width", "base_size": "6k", "lrs": [0.003, 0.012, 0.05]},
    )
    assert tried(params, views).lr == tried(params, views).lr == 0.012
    assert asked == [[0.003, 0.012, 0.05]]
    kept = read_json(RUNS / trials.RATES)
    assert kept["best_lr"] == 0.012
    assert kept["sensitivity_nats"] == pytest.approx((4.0 + 3.5 + np.log(64)) / 3 - 3.5)
    monkeypatch.setattr(train_trunks, "losses_of", lambda *_: {0.003: float("inf")})
    with pytest.raises(
        RefusedError, match="every learning rate of sweep.tuning.lrs diverged"
    ):
        tried(params.model_copy(update={"decay_fraction": 0.3}), views)


def test_the_critical_batch_is_measured_once_and_used_for_all(
    views, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_trunks, "noise_of", lambda spec, data, device: 150.0)
    params = tried(SweepParams(**PARAMS, tuning={"critical_batch": True}), views)
    assert {
        (spec.batch_tokens, spec.budgets_tokens)
        for spec in (t["spec"] for t in plan(params, views))
    } == {(160, (960, 2080))}


def test_sensitivity_caps_what_a_broken_rate_costs():
    assert lr_sensitivity({0.01: 3.0, 0.02: 3.1}, 6.2) == pytest.approx(0.05)
    assert lr_sensitivity({0.01: 3.0, 1.0: float("nan")}, 6.0) == pytest.approx(1.5)


def test_the_best_of_a_sweep_is_never_a_diverged_run():
    table = pl.DataFrame(
        {
            "trunk_id": ["a", "b"],
            "metric": ["loss_x"] * 2,
            "value": [3.0, 1.0],
            "diverged": [False, True],
            "flops": [10.0, 100.0],
        }
    )
    assert metrics(table)["best_loss_x_nats"] == 3.0
    assert metrics(table)["diverged"] == 1
