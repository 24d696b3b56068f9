"""The gradient noise scale: the batch at which a step's gradient is as much signal as noise, an
estimate of the critical batch.

B = tr(covariance of a token's gradient) / |mean gradient|^2, from the squared lengths of gradients
over single sequences and over many (McCandlish et al. 2018, appendix A.1). It rises as the loss
falls, so it is measured where it is used. It knows nothing of Adam or clipping: take it for the
order of magnitude. Cost: a run up to `at_tokens` and one step a sequence.
"""

import torch

from stages.foundation.errors import InputError
from stages.proxy.network.device import one_thread
from stages.proxy.specs.spec import RunSpec
from stages.proxy.training.data import ProxyData
from stages.proxy.training.train import Trainer

SEQUENCES = 256  # assumed: the estimate's own error is about 1 / sqrt of it where noise and signal are alike


class _Reached(Exception):
    """Training has come to the step at which the noise is measured."""


def gradient_noise_scale(
    spec: RunSpec,
    data: ProxyData,
    at_tokens: int,
    *,
    n_sequences: int = SEQUENCES,
    device: str = "cpu",
) -> float:
    """Critical batch in tokens of a run after `at_tokens`, which must lie before its first decay.

    Example: `gradient_noise_scale(spec, data, 100_352)`. InputError where the gradient is nothing but noise.
    """
    at_step = at_tokens // spec.batch_tokens
    first = spec.segments[0]
    if first.budget_tokens or not 0 < at_step <= first.n_steps:
        raise InputError(
            f"the noise is to be measured at {at_tokens} tokens, the stable phase ends"
            f" at {first.n_steps * spec.batch_tokens}; lower it"
        )

    def stop(step: int) -> None:
        if step == at_step:
            raise _Reached

    with one_thread():
        trainer = Trainer([spec], data, device)
        try:
            trainer.run(on_step=stop)
        except _Reached:
            small, large = _squared_lengths(trainer, at_step, n_sequences)
    return _noise(small, large, context=spec.context, n_sequences=n_sequences)


def _squared_lengths(
    trainer: Trainer, step: int, n_sequences: int
) -> tuple[float, float]:
    """Mean squared length of the gradients of single sequences, and that of their mean; on the
    tokens that come next.
    """
    weights, engine, found, total = (
        trainer.weights,
        trainer.engine,
        0.0,
        torch.zeros_like(trainer.weights.grad),
    )
    for number in range(n_sequences):
        at, row = divmod(
            number, trainer.specs[0].batch_tokens // trainer.specs[0].context
        )
        inputs, targets = (
            part[:, row : row + 1] for part in trainer.feed.at(step + at)
        )
        engine.step_loss(inputs, targets)
        found += float(weights.grad.square().sum())
        total += weights.grad
    return found / n_sequences, float((total / n_sequences).square().sum())


def _noise(small: float, large: float, context: int, n_sequences: int) -> float:
    """Noise over signal in tokens, both without bias. `small` and `large`: squared lengths for one
    and for n sequences.
    """
    signal = (n_sequences * large - small) / (n_sequences - 1)
    noise = (small - large) / (1 - 1 / n_sequences) * context
    if signal <= 0:
        raise InputError(
            f"{n_sequences} sequences of {context} tokens show no gradient beside its"
            " noise; measure over more, or earlier in training"
        )
    return noise / signal
