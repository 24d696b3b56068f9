"""Groups trained on Ray: the same run files as trained here, and one line where Ray cannot serve."""

import importlib.util
import json

import numpy as np
import pytest

from flows.ray_workers import _that_fit, ray_workers
from stages.foundation.errors import InputError
from stages.foundation.files import content_hash
from stages.proxy.heldout.evaluate import HeldOut
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.proxy.training.data import ProxyData
from stages.proxy.training.train import train_group
from stages.proxy.workforce.planner import Kind, kind_of, packed
from stages.proxy.workforce.probe import Candidate
from stages.sweeping.train_trunks import Work

needs_ray = pytest.mark.skipif(
    not importlib.util.find_spec("ray"),
    reason="ray is not installed (pip install 'assay[ray]')",
)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Two groups of two runs over a pack of random tokens, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    documents = [(f"d{i}", random.integers(1, 64, 50), 50) for i in range(60)]
    pool = write_packed(tmp_path / "pool", documents, vocab_size=64, eos_id=0)
    held = write_packed(tmp_path / "held", documents[:5], vocab_size=64, eos_id=0)
    data = ProxyData({"all": View(pool, np.arange(60))}, {"held": HeldOut(held)})
    shape = Shape(16, 1, 1, 32, 64)
    specs = [
        RunSpec(
            arm="all",
            shape=shape,
            budgets_tokens=(640, 1280),
            batch_tokens=64,
            seed=seed,
        )
        for seed in range(4)
    ]
    plan = packed(
        specs,
        {
            kind_of(specs[0], "cpu"): Kind(
                {Candidate(1): 1000.0, Candidate(2): 4000.0}, 4
            )
        },
        n_workers=2,
    )
    headers = {
        content_hash(spec.to_dict()): {
            "trunk_id": f"t{spec.seed}",
            "arm": "all",
            "control": "",
            "data_hash": "d",
            "code_hash": "c",
        }
        for spec in specs
    }
    return Work(plan, data, headers, "cpu", "cpu")


@needs_ray
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_run_files_are_those_of_training_here(work, tmp_path):
    with ray_workers(work, 2, 0.0) as (train, n_tasks):
        assert n_tasks == 2 and len(work.groups) == 2
        for number in range(2):
            train(number)
    for group in work.groups:
        for result in train_group(group, work.data, device="cpu"):
            written = json.loads(
                (tmp_path / f"data/sweep/runs/t{result.spec.seed}.json").read_text()
            )["result"]
            expected = json.loads(json.dumps(result.to_dict()))
            for each in (written, expected):
                each.pop("seconds")
                [budget.pop("seconds") for budget in each["budgets"]]
            assert written == expected


def test_what_the_cluster_holds_bounds_how_many_run():
    assert _that_fit({"CPU": 8.0}, 0.0) == 8
    assert _that_fit({"CPU": 8.0, "GPU": 2.0}, 0.25) == 8
    assert _that_fit({"CPU": 32.0, "GPU": 2.0}, 0.25) == 8
    assert _that_fit({"CPU": 32.0, "GPU": 2.0}, 1.0) == 2
    with pytest.raises(InputError, match="lower --gpus or add machines"):
        _that_fit({"CPU": 8.0}, 0.5)
