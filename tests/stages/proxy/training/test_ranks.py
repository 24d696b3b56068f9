"""Two processes that train one run together, against one process."""

import numpy as np
import pytest
import torch
import torch.distributed

from stages.foundation.errors import InputError
from stages.proxy.network.engine import AutogradEngine
from stages.proxy.network.model import Weights
from stages.proxy.training.ranks import RankEngine
from stages.proxy.training.train import train_group
from stages.proxy.workforce.gpus import train_on_gpus


def test_two_processes_train_as_one_with_accumulation_and_recomputing(
    data, make_spec, tmp_path
):
    """The small run goes the way of every run, the large one through torchrun with gloo; both equal the plain one."""
    small, large = (
        make_spec(budgets_tokens=(1280,)),
        make_spec(
            budgets_tokens=(1280, 2560),
            shape=make_spec().shape.__class__(16, 3, 2, 32, 64),
        ),
    )
    [alone] = train_group([large], data, device="cpu", curve_every=1)
    found = []
    failures = train_on_gpus(
        [[small], [large]],
        data,
        on_result=found.append,
        device="cpu",
        n_gpus=2,
        large_params=large.shape.n_params,
        checkpoint=lambda group: tmp_path / f"{group[0].shape.n_layers}.pt",
        settings=lambda group: {
            "micro_sequences": 1,
            "recompute": True,
            "curve_every": 1,
            "checkpoint_every_steps": 5,
        },
    )
    assert (
        not failures
        and {result.spec for result in found} == {small, large}
        and not list(tmp_path.iterdir())
    )
    [both] = [result for result in found if result.spec == large]
    assert np.allclose(both.curve["loss_nats"], alone.curve["loss_nats"], rtol=1e-4)
    assert both.budgets[-1].held_out["held"].loss_nats == pytest.approx(
        alone.budgets[-1].held_out["held"].loss_nats, rel=1e-4
    )
    assert "weights and moments copied to 2 devices" in both.notes
    assert both.budgets[-1].n_tokens_unique == alone.budgets[-1].n_tokens_unique


def test_a_batch_that_does_not_divide_is_one_line(make_spec, monkeypatch):
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    tokens = torch.zeros(1, 4, 32, dtype=torch.int64)
    with pytest.raises(
        InputError, match="4 sequences a step do not divide among 3 processes"
    ):
        RankEngine(AutogradEngine(Weights(make_spec().shape, [0]))).step_loss(
            tokens, tokens
        )
