"""Two processes that train one run together, against one process."""

import numpy as np
import pytest

from stages.proxy.ranks import train_on_ranks
from stages.proxy.train import train_group


def test_two_processes_train_as_one_with_accumulation_and_recomputing(data, make_spec, tmp_path):
    spec = make_spec(budgets_tokens=(1280, 2560))
    [alone] = train_group([spec], data, device="cpu", curve_every=1)
    [both] = train_on_ranks([spec], data, 2, device="cpu", micro_sequences=1, recompute=True, curve_every=1, checkpoint=tmp_path / "c.pt", checkpoint_every_steps=5)
    assert np.allclose(both.curve["loss_nats"], alone.curve["loss_nats"], rtol=1e-4)
    assert both.budgets[-1].held_out["held"].loss_nats == pytest.approx(alone.budgets[-1].held_out["held"].loss_nats, rel=1e-4)
    assert both.budgets[-1].n_tokens_unique == alone.budgets[-1].n_tokens_unique and not list(tmp_path.iterdir())


def test_a_batch_that_does_not_divide_is_one_line(data, make_spec):
    with pytest.raises(RuntimeError, match="4 sequences a step do not divide among 3 processes"):
        train_on_ranks([make_spec(budgets_tokens=(1280,))], data, 3, device="cpu")
