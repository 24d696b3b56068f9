"""Every column of the runs table comes out of a text run file and an image run file; what lacks its value is named."""

import dataclasses

import numpy as np
import polars as pl
import pytest

from stages.foundation.errors import InputError
from stages.foundation.files import write_json
from stages.images import sweep as image_sweep
from stages.proxy.images.data import ImageData
from stages.proxy.images.spec import ImageBudget, ImageResult, ImageSpec
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import BudgetResult, DomainLoss, RunResult, RunSpec
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.runs import run_files
from stages.runs.schema import (
    DECISION_VARIABLES,
    SCHEMA,
    columns_of,
    keys_of,
    markdown,
    row_of,
)
from stages.settings.sweep import SweepParams
from stages.sweeping.trunks import plan
from stages.sweeping.views import Views

MODALITIES = ("text", "image")
N_HELD_OUT = 4
SETTINGS = {"budgets_tokens": [256], "regularisations": [{"weight_decay": 0.2}]}


def saved(trunk, result):
    """The run file of a trunk, as the sweep writes and reads it."""
    run_files.save_run(trunk, result)
    [run] = run_files.finished([trunk["trunk_id"]])
    return run


@pytest.fixture
def text_run(tmp_path, monkeypatch):
    """One planned trunk with a result that nobody trained."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    documents = ((str(i), rng.integers(1, 64, 49), 60) for i in range(20))
    pack = write_packed(tmp_path / "pack", documents, vocab_size=64, eos_id=0)
    views = Views(
        pack,
        {"all/3": View(pack, range(20), arm="all/3")},
        {"web": pack},
        {"controls": {}},
    )
    params = SweepParams(
        sizes=["6k"], control_sizes=["6k"], context=32, batch_tokens=256, **SETTINGS
    )
    [trunk] = plan(params, views)
    web = DomainLoss(
        loss_nats=2.0,
        bits_per_byte=1.0,
        standard_error_nats=0.1,
        n_tokens=50,
        n_documents=2,
        document_loss_nats=np.array([1.0, 3.0]),
    )
    budget = BudgetResult(
        budget_tokens=256,
        n_tokens_seen=256,
        n_tokens_unique=200,
        epochs=1.28,
        flops=1e9,
        flops_exact=2e9,
        seconds=0.5,
        diverged=False,
        shares={"web|good": 0.75, "web|bad": 0.25},
        unique={"web|good": 150, "web|bad": 50},
        held_out={"web": web},
        items={"accuracy_quiz": (0.5, 0.1)},
    )
    curve = {name: [1] for name in run_files.CURVE}
    result = RunResult(
        spec=trunk["spec"],
        budgets=(budget,),
        curve=curve,
        diverged=False,
        device="cpu",
        seconds=0.5,
        stack_size=1,
    )
    return saved(trunk, result.to_dict())


@pytest.fixture
def image_run(tmp_path, monkeypatch):
    """The same of images."""
    monkeypatch.chdir(tmp_path)
    arms = {"controls": {}, "views": {"all/3": {"data_hash": "d"}}}
    write_json("data/arms/arms.json", arms)
    pixels, labels = np.zeros((6, 1, 4, 4), np.float32), np.arange(6) % 2
    held_out = pixels[:N_HELD_OUT], labels[:N_HELD_OUT]
    data = ImageData(pixels, labels, *held_out, {"all/3": np.arange(6)})
    params = SweepParams(
        sizes=["mlp-8"], control_sizes=["mlp-8"], batch_tokens=32, **SETTINGS
    )
    [trunk] = image_sweep.plan(params, data, "of the held-out images")
    budget = ImageBudget(
        n_samples_seen=256,
        n_samples_unique=6,
        epochs=256 / 6,
        flops=1e6,
        flops_exact=2e6,
        seconds=0.5,
        diverged=False,
        correct=np.array([True, True, True, False]),
        sample_loss_nats=np.array([1.0, 1.0, 2.0, 4.0]),
    )
    result = ImageResult(trunk["spec"], (budget,), "cpu", 1)
    json = image_sweep.result_json(result, {"digits": slice(0, N_HELD_OUT)})
    return saved(trunk | {"modality": "image"}, json)


@pytest.fixture
def text_table(text_run):
    return run_files.runs_table([text_run])


@pytest.fixture
def image_table(image_run):
    return image_sweep.runs_table([image_run])


def names_of(kind):
    return {field.name for field in dataclasses.fields(kind)}


PLACES = {
    "text": {
        "spec": names_of(RunSpec),
        "result": names_of(RunResult),
        "shape": set(dir(Shape)),
        "budget": names_of(BudgetResult) | {"run_id"},
    },
    "image": {
        "spec": names_of(ImageSpec),
        "budget": names_of(ImageBudget) | {"run_id"},
    },
}


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("column", SCHEMA, ids=lambda column: column.name)
def test_a_column_names_a_place_that_there_is(column, modality):
    path = column.of(modality)
    if not isinstance(path, str):
        return  # a constant, or none of this modality
    part, key = path.split(".")
    assert part in ("run", "spec", "result", "shape", "budget", "metric"), path
    if known := PLACES[modality].get(part):
        assert key in known, f"{column.name}: a {modality} run has no {path}"


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_column_comes_out_with_its_type(modality, request):
    table = request.getfixturevalue(f"{modality}_table")
    declared = columns_of(modality)
    assert {name: table.schema[name] for name in declared} == declared
    assert table.columns[: len(declared)] == list(declared)
    assert [name for name in declared if table[name].null_count()] == []


def test_the_values_of_a_text_run_are_those_of_its_file(text_table, text_run):
    rows = {row["metric"]: row for row in text_table.iter_rows(named=True)}
    assert {name: (row["value"], row["value_se"]) for name, row in rows.items()} == {
        "loss_web": (2.0, 0.1),
        "bpb_web": (1.0, 0.05),
        "accuracy_quiz": (0.5, 0.1),
    }
    row = rows["loss_web"]
    assert row["run_id"] == f"{text_run['trunk_id']}-256"
    assert (row["arm"], row["pool_draw"], row["modality"]) == ("all", 3, "text")
    assert (row["n_tokens_seen"], row["n_tokens_unique"]) == (256, 200)
    assert (row["flops"], row["flops_exact"], row["weight_decay"]) == (1e9, 2e9, 0.2)
    assert (row["share_web"], row["share_good"], row["unique_bad"]) == (1.0, 0.75, 50)


def test_the_values_of_an_image_run_are_those_of_its_file(image_table):
    rows = {row["metric"]: row for row in image_table.iter_rows(named=True)}
    assert rows["error_digits"]["value"] == 0.25
    assert rows["error_digits"]["value_se"] == pytest.approx(0.25)  # .5 / sqrt(4)
    assert rows["loss_digits"]["value"] == 2.0
    row = rows["loss_digits"]
    assert (row["n_tokens_seen"], row["n_samples_seen"]) == (256, 256)
    assert (row["n_tokens_unique"], row["n_samples_unique"]) == (6, 6)
    assert (row["batch_tokens"], row["batch_samples"], row["dropout"]) == (32, 32, 0.0)


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_value_that_the_run_file_lacks_is_named(modality):
    parts = {
        part: dict.fromkeys(keys_of(modality, part), 1)
        for part in ("run", "spec", "result", "shape", "budget", "metric")
    }
    assert set(row_of(modality, parts)) == set(columns_of(modality))
    del parts["budget"]["epochs"]
    parts["run"]["trunk_id"] = "f00d"
    with pytest.raises(InputError) as error:
        row_of(modality, parts)
    assert str(error.value) == (
        "run f00d: no budget.epochs, which the column epochs of the runs table holds;"
        " remove its file from data/sweep/runs and sweep again"
    )


def test_columns_are_declared_once_and_said_to_people():
    names = [column.name for column in SCHEMA]
    assert len(set(names)) == len(names)
    for column in SCHEMA:
        assert column.meaning, f"{column.name} has no meaning"
        assert f"| {column.name} | " in markdown()
        assert column.text or column.image, f"{column.name} comes from nowhere"
    assert "| n_samples_seen | Int64 | images |" in markdown()


def test_what_tells_runs_apart_is_a_parameter_in_mlflow():
    assert set(DECISION_VARIABLES) == {
        "arm",
        "n_params",
        "lr",
        "weight_decay",
        "dropout",
        "batch_tokens",
        "seed",
        "pool_draw",
    }


def test_losses_of_single_documents_and_images(text_run, image_run):
    losses = run_files.document_losses([text_run]).row(0, named=True)
    assert (losses["metric"], losses["loss_nats"]) == ("loss_web", [1.0, 3.0])
    images = image_sweep.image_losses([image_run])
    assert images.select("metric", "loss_nats").rows() == [
        ("error_digits", [0.0, 0.0, 0.0, 1.0]),
        ("loss_digits", [1.0, 1.0, 2.0, 4.0]),
    ]


def test_a_curve_names_its_trunk(text_run):
    [row] = run_files.curves([text_run]).iter_rows(named=True)
    assert (row["trunk_id"], row["arm"], row["pool_draw"]) == (
        text_run["trunk_id"],
        "all",
        3,
    )
    assert run_files.curves([text_run]).schema["budget_tokens"] == pl.Int64
