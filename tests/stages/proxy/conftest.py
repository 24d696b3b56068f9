"""A small learnable language: each token is the last one times seven plus a random step of 0 to 3."""

import os

import numpy as np
import pytest
import torch

# read when Triton is imported, which torch's compiler does
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

from stages.proxy.heldout.evaluate import HeldOut
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.proxy.training.data import ProxyData

VOCAB = 64
SMALL = Shape(d_model=16, n_layers=2, n_heads=2, context=32, vocab_size=VOCAB)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def sentence(n_tokens, random):
    tokens = [1]
    for step in random.integers(0, 4, n_tokens - 1):
        tokens.append((tokens[-1] * 7 + int(step)) % (VOCAB - 1) + 1)
    return np.array(tokens)


@pytest.fixture(scope="session")
def make_pack(tmp_path_factory):
    """make_pack(n_documents, seed, longest) writes a pack of random sentences."""

    def make(n_documents=40, seed=0, longest=100):
        random = np.random.default_rng(seed)
        documents = [
            (f"d{i}", sentence(int(random.integers(1, longest)), random), 3 * i + 1)
            for i in range(n_documents)
        ]
        return write_packed(
            tmp_path_factory.mktemp("pack") / "pack",
            documents,
            vocab_size=VOCAB,
            eos_id=0,
        )

    return make


@pytest.fixture(scope="session")
def data(make_pack):
    """Two arms over one pool and one held-out domain."""
    pool = make_pack(120, seed=1)
    groups = np.arange(pool.n_documents) % 2
    views = {
        "all": View(
            pool, np.arange(120), arm="all", groups=groups, group_names=("even", "odd")
        ),
        "half": View(
            pool, np.arange(60), arm="half", groups=groups, group_names=("even", "odd")
        ),
    }
    return ProxyData(views, {"held": HeldOut(make_pack(30, seed=2))})


@pytest.fixture(scope="session")
def make_spec():
    """make_spec(**changes) is a run of three budgets that takes a fraction of a second."""

    def make(**changes):
        values = {
            "arm": "all",
            "shape": SMALL,
            "budgets_tokens": (1280, 2560, 6400),
            "batch_tokens": 128,
            "warmup_steps": 5,
            "seed": 1,
        }
        return RunSpec(**(values | changes))

    return make
