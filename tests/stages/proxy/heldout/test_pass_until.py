"""Sampled pass rates against the exact probability of what passes."""

import numpy as np
import pytest
import torch

from stages.foundation.errors import InputError
from stages.proxy.heldout.pass_until import PassItems, estimate, pass_rates
from stages.proxy.network.engine import AutogradEngine
from stages.proxy.network.model import Weights
from stages.proxy.specs.shape import Shape

SHAPE = Shape(d_model=16, n_layers=1, n_heads=1, context=16, vocab_size=8)
SPELLED = [b"\0", b"a", b"b", b"ab", b"c", b"d", b"e", b"f"]


def weights():
    made = Weights(SHAPE, [1, 2])
    made.flat.normal_(generator=torch.Generator().manual_seed(3)).mul_(0.4)
    return made


def exact(model, prompt, paths, run):
    """Sum over token paths of the probability that the model continues with them."""
    engine, total = AutogradEngine(model), 0.0
    for path in paths:
        whole = torch.tensor([[0, *prompt, *path]])
        total += float(
            torch.exp(
                -engine.token_losses(whole[:, :-1], whole[:, 1:])[
                    run, 0, len(prompt) :
                ].sum()
            )
        )
    return total


def test_rates_are_the_probability_of_all_spellings_of_the_answer():
    model = weights()
    items = PassItems(
        [np.array([4]), np.array([5, 6])],
        [b"ab", b"c"],
        SPELLED,
        0,
        r_passes=400,
        cap=40_000,
    )
    found = pass_rates(items, model, [7, 8])
    for run in range(2):
        truth = [
            exact(model, [4], [(3,), (1, 2), (1, 3)][:2], run),
            exact(model, [5, 6], [(4,)], run),
        ]
        assert found[run]["pass_rate"][0] == pytest.approx(
            np.mean(truth), rel=0.12
        )  # 1 / sqrt(400) an item
        assert found[run]["pass_nats"][0] == pytest.approx(
            -np.log(truth).mean(), abs=0.12
        )
        assert found[run]["censored"][0] == 0.0
    assert pass_rates(items, model, [7, 8]) == found


def test_the_estimate_is_unbiased_where_passes_over_samples_is_not():
    random, rate, r = np.random.default_rng(0), 0.2, 4
    until = random.negative_binomial(r, rate, size=20_000) + r
    estimates = [estimate(int(k), r, r, 10**6) for k in until]
    assert np.mean(estimates) == pytest.approx(rate, rel=0.01)
    assert np.mean(r / until) > 1.1 * rate


def test_what_never_passes_is_censored_at_the_cap():
    items = PassItems([np.array([4])], [b"zz"], SPELLED, 0, r_passes=4, cap=2_000)
    found = pass_rates(items, weights(), [0, 0])[0]
    assert found["pass_rate"][0] == 0.0 and found["censored"][0] == 1.0
    assert found["pass_nats"][0] == pytest.approx(np.log(2_000 / 0.5))
    with pytest.raises(InputError, match="r_passes 1"):
        PassItems([], [], SPELLED, 0, r_passes=1)
