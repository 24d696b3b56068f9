"""MLflow's client in memory, and finished trunks to send."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from stages.images.sweep import result_json
from stages.proxy.images.spec import ImageBudget, ImageResult, ImageShape, ImageSpec


class Client:
    """Stands for MLflow's client: keeps in memory what it is sent."""

    def __init__(self):
        self.experiments, self.runs, self.gone, self.calls = {}, {}, {}, []

    def get_experiment_by_name(self, name):
        return self.experiments.get(name)

    def create_experiment(self, name, artifact_location, tags):
        self.experiments[name] = SimpleNamespace(
            experiment_id=f"e{len(self.experiments)}",
            name=name,
            location=artifact_location,
            tags=dict(tags),
        )
        return self.experiments[name].experiment_id

    def set_experiment_tag(self, experiment, key, value):
        [found] = [
            e for e in self.experiments.values() if e.experiment_id == experiment
        ]
        found.tags[key] = value

    def search_experiments(self, max_results):
        return list(self.experiments.values())[:max_results]

    def create_run(self, experiment, run_name, tags, start_time=None):
        run_id = f"r{len(self.runs) + len(self.gone)}"
        self.runs[run_id] = SimpleNamespace(
            info=SimpleNamespace(
                run_id=run_id, status="RUNNING", artifact_uri=f"files/{run_id}"
            ),
            data=SimpleNamespace(tags=dict(tags), params={}, metrics={}),
            start_time=start_time,
            times=set(),
            experiment=experiment,
            name=run_name,
            points=[],
            inputs=[],
            files={},
            batches=[],
        )
        return self.runs[run_id]

    def search_runs(self, experiments, wanted, max_results=1000, page_token=None):
        """The finished runs, two a page, or the runs of the sweep `filter`."""
        runs = [run for run in self.runs.values() if run.experiment in experiments]
        if wanted == "tags.`assay.sweep` = 'filter'":
            sweeps = [r for r in runs if r.data.tags.get("assay.sweep") == "filter"]
            return sweeps[:max_results]
        finished = {
            "attributes.status = 'FINISHED'": True,
            "attributes.status != 'FINISHED'": False,
        }[wanted]
        runs = [run for run in runs if (run.info.status == "FINISHED") == finished]
        start = int(page_token or 0)
        page = Page(runs[start : start + 2])
        page.token = str(start + 2) if start + 2 < len(runs) else None
        return page

    def get_run(self, run_id):
        return self.runs[run_id]

    def log_batch(self, run_id, metrics, params):
        run = self.runs[run_id]
        run.batches.append(len(metrics))
        run.points += [(m.key, m.value, m.step) for m in metrics]
        run.times |= {m.timestamp for m in metrics}
        run.data.params.update({p.key: p.value for p in params})

    def log_inputs(self, run_id, datasets):
        self.runs[run_id].inputs += datasets

    def log_dict(self, run_id, value, name):
        self.runs[run_id].files[name] = value

    def log_text(self, run_id, text, name):
        self.runs[run_id].files[name] = text
        self.calls.append(("text", run_id, name))

    def log_artifact(self, run_id, path):
        self.calls.append(("artifact", run_id, path))

    def set_tag(self, run_id, key, value):
        self.runs[run_id].data.tags[key] = value

    def delete_tag(self, run_id, key):
        del self.runs[run_id].data.tags[key]

    def set_terminated(self, run_id, status="FINISHED"):
        self.runs[run_id].info.status = status

    def delete_run(self, run_id):
        self.gone[run_id] = self.runs.pop(run_id)


class Page(list):
    token = None


def finished_trunk(trunk_id="t1", arm="keep_20", **changes):
    """A finished trunk of one budget, and of a second one with an item score."""
    spec = {
        "shape": {
            "d_model": 32,
            "n_layers": 2,
            "n_heads": 1,
            "context": 64,
            "vocab_size": 300,
        },
        "batch_tokens": 256,
        "seed": 7,
        "lr": 0.012,
        "weight_decay": 0.5,
        "dropout": 0.25,
        "pool_draw": 3,
    }
    held = {
        "loss_nats": 4.5,
        "standard_error_nats": 0.02,
        "bits_per_byte": 1.25,
        "n_tokens": 100,
        "n_documents": 1,
        "document_loss_nats": [450.0],
    }
    budget = {
        "budget_tokens": 2048,
        "n_tokens_seen": 2000,
        "n_tokens_unique": 1000,
        "epochs": 2.0,
        "flops": 3e8,
        "flops_exact": 4e8,
        "seconds": 0.1,
        "diverged": False,
        "shares": {"web|q0": 1.0},
        "unique": {"web|q0": 1000},
        "held_out": {"news": held},
    }
    later = budget | {
        "budget_tokens": 4096,
        "n_tokens_seen": 4000,
        "epochs": 4.0,
        "flops": 6e8,
        "items": {"quiz_accuracy": (0.75, 0.05)},
    }
    return {
        "trunk_id": trunk_id,
        "arm": arm,
        "control": "",
        "data_hash": "data1",
        "code_hash": "code1",
        "result": {
            "spec": spec,
            "budgets": [budget, later],
            "curve": {
                "step": [1, 2, 3, 4],
                "n_tokens_seen": [256, 512, 768, 1024],
                "budget_tokens": [0, 0, 2048, 0],
                "loss_nats": [5.5, 5.0, 4.0, math.inf],
                "lr": [0.1, 0.1, 0.1, 0.1],
            },
            "diverged": False,
            "device": "cpu",
            "seconds": 12.5,
            "stack_size": 1,
            "notes": [],
        },
    } | changes


def image_trunk(trunk_id="t4"):
    """A finished trunk of images: a classifier that is wrong on one of two at 64 images, on none at 128."""
    shape = ImageShape("mlp", 8, 1, channels=1, height=4, columns=4, n_classes=2)
    spec = ImageSpec(
        arm="keep_20/1",
        shape=shape,
        budgets_samples=(64, 128),
        batch_samples=16,
        lr=0.01,
        weight_decay=0.5,
        seed=7,
        data_seed=7,
    )
    budgets = tuple(
        ImageBudget(
            n_samples_seen=n,
            n_samples_unique=32,
            epochs=n / 32,
            flops=6.0 * shape.n_params * n,
            flops_exact=3e8,
            seconds=n / 32,
            diverged=False,
            correct=np.array([True, n > 64]),
            sample_loss_nats=np.array(losses),
        )
        for n, losses in ((64, [0.5, 1.5]), (128, [0.25, 0.75]))
    )
    result = ImageResult(spec=spec, budgets=budgets, device="cuda:0", stack_size=1)
    head = finished_trunk(trunk_id, modality="image", pool_draw=1)
    return head | {"result": result_json(result, {"digits": slice(0, 2)})}


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def finished():
    """Makes a finished trunk of texts, of two budgets, the second with an item score."""
    return finished_trunk


@pytest.fixture
def image_run():
    """Makes a finished trunk of images."""
    return image_trunk
