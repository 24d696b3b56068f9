"""What a group of runs reads: views by arm, held-out documents by domain, and batches as tensors on the device."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from stages.foundation.errors import InputError
from stages.proxy.heldout.evaluate import HeldOut
from stages.proxy.heldout.items import Items
from stages.proxy.network.answers import IGNORED
from stages.proxy.network.device import card_is_quiet
from stages.proxy.specs.spec import RunSpec
from stages.proxy.tokens.course import Course
from stages.proxy.tokens.order import Reading, Stream
from stages.proxy.tokens.shrink import shrunk
from stages.proxy.tokens.staged import reading
from stages.proxy.tokens.view import View

CHUNK_STEPS = 64  # assumed: batches gathered from the memory map at once


@dataclass(frozen=True, eq=False)
class ProxyData:
    """Arms and held-out domains by name. Example: `ProxyData({"all": View(pool, rows)}, {"web":
    HeldOut(held_out)})`.
    """

    views: Mapping[str, View]
    held_out: Mapping[str, HeldOut]
    items: Items | None = None  # scored beside the losses at every budget
    # name of a trunk -> the file of its weights, which branches go on from
    trunks: Mapping[str, Path] = field(default_factory=dict)
    # key of a run (`RunSpec.key`) -> where its weights are kept when it ends
    kept: Mapping[str, Path] = field(default_factory=dict)
    tokenizer: str = ""  # hash of its file, for those that read the weights
    watched: bool = False  # curves also say how attention logits and gradients go

    def view(self, spec: RunSpec) -> View:
        """The view behind the arm of a spec, held to what the spec needs of it."""
        view = self._view(spec, spec.arm)
        if spec.unique_tokens is not None:
            view = shrunk(view, spec.unique_tokens, spec.pool_draw)
        view.require(spec.batch_tokens)
        return view

    def course(self, spec: RunSpec) -> Course:
        """What the run reads: its arm, and in its decays that of its curriculum."""
        trunk = reading(self.view(spec), spec.data_seed, spec.budgets_tokens)
        return Course(
            trunk,
            (
                Stream(self._view(spec, spec.decay_arm), spec.data_seed)
                if spec.decay_arm is not None
                else None
            ),
        )

    def _view(self, spec: RunSpec, arm: str) -> View:
        if arm not in self.views:
            raise InputError(
                f"no arm {arm!r} in the data; it has {', '.join(map(repr, self.views))}"
            )
        view = self.views[arm]
        if view.packed.vocab_size > spec.shape.vocab_size:
            raise InputError(
                f"arm {arm!r} is packed with {view.packed.vocab_size} words, the model"
                f" has {spec.shape.vocab_size}; give the shape the vocabulary of the"
                " pack"
            )
        return view


class Feed:
    """Batches of R streams, step by step, as int64 tensors on a device.

    `begins`: where in each stream step 0 begins to read, in tokens; None for their starts. `answer_only`: targets that
    are of a prompt are IGNORED. On CUDA the next chunk is gathered by a thread into pinned memory while this one
    trains, and copied without waiting.
    """

    def __init__(
        self,
        streams: Sequence[Reading],
        batch_tokens: int,
        context: int,
        device: torch.device,
        ahead: bool | None = None,
        *,
        begins: Sequence[int] | None = None,
        answer_only: bool = False,
    ):
        self.streams, self.batch_tokens, self.context, self.device = (
            list(streams),
            batch_tokens,
            context,
            device,
        )
        self.begins = [0] * len(streams) if begins is None else list(begins)
        self.answer_only = answer_only
        # tokens (R, n + 1), and where some are not scored the same as targets: (1 or 2, R, n + 1)
        self._first, self._chunk = 0, torch.empty(1, 0, 1)
        self._thread: ThreadPoolExecutor | None = None
        self._next: tuple[int, Future | None] = (-1, None)
        if ahead if ahead is not None else device.type == "cuda":
            # a stream caches passes: not for two threads
            self.streams = [stream.again() for stream in streams]
            self._thread = ThreadPoolExecutor(1, "feed")

    def at(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of a step, each (R, B, T); both are windows into one chunk."""
        begin = (step - self._first) * self.batch_tokens
        if not 0 <= begin < self._chunk.shape[-1] - 1:
            self._load(step)
            begin = 0
        window = slice(begin, begin + self.batch_tokens + 1)
        tokens, targets = self._chunk[0, :, window], self._chunk[-1, :, window]
        return tokens[:, :-1].unflatten(1, (-1, self.context)), targets[
            :, 1:
        ].unflatten(1, (-1, self.context))

    def _load(self, step: int) -> None:
        expected, future = self._next
        chunk = future.result() if future and expected == step else self._gather(step)
        if self._thread:
            self._next = (
                step + CHUNK_STEPS,
                self._thread.submit(self._gather, step + CHUNK_STEPS),
            )
        self._first, self._chunk = step, chunk.to(self.device, non_blocking=True)

    def _gather(self, step: int) -> torch.Tensor:
        n_tokens = CHUNK_STEPS * self.batch_tokens
        firsts = [begin + step * self.batch_tokens for begin in self.begins]
        tokens = np.stack(
            [
                stream.with_begin(first, n_tokens)
                for stream, first in zip(self.streams, firsts, strict=True)
            ]
        )
        parts = [tokens]
        if self.answer_only:
            targets = tokens.copy()
            for row, stream, first in zip(targets, self.streams, firsts, strict=True):
                row[1:][~stream.is_scored(first, n_tokens)] = IGNORED
            parts.append(targets)
        chunk = torch.from_numpy(np.stack(parts))
        if self.device.type != "cuda":
            return chunk
        with card_is_quiet:
            return chunk.pin_memory()
