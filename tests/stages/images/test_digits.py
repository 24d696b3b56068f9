"""The whole pipeline on scikit-learn's digits: from an image pool to a decision record with the error as metric."""

import json
from copy import deepcopy

import polars as pl
import pytest
import yaml

from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.settings.params import load_params

# of the README
EXAMPLE = yaml.safe_load((ROOT / "docs/digits.yaml").read_text("utf-8"))
ARMS = EXAMPLE["arms"]["arms"]


@pytest.fixture(scope="module")
def params():
    """The example, made smaller."""
    params = deepcopy(EXAMPLE)
    params["ingest"].pop("wheel_cache")
    params["score"] = {"images": {"metrics": ["el2n"], "models": 2, "samples": 3200}}
    params["arms"] |= {"draws": 2, "draw_tokens": 600}
    params["sweep"] |= {
        "sizes": ["mlp-8", "mlp-32"],
        "control_sizes": ["mlp-8"],
        "budgets_tokens": [640, 1600, 4800, 9600],
        "device": "cpu",
    }
    params["sweep"]["regularisations"].pop()
    params["fit"] |= {"laws": ["power_floor", "chinchilla"], "draws": 60, "starts": 16}
    params["decide"] |= {"target_flops": [1.0e7, 1.0e8]}
    return params


@pytest.fixture(scope="module")
def project(tmp_path_factory, params, run_stages):
    return run_stages(tmp_path_factory.mktemp("digits"), params, "report")


def test_the_pipeline_ends_in_a_decision_on_the_error(project):
    decision = json.loads((project / "data/decisions/prune.json").read_text())
    assert decision["metric"] == {
        "name": "error_digits",
        "domain": "digits",
        "unit": "share wrong",
    }
    assert decision["status"] in (
        "decided",
        "tie",
        "insufficient_evidence",
        "extrapolating",
    ) and set(decision["labels"]) == set(ARMS)
    assert all(
        0 < target["values"][arm][0] < 1
        for target in decision["targets"]
        for arm in ARMS
    )
    assert "nats" not in decision["heldout_check"]["text"] and "nats" not in (
        project / "data/report/index.html"
    ).read_text("utf-8")


def test_the_runs_table_counts_samples(project):
    runs = pl.read_parquet(project / "data/sweep/runs.parquet")
    assert set(runs["modality"]) == {"image"} and set(runs["metric"]) == {
        "error_digits",
        "loss_digits",
    }
    assert (
        sorted(set(runs["n_samples_seen"])) == [640, 1600, 4800, 9600]
        and (runs["n_samples_seen"] == runs["n_tokens_seen"]).all()
    )
    error = runs.filter(metric="error_digits", arm="keep_100")
    by_budget = dict(
        error.group_by("n_samples_seen").agg(pl.col("value").mean()).iter_rows()
    )
    assert (
        by_budget[9600] < by_budget[640] < 0.9 and by_budget[9600] < 0.25
    )  # they learn
    unique = dict(
        runs.filter(pl.col("n_samples_seen") == 9600)
        .group_by("arm")
        .agg(pl.col("n_samples_unique").mean())
        .iter_rows()
    )
    assert unique["keep_100"] == pytest.approx(600, abs=2) and unique[
        "hard_30"
    ] == pytest.approx(180, abs=2)


def test_easy_images_are_those_that_are_learned_first(project):
    views = pl.read_parquet(project / "data/arms/views.parquet").join(
        pl.read_parquet(project / "data/score/scores.parquet"), on="id"
    )
    by_arm = dict(views.group_by("arm").agg(pl.col("el2n").mean()).iter_rows())
    assert by_arm["easy_30"] < by_arm["random_30"] < by_arm["hard_30"]


def test_held_out_images_are_in_no_arm(project):
    held = pl.read_parquet(project / "data/ingest/heldout/digits.parquet")
    views = pl.read_parquet(project / "data/arms/views.parquet")
    assert not set(held["id"]) & set(views["id"]) and 400 < held.height < 680


def test_a_sweep_that_is_done_trains_nothing(project, monkeypatch):
    monkeypatch.chdir(project)
    files = {
        file: file.stat().st_mtime_ns
        for file in (project / "data/sweep/runs").glob("*.json")
    }
    before = pl.read_parquet("data/sweep/runs.parquet")
    next(stage for stage in PIPELINE if stage.name == "sweep").run(
        load_params("params.yaml", PIPELINE)["sweep"]
    )
    assert {
        file: file.stat().st_mtime_ns
        for file in (project / "data/sweep/runs").glob("*.json")
    } == files
    assert pl.read_parquet("data/sweep/runs.parquet").equals(before)


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        (
            "ingest",
            {"pools": {"digits": {"images": "cats", "heldout": 0.3}}},
            "ingest.pools.digits: images must be one of digits, mnist_5k",
        ),
        (
            "ingest",
            {
                "pools": {
                    "digits": {"images": "digits", "heldout": 0.3, "reference": 0.2}
                }
            },
            "pool 'digits' is of modality image: it cannot have",
        ),
        (
            "ingest",
            {"modality": "text"},
            "pool 'digits' is of modality text: it cannot have images",
        ),
        (
            "sweep",
            {"sizes": ["25k"]},
            "sweep.sizes: 25k is no image proxy, and ingest.modality is image",
        ),
        (
            "arms",
            {"arms": ARMS | {"hard_30": {"by": "forgetting"}}},
            "arms.arms.hard_30.by: no score 'forgetting'; scores of images are",
        ),
        (
            "arms",
            {"arms": ARMS | {"hard_30": {"keep": 0.3, "upweight": 0.5}}},
            "arms.arms.hard_30.upweight: is for text",
        ),
        (
            "arms",
            {"arms": ARMS | {"hard_30": {"dedup": "semantic"}}},
            "arms.arms.hard_30.dedup: images are searched for exact copies only",
        ),
        (
            "score",
            {"images": {"metrics": ["e2ln"]}},
            "score.images.metrics: no pruning metric 'e2ln'",
        ),
    ],
)
def test_a_mistake_in_params_is_one_line(params, refused, section, change, message):
    refused(params | {section: params[section] | change}, message)


def test_own_arrays_without_labels_are_one_line(params, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pl.DataFrame(
        {"array": [b"\0"], "shape": [[1, 1, 1]], "dtype": ["uint8"]}
    ).write_parquet("mine.parquet")
    params = params | {
        "ingest": {
            "modality": "image",
            "pools": {"mine": {"path": "mine.parquet", "heldout": 0.3}},
        }
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(InputError, match="mine.parquet: no column 'label'"):
        PIPELINE[0].run(load_params("params.yaml", PIPELINE)["ingest"])
