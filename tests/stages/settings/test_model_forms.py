"""Experts and growth as params.yaml asks for them: what is planned, what the runs table says, and
one line for every fault.
"""

import numpy as np
import pytest
import yaml

from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.proxy.heldout.evaluate import HeldOut
from stages.proxy.tokens.packed import write_packed
from stages.proxy.tokens.view import View
from stages.proxy.training.data import ProxyData
from stages.proxy.training.train import train_group
from stages.runs.run_files import runs_table
from stages.settings.model_forms import IMAGE_SIZE, Growth, grown
from stages.settings.params import load_params
from stages.settings.sweep import SweepParams
from stages.sweeping.trunks import plan
from stages.sweeping.views import Views

PARAMS = {
    "sizes": ["6k"],
    "control_sizes": ["6k"],
    "budgets_tokens": [2048, 4096],
    "regularisations": [{}],
    "context": 32,
    "batch_tokens": 256,
}


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    random, folder = np.random.default_rng(0), tmp_path_factory.mktemp("pack")
    pack = write_packed(
        folder / "p",
        ((str(i), random.integers(1, 64, 49), 60) for i in range(160)),
        vocab_size=64,
        eos_id=0,
    )
    held = write_packed(
        folder / "h", [("x", random.integers(1, 64, 400), 500)], vocab_size=64, eos_id=0
    )
    return Views(
        pack,
        {"all/0": View(pack, range(160), arm="all/0")},
        {"held": held},
        {"controls": {}},
    )


def test_a_grown_sweep_pays_for_the_layers_it_had_and_says_so_in_the_runs_table(views):
    params = SweepParams(
        **PARAMS,
        growth={"from_layers": 1, "at_tokens": 512, "kind": "identity"},
        experts={"n_experts": 2, "top_k": 1},
        device="cpu",
    )
    [trunk] = plan(params, views)
    spec = trunk["spec"]
    assert (spec.grown_from, spec.growth_tokens, spec.growth, spec.shape.n_experts) == (
        1,
        512,
        "identity",
        2,
    )
    [result] = train_group(
        [spec],
        ProxyData(views.views, {"held": HeldOut(views.held_out["held"])}),
        device="cpu",
    )
    table = runs_table(
        [
            {
                **{
                    key: trunk[key]
                    for key in ("trunk_id", "arm", "control", "data_hash", "code_hash")
                },
                "result": result.to_dict(),
            }
        ]
    )
    row = table.filter(metric="loss_held", n_tokens_seen=4096).row(0, named=True)
    assert (row["grown_from_layers"], row["growth_tokens"], row["growth"]) == (
        1,
        512,
        "identity",
    )
    assert row["flops"] == 6 * spec.shape.n_params * (4096 - 512 / 2)
    ungrown = plan(SweepParams(**PARAMS), views)[0]["spec"]
    assert ungrown.grown_from == 0


def test_tokens_follow_a_batch_that_a_rule_sets():
    assert grown(Growth(from_layers=1, at_tokens=1000), 384) == {
        "grown_from": 1,
        "growth_tokens": 1152,
        "growth": "copy",
    }
    assert grown(None, 384) == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"growth": {"from_layers": 2, "at_tokens": 512}},
            "growth.from_layers 2 must divide the 2 layers of size 6k and be fewer",
        ),
        (
            {"growth": {"from_layers": 1, "at_tokens": 700}},
            "growth.at_tokens 700 is no multiple of batch_tokens 512; use 512",
        ),
        (
            {"growth": {"from_layers": 1, "at_tokens": 16384}},
            "must come before the first decay at 13107 tokens",
        ),
        (
            {"growth": {"from_layers": 1, "at_tokens": 512}, "schedule": "cosine"},
            "schedule cosine has none",
        ),
        ({"growth": {"from_layers": 1, "at_tokens": 512, "kind": "magic"}}, "kind"),
        (
            {
                "growth": {"from_layers": 1, "at_tokens": 512},
                "experts": {"n_experts": 4, "top_k": 2, "every": 2},
            },
            "whole stretches of experts.every 2",
        ),
        (
            {"experts": {"n_experts": 4, "top_k": 2, "every": 3}},
            "experts.every 3 leaves size 6k of 2 layers without experts",
        ),
        (
            {"experts": {"n_experts": 2, "top_k": 3}},
            "experts.top_k 3 is more than the 2 experts",
        ),
    ],
)
def test_a_fault_is_one_line_of_params(tmp_path, values, said):
    tree = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    tree["sweep"] |= values
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(InputError) as error:
        load_params(tmp_path / "params.yaml", PIPELINE)
    assert (
        said in str(error.value)
        and "\n" not in str(error.value)
        and "sweep" in str(error.value)
    )


@pytest.mark.parametrize("name", ["mlp-32", "residual-8"])
def test_a_size_is_kind_and_width(name):
    assert IMAGE_SIZE.fullmatch(name).groups() == tuple(name.split("-"))


@pytest.mark.parametrize("name", ["25k", "mlp", "mlp-", "mlp-1234567", "conv-8"])
def test_other_names_are_no_image_size(name):
    assert IMAGE_SIZE.fullmatch(name) is None
