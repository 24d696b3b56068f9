"""What a child run holds: nats where it says nats, bits a byte where it says so, each count under its name."""

import json
import math
import time

import pytest

from stages.runs.mlflow_store import trunks
from stages.runs.mlflow_store.trunks import Sending, send_trunk


def sending(client, **known):
    return Sending(client=client, experiment="e0", parent="parent", **known)


@pytest.fixture
def sent(client, finished):
    """The child that one finished trunk becomes."""
    send_trunk(sending(client), finished())
    [child] = client.runs.values()
    return child


def at(child, key):
    """step -> value of one metric."""
    return {step: value for name, value, step in child.points if name == key}


def test_losses_are_in_the_unit_that_their_name_says(sent):
    assert at(sent, "heldout_news_loss_nats") == {2000: 4.5, 4000: 4.5}
    assert at(sent, "heldout_news_loss_nats_se") == {2000: 0.02, 4000: 0.02}
    assert at(sent, "heldout_news_bits_per_byte") == {2000: 1.25, 4000: 1.25}


def test_flops_tokens_and_size_are_each_under_their_name(sent):
    assert at(sent, "log10_flops") == pytest.approx(
        {2000: math.log10(3e8), 4000: math.log10(6e8)}
    )
    assert at(sent, "log10_tokens") == pytest.approx(
        {2000: math.log10(2000), 4000: math.log10(4000)}
    )
    n_params = 12 * 2 * 32**2  # two layers of width 32
    assert sent.data.params["n_params"] == str(n_params)
    assert at(sent, "log10_n_params") == pytest.approx(
        {2000: math.log10(n_params), 4000: math.log10(n_params)}
    )
    assert at(sent, "epochs") == {2000: 2.0, 4000: 4.0}
    assert at(sent, "items_quiz_accuracy") == {4000: 0.75}
    assert at(sent, "train_seconds") == {0: 12.5}


def test_the_training_curve_is_the_trunk_alone_and_finite(sent):
    assert at(sent, "train_loss_nats") == {256: 5.5, 512: 5.0}


def test_nothing_else_is_sent(sent):
    assert {name for name, _, _ in sent.points} == {
        "train_loss_nats",
        "log10_flops",
        "log10_tokens",
        "log10_n_params",
        "epochs",
        "heldout_news_loss_nats",
        "heldout_news_loss_nats_se",
        "heldout_news_bits_per_byte",
        "best_heldout_news_loss_nats",
        "best_heldout_news_loss_nats_se",
        "items_quiz_accuracy",
        "train_seconds",
    }


def test_a_child_carries_what_decides_it(sent):
    params = dict(sent.data.params)
    params.pop("n_params")
    assert params == {
        "arm": "keep_20",
        "lr": "0.012",
        "weight_decay": "0.5",
        "dropout": "0.25",
        "batch_tokens": "256",
        "seed": "7",
        "pool_draw": "3",
    }
    assert sent.data.tags == {
        "assay.trunk_id": "t1",
        "mlflow.parentRunId": "parent",
        "stage": "sweep",
        "arm": "keep_20",
        "control": "",
        "dvc_data": "data1",
        "data": "data1",
        "code": "code1",
        "diverged": "false",
    }
    assert sent.name == "keep_20-d32-wd0.5-p3-s7"
    assert sent.experiment == "e0" and sent.info.status == "FINISHED"
    assert sent.files["spec.json"]["seed"] == 7
    [data] = sent.inputs
    assert (data.dataset.name, data.dataset.digest) == ("keep_20", "data1")
    assert data.dataset.source_type == "local"
    assert json.loads(data.dataset.source) == {"uri": "data/arms/views.parquet"}
    [tag] = data.tags
    assert (tag.key, tag.value) == ("mlflow.data.context", "curated")


def test_times_are_in_milliseconds(client, finished):
    before = time.time()
    send_trunk(sending(client), finished())
    [child] = client.runs.values()
    assert child.times == {child.start_time} and isinstance(child.start_time, int)
    assert before - 0.002 <= child.start_time / 1000 <= time.time()


def test_a_diverged_trunk_says_so(client, finished):
    run = finished()
    run["result"]["diverged"] = True
    send_trunk(sending(client), run)
    [child] = client.runs.values()
    assert child.data.tags["diverged"] == "true"


def test_many_points_go_in_batches_and_parameters_with_the_first(
    client, monkeypatch, finished
):
    monkeypatch.setattr(trunks, "BATCH", 7)
    send_trunk(sending(client), finished())
    [child] = client.runs.values()
    assert child.batches == [7, 7, 6] and child.data.params["seed"] == "7"


def test_the_best_loss_stands_beside_the_last_with_its_own_error(client, finished):
    run = finished()
    last = run["result"]["budgets"][1]
    worse = {"loss_nats": 4.75, "standard_error_nats": 0.5}
    last["held_out"] = {"news": last["held_out"]["news"] | worse}
    send_trunk(sending(client), run)
    [child] = client.runs.values()
    assert at(child, "heldout_news_loss_nats") == {2000: 4.5, 4000: 4.75}
    assert at(child, "best_heldout_news_loss_nats") == {2000: 4.5}
    assert at(child, "best_heldout_news_loss_nats_se") == {2000: 0.02}


def test_a_run_of_images_says_share_wrong_and_nats_an_image(client, image_run):
    send_trunk(sending(client), image_run())
    [child] = client.runs.values()
    assert child.name == "keep_20-mlp8-wd0.5-p1-s7"
    assert at(child, "heldout_digits_error") == {64: 0.5, 128: 0.0}
    assert at(child, "heldout_digits_loss_nats") == {64: 1.0, 128: 0.5}
    # half the difference of two values
    assert at(child, "heldout_digits_loss_nats_se") == {64: 0.5, 128: 0.25}
    assert at(child, "best_heldout_digits_error") == {128: 0.0}
    n_params = 16 * 8 + 8 + 8 * 2 + 2
    assert child.data.params["n_params"] == str(n_params)
    assert child.data.params["batch_tokens"] == "16"
    assert at(child, "log10_flops")[128] == pytest.approx(
        math.log10(6 * n_params * 128)
    )
    # four seconds since the start of the trunk, at its last budget
    assert at(child, "train_seconds") == {0: 4.0}
    assert at(child, "gpu_hours") == {0: pytest.approx(4 / 3600)}
    assert child.data.tags["diverged"] == "false"


def test_what_dvc_and_git_know_of_a_run_is_on_it(client, finished):
    known = {"pool": "p.dir", "curated": "c", "heldout": "h.dir"}
    to = sending(client, digests=known, git="abc+", law="chinchilla", flow_run="f1")
    send_trunk(to, finished())
    [child] = client.runs.values()
    read = {
        data.tags[0].value: (data.dataset.name, data.dataset.digest)
        for data in child.inputs
    }
    assert read == {
        "pool": ("pool", "p.dir"),
        "curated": ("keep_20", "c"),
        "heldout": ("heldout", "h.dir"),
    }
    tags = child.data.tags
    assert (tags["dvc_data"], tags["data"]) == ("c", "data1")
    assert tags["git"] == "abc+" and tags["law"] == "chinchilla"
    assert tags["prefect_flow_run"] == "f1"
    assert len(child.data.params) < 15
