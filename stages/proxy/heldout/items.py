"""Items beside the held-out losses: multiple choice and sampled tasks of one file, scored at every budget."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from stages.proxy.heldout.choices import ChoiceItems, ChoiceScorer, Scores
from stages.proxy.heldout.pass_until import PassItems, pass_rates
from stages.proxy.network.model import Weights


@dataclass(frozen=True, eq=False)
class Items:
    """What one file asks; either part may be missing. `fingerprint` is a hash of the file and of
    how it was tokenised.
    """

    name: str
    fingerprint: str
    choices: ChoiceItems | None = None
    passes: PassItems | None = None


class ItemScorer:
    """All metrics of the items, by name of the metric followed by the name of the items."""

    def __init__(
        self,
        items: Items,
        context: int,
        batch_tokens: int,
        device: torch.device | str = "cpu",
    ):
        self.items = items
        self.choices = (
            ChoiceScorer(
                items.choices, context=context, batch_tokens=batch_tokens, device=device
            )
            if items.choices
            else None
        )

    def score(
        self, token_losses: Callable, weights: Weights, seeds: Sequence[int]
    ) -> list[Scores]:
        """For each run {metric: (value, standard error)}."""
        found: list[Scores] = [{} for _ in seeds]
        parts = [self.choices.score(token_losses, len(seeds))] if self.choices else []
        parts += (
            [pass_rates(self.items.passes, weights, seeds)] if self.items.passes else []
        )
        for part in parts:
            for run, scores in enumerate(part):
                found[run] |= {
                    f"{metric}_{self.items.name}": score
                    for metric, score in scores.items()
                }
        return found


def fingerprint(text: bytes, tokenizer: bytes) -> str:
    """Hash of an item file and the tokenizer that reads it."""
    return hashlib.sha256(
        hashlib.sha256(text).digest() + hashlib.sha256(tokenizer).digest()
    ).hexdigest()
