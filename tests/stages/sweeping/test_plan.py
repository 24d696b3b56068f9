"""Which trunks a sweep plans from its parameters."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from stages.foundation.errors import InputError
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.settings.sweep import SweepParams
from stages.sweeping.trunks import plan, repeating
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


def test_a_view_in_stages_is_trained_once_a_budget(views):
    staged = replace(views.views["tenth/0"], stages=np.arange(20) % 2)
    assert views.data_hash("tenth/0") != Views(
        views.packed, {"tenth/0": staged}, views.held_out, views.arms
    ).data_hash("tenth/0")
    both = Views(
        views.packed,
        {"all/0": views.views["all/0"], "tenth/0": staged},
        views.held_out,
        views.arms,
    )
    budgets = {
        (spec.arm, spec.shape.d_model, spec.budgets_tokens) for spec in specs(both)
    }
    assert budgets == {
        ("all/0", 32, (1024, 2048)),
        ("all/0", 16, (1024, 2048)),
        *(("tenth/0", width, (n,)) for width in (16, 32) for n in (1024, 2048)),
    }


def test_a_part_with_a_stage_below_one_batch_is_refused_before_any_training(views):
    """2,048 tokens that pass 8 times over the pool of 4,000 leave a sixteenth of each arm: 125 tokens a stage."""
    staged = replace(views.views["all/0"], stages=np.arange(80) % 2)
    apart = Views(views.packed, {"all/0": staged}, views.held_out, views.arms)
    with pytest.raises(InputError, match="in stage [12] of 2, has .* fewer stages"):
        specs(apart, pool_passes=8.0)


def test_what_decays_of_a_designed_arm_read_is_not_trained_alone(views):
    arms = views.arms | {"decays": {"all": "tenth"}}
    phased = Views(views.packed, views.views, views.held_out, arms)
    trunks = plan(SweepParams(**PARAMS), phased)
    assert {(trunk["arm"], trunk["spec"].decay_arm) for trunk in trunks} == {
        ("all", "tenth/0")
    }


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


def asked(**target):
    return SweepParams(
        **PARAMS, pool_passes="target", target={"params": 1e6, "tokens": 8e6} | target
    )


@pytest.fixture
def pooled(views):
    """The same views with the pools that they were drawn from: 4,000 of 40,000 tokens."""
    arms = views.arms | {"pool_tokens": {"web": 40_000}, "draw_tokens": {"web": 4e3}}
    return Views(views.packed, views.views, views.held_out, arms)


@pytest.mark.parametrize(
    ("pool_tokens", "passes"),
    [
        (4e6, 2.0),
        (1.6e7, 0.5),  # two passes over the quarter that the strictest arm keeps
        (8e7, None),  # .4 of it: nothing repeats, and budgets branch off one trunk
        (None, 200.0),  # as ingested
    ],
)
def test_proxies_repeat_as_the_target_will(pooled, pool_tokens, passes):
    params = repeating(asked(pool_tokens=pool_tokens), pooled)
    assert params.pool_passes == passes


def test_a_target_beyond_the_pool_at_hand_takes_all_of_it(pooled):
    params = repeating(asked(pool_tokens=2e7), pooled)  # .4 passes need 5,120 tokens
    unique = {
        (trunk["spec"].arm, trunk["spec"].budgets_tokens): trunk["spec"].unique_tokens
        for trunk in plan(params, pooled)
        if trunk["spec"].shape.d_model == 16
    }
    assert unique == {
        ("all/0", (1024,)): 2560,
        ("all/0", (2048,)): 4000,
        ("tenth/0", (1024,)): 640,
        ("tenth/0", (2048,)): 1000,
    }


def test_a_setting_for_many_passes_counts_those_of_the_target(pooled):
    many = {"regularisations": [{}, {"weight_decay": 1.0, "min_epochs": 6}]}
    params = SweepParams(**PARAMS | many, pool_passes=2.0)
    # two passes over the pool are eight over the quarter, whatever the budget
    decays = {
        arm: {
            trunk["spec"].weight_decay
            for trunk in plan(params, pooled)
            if trunk["arm"] == arm
        }
        for arm in ("all", "tenth")
    }
    assert decays == {"all": {0.1}, "tenth": {0.1, 1.0}}


def test_target_needs_a_target():
    with pytest.raises(ValidationError, match="needs a section `target`"):
        SweepParams(**PARAMS, pool_passes="target")
