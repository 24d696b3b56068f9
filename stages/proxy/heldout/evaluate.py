"""Held-out loss: every token of every document predicted once, each document on its own; of one with a prompt those
behind it.

A document is cut into windows of the context; the first token of a window is predicted from EOS alone, so no loss
depends on which document came before. Cost: the first tokens of later windows see less context than in one long
pass, which raises the loss of documents longer than the context equally for all arms. Windows of like length share a
batch, so padding costs little (measured under 3 % of tokens).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from stages.foundation.errors import InputError
from stages.proxy.specs.spec import DomainLoss
from stages.proxy.tokens.packed import Packed

# assumed: any fixed number; decides which documents a cap keeps
SAMPLE_SEED = 20_240_229


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out documents of one domain; `max_tokens` caps them by a fixed random choice of whole documents.

    Example: `HeldOut(Packed.open("data/packed/held_out"), max_tokens=60_000)`.
    """

    packed: Packed
    rows: np.ndarray | None = None
    max_tokens: int | None = None

    @cached_property
    def chosen(self) -> np.ndarray:
        """Document rows that are scored (documents,), in pack order."""
        rows = (
            np.arange(self.packed.n_documents)
            if self.rows is None
            else np.unique(self.rows)
        )
        if self.max_tokens is not None:
            order = np.random.default_rng(SAMPLE_SEED).permutation(rows)
            within = np.cumsum(self.packed.n_tokens_each[order]) <= self.max_tokens
            rows = np.sort(order[within])
        if not len(rows):
            raise InputError(
                f"no held-out document of {self.packed.folder} fits into"
                f" {self.max_tokens} tokens; raise the cap"
            )
        return rows

    @property
    def n_tokens_each(self) -> np.ndarray:
        """Tokens of each scored document (documents,), EOS included."""
        return self.packed.n_tokens_each[self.chosen].astype(np.int64)

    @property
    def n_scored_each(self) -> np.ndarray:
        """The same without prompts, which are read and not scored (documents,)."""
        return self.packed.n_scored_each[self.chosen].astype(np.int64)

    @property
    def n_bytes_each(self) -> np.ndarray:
        """UTF-8 bytes of each scored document without its prompt (documents,)."""
        return self.packed.n_scored_bytes[self.chosen].astype(np.int64)

    def batches(
        self, context: int, batch_tokens: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Inputs and targets (windows, longest) int64, padded with EOS and -1, and the document of
        each window (windows,). Targets of a prompt are -1 too.
        """
        document, first, length = self._windows(context)
        order = np.argsort(-length, kind="stable")
        while len(order):
            longest = int(length[order[0]])
            taken, order = np.split(order, [max(1, batch_tokens // longest)])
            inside = np.arange(longest) < length[taken, None]
            where = np.where(
                inside, first[taken, None] + np.arange(longest), first[taken, None]
            )
            targets = np.where(inside, self.packed.tokens[where].astype(np.int64), -1)
            inputs = np.full_like(targets, self.packed.eos_id)
            inputs[:, 1:] = np.where(inside, targets, self.packed.eos_id)[:, :-1]
            if self.packed.n_prompt_each is not None:
                scored = self.packed.is_scored(where.ravel()).reshape(where.shape)
                targets = np.where(scored, targets, -1)
            yield inputs, targets, document[taken]

    def _windows(self, context: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Document, first token and length of every window (windows,)."""
        n_tokens = self.n_tokens_each
        n_windows = -(-n_tokens // context)
        document = np.repeat(np.arange(len(n_tokens)), n_windows)
        offset = (
            np.arange(len(document))
            - np.repeat(np.cumsum(n_windows) - n_windows, n_windows)
        ) * context
        first = self.packed.start[self.chosen][document] + offset
        return document, first, np.minimum(context, n_tokens[document] - offset)


class Scorer:
    """Held-out batches of all domains as tensors, made once and used at every budget of every run in a group."""

    def __init__(
        self,
        held_out: dict[str, HeldOut],
        context: int,
        batch_tokens: int,
        device: torch.device | str = "cpu",
    ):
        self.held_out = held_out
        self.batches = {
            name: [
                tuple(torch.from_numpy(part).to(device) for part in batch)
                for batch in domain.batches(context, batch_tokens)
            ]
            for name, domain in held_out.items()
        }

    def score(
        self,
        token_losses: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        n_runs: int,
    ) -> list[dict[str, DomainLoss]]:
        """Losses by domain for each run; `token_losses` maps inputs and targets (B, T) to losses (R, B, T)."""
        found: list[dict[str, DomainLoss]] = [{} for _ in range(n_runs)]
        for name, domain in self.held_out.items():
            sums = self._document_sums(token_losses, name, n_runs)
            for run in range(n_runs):
                found[run][name] = domain_loss(
                    sums[run], domain.n_scored_each, domain.n_bytes_each
                )
        return found

    def _document_sums(self, token_losses, name: str, n_runs: int) -> np.ndarray:
        """Summed loss of every document (R, documents) float64."""
        total = np.zeros((n_runs, len(self.held_out[name].chosen)))
        for inputs, targets, document in self.batches[name]:
            losses = token_losses(inputs, targets.clamp(min=0)).masked_fill(
                targets < 0, 0
            )
            windows = losses.sum(-1, dtype=torch.float64).cpu().numpy()
            # numpy's stub of `at` knows no tuple of indices
            np.add.at(total, (slice(None), document.cpu().numpy()), windows)  # type: ignore[arg-type]
        return total


def domain_loss(
    document_loss_nats: np.ndarray, n_tokens: np.ndarray, n_bytes: np.ndarray
) -> DomainLoss:
    """Loss per token as a ratio of sums, with its standard error over documents (linearised ratio estimator)."""
    n = len(document_loss_nats)
    loss = document_loss_nats.sum() / n_tokens.sum()
    residual = document_loss_nats - loss * n_tokens
    error = (
        np.sqrt(n / (n - 1) * (residual**2).sum()) / n_tokens.sum() if n > 1 else np.nan
    )
    bits = document_loss_nats.sum() / np.log(2) / max(1, n_bytes.sum())
    return DomainLoss(
        float(loss),
        standard_error_nats=float(error),
        bits_per_byte=float(bits),
        n_tokens=int(n_tokens.sum()),
        n_documents=n,
        document_loss_nats=document_loss_nats,
    )
