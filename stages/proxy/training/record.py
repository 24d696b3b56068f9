"""What a group of runs has produced so far: training losses by step, finished budgets, seconds, divergence."""

import time
from collections.abc import Callable

import numpy as np
import torch

from stages.proxy.heldout.choices import Scores
from stages.proxy.specs.schedule import Segment
from stages.proxy.specs.spec import BudgetResult, DomainLoss, RunResult, RunSpec
from stages.proxy.tokens.course import Course

SPIKE_NATS = 0.5  # assumed: a smoothed loss this far above its own minimum has not recovered from a spike
REPORT_S = 1.0  # assumed: reading a loss waits for a GPU, so not more often
SMOOTH_STEPS = 20  # assumed: averages the noise between batches, about 0.1 nats


class Record:
    """Filled by the trainer. `losses` (steps of the plan, R) stay on the device until they are read."""

    def __init__(
        self,
        specs: list[RunSpec],
        plan: list[Segment],
        courses: list[Course],
        device: torch.device,
        reason: str,
    ):
        self.specs, self.plan, self.courses = specs, plan, courses
        self.device, self.notes = device, [reason]
        self.losses = torch.zeros(
            sum(segment.n_steps for segment in plan), len(specs), device=device
        )
        self.n_steps = 0
        # name -> values (R,) at the points of the curve, where they are watched
        self.watched: dict[str, list[list[float]]] = {}
        self.budgets: list[list[BudgetResult]] = [[] for _ in specs]
        self._seconds_before, self._started = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of one run: the group's wall time shared equally, over all its resumptions."""
        return (self._seconds_before + time.monotonic() - self._started) / len(
            self.specs
        )

    def note(self, text: str) -> None:
        """Keep one line about how the runs were trained; nothing for an empty or a known one."""
        if text and text not in self.notes:
            self.notes.append(text)

    def add_step(self, loss_nats: torch.Tensor) -> None:
        self.losses[self.n_steps] = loss_nats
        self.n_steps += 1

    def add_watched(self, **values: torch.Tensor) -> None:
        """What the last step of a point of the curve says beside its loss, each (R,)."""
        for name, each in values.items():
            self.watched.setdefault(name, []).append(each.double().cpu().tolist())

    def add_budget(
        self,
        segment: Segment,
        scores: list[dict[str, DomainLoss]],
        items: list[Scores] | None = None,
    ) -> None:
        losses = self._path(segment)
        for run, score in enumerate(scores):
            finite = all(np.isfinite(loss.loss_nats) for loss in score.values())
            self.budgets[run].append(
                self._budget(
                    run,
                    segment,
                    score,
                    diverged(losses[:, run]) or not finite,
                    items[run] if items else {},
                )
            )

    def _budget(
        self,
        run: int,
        branch: Segment,
        held_out: dict[str, DomainLoss],
        is_diverged: bool,
        items: Scores,
    ) -> BudgetResult:
        assert branch.budget_tokens is not None  # the trunk alone has none
        n_tokens, spec, course = (
            branch.budget_tokens,
            self.specs[run],
            self.courses[run],
        )
        if spec.branch is None:
            n_trunk = branch.first_step * spec.batch_tokens
            counts = course.counts(n_trunk, n_tokens - n_trunk)
        else:
            counts = course.trunk.counts_from(spec.branch.first_token, n_tokens)
        view = course.trunk.view
        return BudgetResult(
            budget_tokens=n_tokens,
            n_tokens_seen=counts.n_tokens_seen,
            n_tokens_unique=counts.n_tokens_unique,
            epochs=counts.epochs,
            flops=spec.flops(n_tokens),
            flops_exact=spec.flops(n_tokens, exact=True),
            seconds=self.seconds,
            diverged=is_diverged,
            shares=dict(zip(view.group_names, counts.shares, strict=False)),
            unique=dict(zip(view.group_names, counts.unique_by_group, strict=False)),
            held_out=held_out,
            items=items,
        )

    def _path(self, branch: Segment) -> np.ndarray:
        """Training losses (steps, R) that led to the end of a branch: what the trunk went through
        before it, then the branch.
        """
        losses, parts, at = self.losses.cpu().numpy(), [], 0
        for segment in self.plan:
            on_the_way = segment.budget_tokens is None or not segment.returns
            if segment is branch or (
                on_the_way and segment.first_step < branch.first_step
            ):
                parts.append(losses[at : at + segment.n_steps])
            at += segment.n_steps
        return np.concatenate(parts)

    def results(self, curve_every: int) -> list[RunResult]:
        losses = self.losses.cpu().numpy().astype(np.float64)
        return [
            RunResult(
                spec=spec,
                budgets=tuple(self.budgets[run]),
                curve=self._curve(spec, losses[:, run], curve_every)
                | {
                    name: [each[run] for each in values]
                    for name, values in self.watched.items()
                },
                diverged=any(budget.diverged for budget in self.budgets[run]),
                device=self.device.type,
                seconds=self.seconds,
                stack_size=len(self.specs),
                notes=tuple(self.notes),
            )
            for run, spec in enumerate(self.specs)
        ]

    def _curve(self, spec: RunSpec, losses: np.ndarray, every: int) -> dict[str, list]:
        curve: dict[str, list] = {
            "step": [],
            "n_tokens_seen": [],
            "budget_tokens": [],
            "loss_nats": [],
            "lr": [],
        }
        at = 0
        for segment in self.plan:
            for first in range(0, segment.n_steps, every):
                stop = min(first + every, segment.n_steps)
                # of a branch from the trunk on, as its budgets are
                step = stop if spec.branch else segment.first_step + stop
                loss, lr = (
                    losses[at + first : at + stop].mean(),
                    spec.lr * segment.lr_factors[stop - 1],
                )
                row = (
                    step,
                    step * spec.batch_tokens,
                    segment.budget_tokens or 0,
                    loss,
                    lr,
                )
                for column, value in zip(curve.values(), row, strict=True):
                    column.append(value if isinstance(value, int) else float(value))
            at += segment.n_steps
        return curve

    def state(self) -> dict:
        return {
            "losses": self.losses.cpu().clone(),
            "n_steps": self.n_steps,
            "seconds": self.seconds * len(self.specs),
            "notes": list(self.notes),
            "budgets": [[budget.to_dict() for budget in run] for run in self.budgets],
            **({"watched": self.watched} if self.watched else {}),
        }

    def load(self, state: dict) -> None:
        self.losses.copy_(state["losses"])
        self.n_steps, self._seconds_before = state["n_steps"], state["seconds"]
        self.watched = state.get("watched", {})
        for text in state["notes"]:
            self.note(text)
        self.budgets = [
            [BudgetResult.from_dict(budget) for budget in run]
            for run in state["budgets"]
        ]


def diverged(losses: np.ndarray) -> bool:
    """Whether a run's training losses (steps,) are not finite somewhere, or end well above their own best."""
    if not np.isfinite(losses).all():
        return True
    width = min(SMOOTH_STEPS, len(losses))
    smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
    return bool(smooth[-1] > smooth.min() + SPIKE_NATS)


def watched(
    record: Record,
    on_step: Callable[[int], None] | None,
    on_progress: Callable[[float, float], None] | None,
) -> Callable[[int], None]:
    """`on_step` that also reports the fraction done and the mean loss of the last steps, about once in REPORT_S."""
    last = time.monotonic()

    def after(step: int) -> None:
        nonlocal last
        if on_step:
            on_step(step)
        if on_progress and time.monotonic() - last >= REPORT_S:
            last = time.monotonic()
            on_progress(
                step / len(record.losses),
                float(record.losses[max(0, step - SMOOTH_STEPS) : step].mean()),
            )

    return after
