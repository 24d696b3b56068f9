import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.runs.study import ADDED_SEED
from stages.settings.sweep import SweepParams
from stages.sweeping.trunks import CONTROL_SEED, plan
from stages.sweeping.views import Views

PARAMS = {
    "sizes": ["6k", "25k"],
    "control_sizes": ["6k"],
    "budgets_tokens": [1024, 2048],
    "regularisations": [{}, {"dropout": 0.1}],
    "context": 32,
    "batch_tokens": 256,
}
CONTROLS = {"twin": {"kind": "same"}, "less": {"kind": "drop_half"}}


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("pack")
    documents = ((str(i), rng.integers(1, 64, 49), 60) for i in range(20))
    pack = write_packed(folder / "p", documents, vocab_size=64, eos_id=0)
    made = {f"{arm}/2": View(pack, range(20)) for arm in ("all", "twin", "less")}
    return Views(pack, made, {}, {"controls": CONTROLS})


def cells(views, arm):
    trunks = plan(SweepParams(**PARAMS), views)
    specs = [trunk["spec"] for trunk in trunks if trunk["arm"] == arm]
    return {(spec.shape.d_model, spec.dropout) for spec in specs}, specs


def test_a_twin_is_trained_as_its_arm_is_and_other_controls_less(views):
    arm, _ = cells(views, "all")
    twin, _ = cells(views, "twin")
    less, _ = cells(views, "less")
    assert twin == arm and len(arm) == 4
    assert less == {(16, 0.0)}


def test_controls_start_from_other_weights_and_another_order(views):
    for arm, seed in (("all", 2), ("twin", 2 + CONTROL_SEED)):
        for spec in cells(views, arm)[1]:
            assert (spec.seed, spec.data_seed, spec.pool_draw) == (seed, seed, 2)


def test_the_largest_come_first_and_every_trunk_has_its_name(views):
    trunks = plan(SweepParams(**PARAMS), views)
    sizes = [trunk["spec"].shape.n_params for trunk in trunks]
    assert sizes == sorted(sizes, reverse=True)
    assert len({trunk["trunk_id"] for trunk in trunks}) == len(trunks) == 9


def test_an_arm_that_no_setting_is_tried_on_is_refused(views):
    rare = SweepParams(**PARAMS | {"regularisations": [{"min_epochs": 100}]})
    with pytest.raises(InputError, match="no setting is left for all/2, which sees"):
        plan(rare, views)


def test_an_added_run_is_trained_from_seeds_of_its_own_and_changes_no_other(views):
    grid = plan(SweepParams(**PARAMS), views)
    more = {"arm": "all", "size": "25k", "tokens": 4096, "weight_decay": 1.0}
    known = {"arm": "all", "size": "6k", "tokens": 2048}
    added = [more, known, known]
    trunks = plan(SweepParams(**PARAMS | {"added": added}), views)
    old = {trunk["trunk_id"] for trunk in grid}
    assert old < {trunk["trunk_id"] for trunk in trunks}
    specs = [trunk["spec"] for trunk in trunks if trunk["trunk_id"] not in old]
    assert sorted((s.budgets_tokens, s.seed, s.weight_decay) for s in specs) == [
        ((2048,), 2 + ADDED_SEED, 0.1),
        ((2048,), 2 + 2 * ADDED_SEED, 0.1),
        ((4096,), 2 + ADDED_SEED, 1.0),
    ]
    assert {spec.pool_draw for spec in specs} == {2}


def test_an_added_run_of_an_arm_that_is_gone_is_refused(views):
    gone = SweepParams(**PARAMS, added=[{"arm": "old", "size": "6k", "tokens": 1024}])
    with pytest.raises(InputError, match="no arm 'old'; take its runs out"):
        plan(gone, views)


def test_the_control_of_the_rate_is_tuned_as_its_arm_is_at_the_control_sizes(views):
    slow = {"kind": "lr", "like": "all", "times": 0.25}
    made = {**views.views, "slow/2": views.views["all/2"]}
    slower = Views(views.packed, made, {}, {"controls": {**CONTROLS, "slow": slow}})
    shapes, specs = cells(slower, "slow")
    assert shapes == {(16, 0.0), (16, 0.1)}
    assert {spec.lr for spec in specs} == {0.012 / 4}
    assert {spec.lr for spec in cells(slower, "all")[1]} == {0.012}
    assert {spec.seed for spec in specs} == {2 + CONTROL_SEED}
