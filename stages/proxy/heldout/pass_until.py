"""Pass rate under massive sampling: how often a continuation drawn from the model passes a check
(PassUntil).

Accuracy of a small model on a task that it can hardly do is 0; its pass rate is not, and falls
along a law long before: ln(-ln pass rate) is linear in ln N (Hu et al. 2023, Predicting emergent
abilities with infinite resolution evaluation). An item is sampled until `r` samples pass, after K
of them: (r - 1) / (K - 1) is the unbiased estimate; an item that reaches `cap` first is censored,
and its estimate is passes / cap.

Samples are drawn at temperature 1 from numbers fixed by (seed of the run, item, sample), so a run
gives the same rates whether it trains alone or stacked. A sample is followed only while it can
still pass, and samples that agree so far share their forward pass, so the cost is a forward pass
for each beginning of the answer, however many samples are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stages.foundation.errors import InputError
from stages.proxy.network import model
from stages.proxy.network.model import Weights

# assumed: a relative error of 1 / sqrt(32); rates down to 1 in 3,000 are measured, not censored
R_PASSES, CAP = (32, 100_000)
CHUNK = 10_000  # assumed: samples of an item drawn at once
# assumed: passes of an item that never passed, for the geometric mean
FLOOR_PASSES = 0.5


@dataclass(frozen=True, eq=False)
class PassItems:
    """Prompts (tokens,) and the bytes that a sample must begin with. `token_bytes` (words,): what each token spells."""

    questions: Sequence[np.ndarray]
    answers: Sequence[bytes]
    token_bytes: Sequence[bytes]
    eos_id: int
    r_passes: int = R_PASSES
    cap: int = CAP

    def __post_init__(self):
        if self.r_passes < 2 or self.cap < self.r_passes:
            raise InputError(
                f"r_passes {self.r_passes} and cap {self.cap}: a rate needs 2 passes or"
                " more and a cap above them"
            )


def pass_rates(
    items: PassItems, weights: Weights, seeds: Sequence[int]
) -> list[dict[str, tuple[float, float]]]:
    """For each run: pass_rate (mean over items), pass_nats (mean of -ln rate), censored (share of
    items), with standard errors.
    """
    return [
        _summary(
            items,
            *zip(
                *(
                    _until(items, item, weights=weights, run=run, seed=seed)
                    for item in range(len(items.questions))
                ),
                strict=True,
            ),
        )
        for run, seed in enumerate(seeds)
    ]


def estimate(
    n_samples_until: int | None, n_passes: int, r_passes: int, cap: int
) -> float:
    """The pass rate: (r - 1) / (K - 1) where the r-th pass came after K samples, else passes / cap."""
    return (r_passes - 1) / (n_samples_until - 1) if n_samples_until else n_passes / cap


def _until(
    items: PassItems, item: int, weights: Weights, run: int, seed: int
) -> tuple[float, bool]:
    """(estimate, censored) of one item under one run."""
    sampler, first = _Sampler(items, item, weights=weights, run=run), 0
    found: list[int] = []
    while first < items.cap and len(found) < items.r_passes:
        n = min(CHUNK, items.cap - first)
        draws = np.random.default_rng([seed, item, first]).random(
            (len(items.answers[item]), n)
        )
        found += (first + 1 + np.flatnonzero(sampler.passed(draws))).tolist()
        first += n
    until = found[items.r_passes - 1] if len(found) >= items.r_passes else None
    return estimate(
        until, len(found), r_passes=items.r_passes, cap=items.cap
    ), until is None


class _Sampler:
    """Samples of one item under one run; next-token distributions are kept by the tokens that lead to them."""

    def __init__(self, items: PassItems, item: int, weights: Weights, run: int):
        self.items, self.answer, self.shape = items, items.answers[item], weights.shape
        self.prompt = [items.eos_id, *items.questions[item].tolist()]
        self.weights = {
            name: weight.detach()[run : run + 1]
            for name, weight in weights.named.items()
        }
        self._edges: dict[tuple[int, ...], np.ndarray] = {}

    def passed(self, draws: np.ndarray) -> np.ndarray:
        """Whether each sample spells the answer (samples,); `draws` (tokens, samples) are uniform numbers.

        A token spells a byte or more, so as many tokens as the answer has bytes are always enough.
        """
        passed = np.zeros(draws.shape[1], bool)
        alive: dict[tuple[int, ...], np.ndarray] = {(): np.arange(draws.shape[1])}
        for numbers in draws:
            going_on: dict[tuple[int, ...], np.ndarray] = {}
            for before, samples in alive.items():
                tokens = np.searchsorted(
                    self._distribution(before), numbers[samples]
                ).clip(max=len(self.items.token_bytes) - 1)
                for token in np.unique(tokens):
                    spelled = b"".join(
                        self.items.token_bytes[each] for each in (*before, token)
                    )
                    if spelled.startswith(self.answer):
                        passed[samples[tokens == token]] = True
                    elif self.answer.startswith(spelled):
                        going_on[(*before, int(token))] = samples[tokens == token]
            alive = going_on
        return passed

    @torch.no_grad()
    def _distribution(self, before: tuple[int, ...]) -> np.ndarray:
        """Cumulative probability of the token after the prompt and `before` (V,) float64."""
        if before not in self._edges:
            window = torch.tensor(
                [*self.prompt, *before][-self.shape.context :],
                device=self.weights["head"].device,
            )[None, None]  # (1, 1, T)
            logits = model.linear(
                model.hidden(self.weights, self.shape, window)[:, :, -1:],
                self.weights["head"],
            )
            self._edges[before] = (
                logits.flatten().double().softmax(-1).cumsum(-1).cpu().numpy()
            )
        return self._edges[before]


def _summary(
    items: PassItems, rates: Sequence[float], censored: Sequence[bool]
) -> dict[str, tuple[float, float]]:
    rate, n = np.array(rates), len(rates)
    nats = -np.log(np.maximum(rate, FLOOR_PASSES / items.cap))
    parts = {
        "pass_rate": rate,
        "pass_nats": nats,
        "censored": np.array(censored, float),
    }
    return {
        name: (
            float(part.mean()),
            float(part.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan"),
        )
        for name, part in parts.items()
    }
