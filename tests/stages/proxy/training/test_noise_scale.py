import numpy as np
import pytest

from stages.foundation.errors import InputError
from stages.proxy.training.noise_scale import _noise, gradient_noise_scale


def test_noise_over_signal_is_recovered_without_bias():
    """Gradients of mean length 1 and variance 40 a sequence of 32 tokens: half noise at 1280 tokens."""
    random, dimension, found = np.random.default_rng(0), 50, []
    mean = np.full(dimension, dimension**-0.5)
    for _ in range(400):
        gradients = mean + random.normal(0, np.sqrt(40 / dimension), (64, dimension))
        found.append(((gradients**2).sum(1).mean(), (gradients.mean(0) ** 2).sum()))
    small, large = np.mean(found, axis=0)
    assert _noise(small, large, 32, 64) == pytest.approx(32 * 40, rel=0.05)


def test_a_real_run_has_a_finite_noise_and_the_place_is_checked(make_spec, data):
    spec = make_spec()
    found = gradient_noise_scale(spec, data, 640, n_sequences=32)
    assert 1 < found < 1e6
    with pytest.raises(
        InputError,
        match="measured at 9000 tokens, the stable phase ends at 1024; lower it",
    ):
        gradient_noise_scale(spec, data, 9000)
    with pytest.raises(InputError, match="show no gradient beside its noise"):
        _noise(1.0, 1e-3, 32, 64)
