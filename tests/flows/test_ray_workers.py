"""Groups trained on Ray: the same run files as trained here, and one line where Ray cannot serve."""

import importlib.util
import json
import time
from concurrent.futures import ThreadPoolExecutor, wait

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
from stages.proxy.workforce.kinds import Kind, kind_of
from stages.proxy.workforce.planner import packed
from stages.proxy.workforce.probe import Candidate
from stages.sweeping.train_trunks import Work

needs_ray = pytest.mark.skipif(
    not importlib.util.find_spec("ray"),
    reason="ray is not installed (pip install 'assay[ray]')",
)


@pytest.fixture
def work(request, tmp_path, monkeypatch):
    """Two groups of two runs over a pack of random tokens, in a folder of their own."""
    budgets_tokens = getattr(request, "param", (640, 1280))
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
            budgets_tokens=budgets_tokens,
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


def assert_trained_as_here(work, folder):
    """Every run file is that of training in this process, but for the times."""
    for group in work.groups:
        for result in train_group(group, work.data, device="cpu"):
            written = json.loads(
                (folder / f"data/sweep/runs/t{result.spec.seed}.json").read_text()
            )["result"]
            expected = json.loads(json.dumps(result.to_dict()))
            for each in (written, expected):
                each.pop("seconds")
                [budget.pop("seconds") for budget in each["budgets"]]
            assert written == expected


@needs_ray
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_run_files_are_those_of_training_here(work, tmp_path):
    with ray_workers(work, 2, 0.0) as (train, n_tasks):
        assert n_tasks == 2 and len(work.groups) == 2
        for number in range(2):
            train(number)
    assert_trained_as_here(work, tmp_path)


@needs_ray
@pytest.mark.filterwarnings("ignore")  # Ray's own
@pytest.mark.parametrize("work", [(65_536, 131_072)], indirect=True)
def test_a_lost_node_costs_only_the_runs_on_it(work, tmp_path, monkeypatch):
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    try:
        with ray_workers(work, 0, 0.0) as (train, n_tasks):
            assert n_tasks == 2
            with ThreadPoolExecutor(2) as threads:
                groups = [threads.submit(train, number) for number in range(2)]
                begun = tmp_path / ".assay/checkpoints"
                while not begun.exists() or ray.available_resources().get("CPU", 0):
                    assert not any(group.done() for group in groups)
                    time.sleep(0.05)
                cluster.remove_node(nodes[0], allow_graceful=False)
                wait(groups)
            lost = [n for n, group in enumerate(groups) if group.exception()]
            assert len(lost) == 1
            with pytest.raises(RuntimeError, match="was taken away"):
                groups[lost[0]].result()
            kept = {path: path.read_bytes() for path in tmp_path.rglob("runs/*.json")}
            assert len(kept) == 2
            train(lost[0])  # on the node that is left
        assert all(path.read_bytes() == content for path, content in kept.items())
    finally:
        cluster.shutdown()
    assert_trained_as_here(work, tmp_path)


def test_what_the_cluster_holds_bounds_how_many_run():
    assert _that_fit({"CPU": 8.0}, 0.0) == 8
    assert _that_fit({"CPU": 8.0, "GPU": 2.0}, 0.25) == 8
    assert _that_fit({"CPU": 32.0, "GPU": 2.0}, 0.25) == 8
    assert _that_fit({"CPU": 32.0, "GPU": 2.0}, 1.0) == 2
    with pytest.raises(InputError, match="lower --gpus or add machines"):
        _that_fit({"CPU": 8.0}, 0.5)
