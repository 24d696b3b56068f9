"""Multiple-choice items in cloze form: what a model gives to the right choice, and how often that
one wins.

The question is the context, each choice a continuation; the model never sees the letters A to D,
which small models cannot use (Gu et al. 2024, OLMES). log p(correct) is the last link of the chain
to accuracy that still follows compute (Schaeffer et al. 2024), so a law is fitted to `correct_nats`
or `correct_bpb`; accuracy is for comparison with others.

Metrics, each with its standard error over items:
    correct_nats            -log p(correct choice), summed over its tokens
    correct_bpb             bits a UTF-8 byte of the correct choices
    p_choices               p(correct) / sum of p over the choices
    brier                   squared error of that distribution
    accuracy                the choice of highest log p wins; ties share the credit
    accuracy_token          the same with log p a token
    accuracy_byte           the same with log p a byte
    accuracy_unconditional  the same with log p less log p(choice | "Answer:") (Brown et al. 2020,
                            section 2.4)

Cost: every choice is a window of its own, so a question is read once a choice, and each choice once
more for the last one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from stages.foundation.errors import InputError
from stages.proxy.heldout.evaluate import domain_loss

NORMALISATIONS = (
    "accuracy",
    "accuracy_token",
    "accuracy_byte",
    "accuracy_unconditional",
)
PAD = -1
Scores = dict[str, tuple[float, float]]  # metric -> value, standard error


@dataclass(frozen=True, eq=False)
class ChoiceItems:
    """Tokenised items. `questions[i]` (tokens,), `choices[i]` arrays of tokens, `n_bytes[i]` their
    UTF-8 bytes, `answer[i]` an index.

    `plain` (tokens,) is the context of the unconditional probability.
    """

    questions: Sequence[np.ndarray]
    choices: Sequence[Sequence[np.ndarray]]
    n_bytes: Sequence[Sequence[int]]
    answer: Sequence[int]
    plain: np.ndarray
    eos_id: int

    @cached_property
    def item(self) -> np.ndarray:
        """Item of each choice, choices of all items in one row (choices,)."""
        return np.repeat(
            np.arange(len(self.choices)), [len(choices) for choices in self.choices]
        )

    @cached_property
    def is_answer(self) -> np.ndarray:
        """Whether each choice is the right one (choices,)."""
        return np.concatenate(
            [
                np.arange(len(choices)) == answer
                for choices, answer in zip(self.choices, self.answer, strict=True)
            ]
        )

    @cached_property
    def n_tokens_each(self) -> np.ndarray:
        return np.array([len(choice) for choices in self.choices for choice in choices])

    @cached_property
    def n_bytes_each(self) -> np.ndarray:
        return np.array([n for each in self.n_bytes for n in each])

    def batches(
        self, context: int, batch_tokens: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Inputs, targets (rows, longest) int64 with PAD where nothing is scored, and the row's
        number (rows,).

        Rows 0..choices-1 follow their question, the next `choices` rows follow `plain`. Questions
        are cut from the left.
        """
        flat = [choice for choices in self.choices for choice in choices]
        pairs = [
            (self.questions[item], choice)
            for item, choice in zip(self.item, flat, strict=True)
        ] + [(self.plain, choice) for choice in flat]
        rows = [self._row(before, choice, context) for before, choice in pairs]
        order = np.argsort([-len(inputs) for inputs, _ in rows], kind="stable")
        while len(order):
            longest = len(rows[order[0]][0])
            taken, order = np.split(order, [max(1, batch_tokens // longest)])
            inputs, targets = (
                np.full((len(taken), longest), self.eos_id),
                np.full((len(taken), longest), PAD),
            )
            for place, row in enumerate(taken):
                (
                    inputs[place, : len(rows[row][0])],
                    targets[place, : len(rows[row][1])],
                ) = rows[row]
            yield inputs, targets, taken

    def _row(
        self, before: np.ndarray, choice: np.ndarray, context: int
    ) -> tuple[np.ndarray, np.ndarray]:
        if len(choice) > context:
            raise InputError(
                f"a choice of {len(choice)} tokens does not fit into the context of"
                f" {context}; shorten it or train with a longer context"
            )
        before = before[max(0, len(before) + len(choice) - context) :]
        whole = np.concatenate([[self.eos_id], before, choice]).astype(np.int64)
        return whole[:-1], np.concatenate([np.full(len(before), PAD), choice]).astype(
            np.int64
        )


class ChoiceScorer:
    """Item batches as tensors, made once and used at every budget of every run of a group."""

    def __init__(
        self,
        items: ChoiceItems,
        context: int,
        batch_tokens: int,
        device: torch.device | str = "cpu",
    ):
        self.items = items
        self.batches = [
            (*(torch.from_numpy(part).to(device) for part in batch[:2]), batch[2])
            for batch in items.batches(context, batch_tokens)
        ]

    def score(
        self,
        token_losses: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        n_runs: int,
    ) -> list[Scores]:
        """Metrics of each run; `token_losses` maps inputs and targets (B, T) to losses (R, B, T)."""
        n_choices = len(self.items.item)
        nats = np.zeros((n_runs, 2 * n_choices))
        for inputs, targets, rows in self.batches:
            losses = token_losses(inputs, targets.clamp(min=0)).masked_fill(
                targets < 0, 0
            )
            nats[:, rows] = losses.sum(-1, dtype=torch.float64).cpu().numpy()
        return [
            choice_metrics(self.items, run[:n_choices], run[n_choices:]) for run in nats
        ]


@np.errstate(invalid="ignore", divide="ignore")
def choice_metrics(
    items: ChoiceItems, nats: np.ndarray, plain_nats: np.ndarray
) -> Scores:
    """Metrics of one model from -log p of every choice after its question and after `plain`, (choices,) each, nats.

    A model that has diverged has metrics that are not numbers."""
    right = items.is_answer
    correct = domain_loss(
        nats[right], items.n_tokens_each[right], items.n_bytes_each[right]
    )
    p = _shares(items, nats)
    scores = {
        "correct_nats": _mean(nats[right]),
        "correct_bpb": (
            correct.bits_per_byte,
            (
                correct.standard_error_nats * correct.bits_per_byte / correct.loss_nats
                if correct.loss_nats
                else 0.0
            ),
        ),
        "p_choices": _mean(p[right]),
        "brier": _mean(np.bincount(items.item, (p - right) ** 2)),
    }
    judged = (
        nats,
        nats / items.n_tokens_each,
        nats / items.n_bytes_each,
        nats - plain_nats,
    )
    return scores | {
        name: _mean(_credit(items, each))
        for name, each in zip(NORMALISATIONS, judged, strict=True)
    }


def _shares(items: ChoiceItems, nats: np.ndarray) -> np.ndarray:
    """p of each choice over the sum of its item's choices (choices,)."""
    least = np.full(len(items.choices), np.inf)
    np.minimum.at(least, items.item, nats)
    p = np.exp(least[items.item] - nats)
    return p / np.bincount(items.item, p)[items.item]


def _credit(items: ChoiceItems, nats: np.ndarray) -> np.ndarray:
    """1 for each item whose answer has the least nats, shared where several have (items,)."""
    least = np.full(len(items.choices), np.inf)
    np.minimum.at(least, items.item, nats)
    wins = nats == least[items.item]
    return wins[items.is_answer] / np.bincount(items.item, wins)


def _mean(values: np.ndarray) -> tuple[float, float]:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(values.mean()), float(error)
