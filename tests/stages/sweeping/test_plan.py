"""Which trunks a sweep plans from its parameters."""

import numpy as np
import pytest
from pydantic import ValidationError

from stages.foundation.errors import InputError
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.settings.sweep import SweepParams
from stages.sweeping.trunks import plan
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
