"""Train a group of image models of one shape at once: trunk, branches, held-out error and loss of
every run, checkpoints.

Question: what error does each arm, seed or setting reach? Input: specs of one stack and ImageData.
Output: an ImageResult a spec, in order. `watch` sees the stack while it trains. The order of the
samples is a function of (seed, epoch), so a checkpoint holds no generator, and a resumed group
repeats the rest bit for bit on the same device. Cost: see image_stack.py.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from stages.proxy.images.data import ImageData
from stages.proxy.images.spec import ImageBudget, ImageResult, ImageSpec
from stages.proxy.images.stack import ImageStack
from stages.proxy.network.device import one_thread
from stages.proxy.specs.schedule import Segment, segments
from stages.proxy.training.checkpoint import Checkpoint
from stages.proxy.training.record import diverged

Watch = Callable[[int, ImageStack], None]
SMALLEST = 1e-38  # a probability below counts as this: 87.5 nats


def train_images(
    specs: Sequence[ImageSpec],
    data: ImageData,
    *,
    device: str = "auto",
    watch: Watch | None = None,
    watch_every: int = 1,
    on_end: Callable[[ImageStack], None] | None = None,
    checkpoint: Path | str | None = None,
    checkpoint_every_s: float = 30.0,
    checkpoint_every_steps: int | None = None,
) -> list[ImageResult]:
    """Train specs of one stack; `watch(steps_done, stack)` is called on the trunk after every
    `watch_every` steps, `on_end` after the last budget.

    `checkpoint` is a file written every so many seconds or steps, read if it exists and removed at
    the end; what `watch` saw before is not seen again. Example: `[result] = train_images([spec],
    data); result.budgets[-1].error`.
    """
    with one_thread():
        training = Training(ImageStack(specs, data, device))
        store = (
            Checkpoint(
                Path(checkpoint),
                identity=training.stack.identity,
                every_seconds=checkpoint_every_s,
                every_steps=checkpoint_every_steps,
            )
            if checkpoint
            else None
        )
        if store and (state := store.load()):
            training.load(state)
        training.run(store, watch, watch_every)
        if on_end:
            on_end(training.stack)
        if store:
            store.remove()
        return training.results()


class Training:
    """Where a stack stands: `segment` of the plan, steps `done` in it, the trunk's state while a
    branch is open, losses and budgets so far.
    """

    def __init__(self, stack: ImageStack):
        first = stack.specs[0]
        self.stack = stack
        self.plan = segments(
            first.budgets_samples,
            batch_tokens=first.batch_samples,
            decay_fraction=first.decay_fraction,
            warmup_steps=first.warmup_steps,
        )
        self.segment, self.done = 0, 0
        self.trunk: dict | None = None
        self.trunk_losses: list[torch.Tensor] = []  # (R,) a step
        self.branch_losses: list[torch.Tensor] = []
        self.budgets: list[list[ImageBudget]] = []
        self._seconds_before, self._started = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def run(
        self,
        store: Checkpoint | None = None,
        watch: Watch | None = None,
        watch_every: int = 1,
    ) -> None:
        while self.segment < len(self.plan):
            segment = self.plan[self.segment]
            if segment.budget_tokens and self.trunk is None:
                self.trunk = self.stack.optimiser.state()
            while self.done < segment.n_steps:
                self._step(segment)
                if store and store.due():
                    store.save(self.state())
                if (
                    watch
                    and segment.budget_tokens is None
                    and (segment.first_step + self.done) % watch_every == 0
                ):
                    watch(segment.first_step + self.done, self.stack)
            self._close(segment)

    def _step(self, segment: Segment) -> None:
        losses = self.stack.step(
            segment.first_step + self.done, float(segment.lr_factors[self.done])
        )
        (self.branch_losses if segment.budget_tokens else self.trunk_losses).append(
            losses
        )
        self.done += 1

    def _close(self, segment: Segment) -> None:
        """End a segment: a branch is scored and the trunk restored, the last branch stays."""
        if segment.budget_tokens:
            losses = torch.stack(self.trunk_losses + self.branch_losses).cpu().numpy()
            self.budgets.append(
                _budgets(
                    self.stack,
                    segment.budget_tokens,
                    losses=losses,
                    seconds=self.seconds / len(self.stack.specs),
                )
            )
            if self.segment + 1 < len(self.plan):
                self.stack.optimiser.load(self.trunk)
        self.segment, self.done, self.trunk, self.branch_losses = (
            self.segment + 1,
            0,
            None,
            [],
        )

    def results(self) -> list[ImageResult]:
        each = zip(self.stack.specs, zip(*self.budgets, strict=True), strict=True)
        return [
            ImageResult(
                spec,
                budgets=own,
                device=self.stack.device.type,
                stack_size=len(self.stack.specs),
            )
            for spec, own in each
        ]

    def state(self) -> dict:
        losses = {
            name: torch.stack(found).cpu() if found else torch.empty(0)
            for name, found in (
                ("trunk", self.trunk_losses),
                ("branch", self.branch_losses),
            )
        }
        budgets = [
            [
                {
                    name: (
                        torch.from_numpy(value)
                        if isinstance(value, np.ndarray)
                        else value
                    )
                    for name, value in vars(budget).items()
                }
                for budget in group
            ]
            for group in self.budgets
        ]
        return {
            "segment": self.segment,
            "done": self.done,
            "trunk": self.trunk,
            "losses": losses,
            "budgets": budgets,
            "optimiser": self.stack.optimiser.state(),
            "seconds": self.seconds,
        }

    def load(self, state: dict) -> None:
        self.segment, self.done, self.trunk, self._seconds_before = (
            state["segment"],
            state["done"],
            state["trunk"],
            state["seconds"],
        )
        self.trunk_losses, self.branch_losses = (
            list(state["losses"][name].to(self.stack.device))
            for name in ("trunk", "branch")
        )
        names = [field.name for field in fields(ImageBudget)]
        self.budgets = [
            [
                ImageBudget(
                    *(
                        (
                            saved[name].numpy()
                            if torch.is_tensor(saved[name])
                            else saved[name]
                        )
                        for name in names
                    )
                )
                for saved in group
            ]
            for group in state["budgets"]
        ]
        self.stack.optimiser.load(state["optimiser"])


def _budgets(
    stack: ImageStack, n_seen: int, losses: np.ndarray, seconds: float
) -> list[ImageBudget]:
    """Held-out results of every run at the end of a branch; `losses` (steps, R) led there."""
    labels = np.asarray(stack.data.held_out_labels)
    probabilities = stack.probabilities(stack.data.held_out_pixels)
    correct = probabilities.argmax(-1) == labels
    nats = -np.log(
        np.maximum(
            np.take_along_axis(probabilities, labels[None, :, None], 2)[..., 0].astype(
                np.float64
            ),
            SMALLEST,
        )
    )
    shape = stack.shape
    return [
        ImageBudget(
            n_samples_seen=n_seen,
            n_samples_unique=min(n_seen, len(rows)),
            epochs=n_seen / len(rows),
            flops=6.0 * shape.n_params * n_seen,
            flops_exact=float(shape.flops_per_sample) * n_seen,
            seconds=seconds,
            diverged=diverged(losses[:, run])
            or not np.isfinite(probabilities[run]).all(),
            correct=correct[run],
            sample_loss_nats=nats[run],
        )
        for run, rows in enumerate(stack.rows)
    ]
