"""A trunk that is carried on is the sweep's but for its budgets and setting, and no other run is taken for one."""

from dataclasses import replace
from types import SimpleNamespace

import polars as pl
import pytest

from stages.foundation.errors import InputError
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.runs.run_files import CARRIED_ON, SWEPT, save_run
from stages.runs.schema import columns_of
from stages.runs.trainer_version import code_hash
from stages.verification.carried_on import (
    best_settings,
    carried_specs,
    is_trained,
    kin,
    parents_of,
    table_after,
    trained_after,
    trunks_of,
    untrained,
)

SPEC = RunSpec(
    arm="all/0",
    shape=Shape(16, 1, 1, 32, 64),
    budgets_tokens=(256, 512),
    batch_tokens=128,
    seed=3,
)
VIEWS = SimpleNamespace(
    arms={"controls": {"twin": {"kind": "same", "like": "all"}}},
    data_hash=lambda arm, decay=None, loss="all": f"data of {arm}",
)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def finish(whole_run):
    """finish(spec, trunk_id, folder=..., **header): write the file of a run."""

    def finished(spec, trunk_id, *, folder=CARRIED_ON, **header):
        head = {
            "arm": spec.arm.rsplit("/", 1)[0],
            "data_hash": VIEWS.data_hash(spec.arm),
            "code_hash": code_hash(),
        }
        save_run(*whole_run(trunk_id, spec, **head | header), folder)

    return finished


def test_budgets_and_setting_change_and_nothing_else():
    view = SimpleNamespace(n_tokens=10_000, stages=None)
    [longer] = carried_specs(SPEC, [1024, 4096], (1.0, 0.1), view)
    assert (longer.budgets_tokens, longer.weight_decay, longer.dropout) == (
        (1024, 4096),
        1.0,
        0.1,
    )
    assert kin(longer.to_dict()) == kin(SPEC.to_dict())
    assert replace(longer, budgets_tokens=(256, 512), weight_decay=0.1, dropout=0) == (
        SPEC
    )


@pytest.mark.parametrize("change", [{"seed": 4}, {"lr": 0.02}, {"arm": "all/1"}])
def test_another_run_is_no_kin(change):
    assert kin(replace(SPEC, **change).to_dict()) != kin(SPEC.to_dict())


def test_simulated_epoching_grows_the_part_of_the_arm_with_the_budget():
    parent = replace(SPEC, unique_tokens=100)
    view = SimpleNamespace(n_tokens=800, stages=None)
    specs = carried_specs(parent, [1024, 4096], (0.1, 0.0), view)
    assert [(spec.budgets_tokens, spec.unique_tokens) for spec in specs] == [
        ((1024,), 200),
        ((4096,), 800),
    ]
    with pytest.raises(InputError, match="needs 800 different tokens .* has 799"):
        carried_specs(parent, [4096], (0.1, 0.0), SimpleNamespace(n_tokens=799))


def test_an_arm_in_stages_is_carried_on_by_a_run_a_budget():
    view = SimpleNamespace(n_tokens=10_000, stages=[0, 1])
    specs = carried_specs(SPEC, [1024, 4096], (0.1, 0.0), view)
    assert [spec.budgets_tokens for spec in specs] == [(1024,), (4096,)]


def test_a_trunk_is_named_by_spec_data_and_trainer_and_says_whether_it_is_a_control():
    plain, control = trunks_of([SPEC, replace(SPEC, arm="twin/0")], VIEWS)
    assert (plain["arm"], plain["control"]) == ("all", "")
    assert (control["arm"], control["control"]) == ("twin", "same")
    assert plain["trunk_id"] != control["trunk_id"]
    assert plain["code_hash"] == code_hash()


def test_a_trunk_that_the_sweep_has_trained_is_trained(finish):
    [trunk] = trunks_of([SPEC], VIEWS)
    assert not is_trained(trunk)
    finish(SPEC, trunk["trunk_id"], folder=SWEPT)
    assert is_trained(trunk)


def test_the_parent_is_the_trunk_of_the_table_with_the_largest_budget(finish):
    large = replace(SPEC, budgets_tokens=(1024,))
    finish(SPEC, "small", folder=SWEPT)
    finish(large, "large", folder=SWEPT)
    finish(replace(SPEC, budgets_tokens=(2048,)), "unused", folder=SWEPT)
    runs = pl.DataFrame({"trunk_id": ["small", "large", "large"]})
    assert parents_of(runs) == {("all", 0): large}


def test_runs_of_earlier_calls_count_and_those_of_other_data_or_trainers_do_not(finish):
    longer = replace(SPEC, budgets_tokens=(4096,), weight_decay=1.0)
    finish(longer, "earlier")
    finish(longer, "other-data", data_hash="x")
    finish(longer, "other-trainer", code_hash="x")
    finish(replace(longer, lr=0.1), "other-rate")
    (CARRIED_ON.path / "stack_sizes.json").write_text('{"sweep": "s"}')
    found = trained_after({("all", 0): SPEC}, [], VIEWS)
    assert [run["trunk_id"] for run in found] == ["earlier"]


def test_a_budget_that_was_reached_at_the_setting_is_not_trained_again(finish):
    finish(replace(SPEC, budgets_tokens=(1024, 4096), weight_decay=1.0), "earlier")
    runs = trained_after({("all", 0): SPEC}, [], VIEWS)
    same = replace(SPEC, budgets_tokens=(1024, 2048, 4096), weight_decay=1.0)
    other = replace(same, weight_decay=0.1)
    done = replace(same, budgets_tokens=(4096,))
    assert untrained([same, other, done], runs) == [
        replace(same, budgets_tokens=(2048,)),
        other,
    ]


def test_a_planned_trunk_of_the_sweep_is_found_there(finish):
    [trunk] = trunks_of([replace(SPEC, budgets_tokens=(4096,))], VIEWS)
    finish(trunk["spec"], trunk["trunk_id"], folder=SWEPT)
    found = trained_after({("all", 0): SPEC}, [trunk], VIEWS)
    assert [run["trunk_id"] for run in found] == [trunk["trunk_id"]]


def test_without_runs_the_table_has_its_columns():
    table = table_after([])
    assert table.is_empty() and dict(table.schema) == columns_of("text")
    assert best_settings(table, "loss_news", above=1e9).is_empty()


def measured(**changes):
    usual = {
        "run_id": "r",
        "arm": "all",
        "metric": "loss_news",
        "flops": 2e9,
        "n_tokens_seen": 1000,
        "pool_draw": 0,
        "diverged": False,
        "value": 4.0,
    }
    return usual | changes


def test_each_arm_stands_at_the_best_of_its_settings_above_what_was_fitted():
    table = pl.DataFrame(
        [
            measured(run_id="weak", value=4.2),
            measured(run_id="strong", value=4.1),
            measured(run_id="lost", value=1.0, diverged=True),
            measured(run_id="nan", value=float("nan")),
            measured(run_id="fitted", flops=1e9, n_tokens_seen=500),
            measured(run_id="bits", metric="bpb_news", value=1.5),
            measured(run_id="other-draw", pool_draw=1, value=4.3),
        ]
    )
    best = best_settings(table, "loss_news", above=1e9)
    assert best["run_id"].to_list() == ["strong", "other-draw"]
