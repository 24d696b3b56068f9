"""Live progress of a sweep: loss, tokens/s, MFU on a GPU, and a time left that follows what is
measured.

The plan expects so many seconds of every run. Expected seconds done over worker seconds spent is
the true speed relative to the plan; the time left is what remains of the plan at that speed.
"""

import time
from collections.abc import Callable, Sequence

from stages.proxy.specs.spec import RunSpec
from stages.proxy.specs.stack import n_tokens_trained
from stages.proxy.workforce.planner import TrainingPlan, spoken

# assumed: the plan's own speed counts as so many worker seconds of evidence
TRUST_AFTER_S = 5.0


class Progress:
    """Progress over the runs of a plan; `now` is the clock in seconds."""

    def __init__(
        self,
        plan: TrainingPlan,
        peak_flops: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ):
        self.n_lanes, self.peak_flops, self.now = plan.n_lanes, peak_flops, now
        self._seconds = {
            spec: seconds / len(group)
            for group, seconds in zip(plan.groups, plan.group_seconds, strict=True)
            for spec in group
        }
        self._tokens = {spec: n_tokens_trained(spec) for spec in self._seconds}
        self._done = dict.fromkeys(self._seconds, 0.0)
        self._losses: dict[RunSpec, float] = {}
        self._started = now()

    def report(
        self, group: Sequence[RunSpec], fraction: float, loss_nats: float | None = None
    ) -> None:
        """The runs of a group are done so far (0 to 1); their mean training loss, if known."""
        for spec in group:
            self._done[spec] = fraction
            if loss_nats is not None:
                self._losses[spec] = loss_nats

    @property
    def elapsed_s(self) -> float:
        return self.now() - self._started

    @property
    def speed(self) -> float:
        """Seconds of the plan that pass in a second of a worker, 1 where all goes as planned."""
        return (self._planned_done() + TRUST_AFTER_S) / (
            self.elapsed_s * self.n_lanes + TRUST_AFTER_S
        )

    @property
    def seconds_left(self) -> float:
        """At the speed measured, with all workers busy to the end."""
        return (
            (sum(self._seconds.values()) - self._planned_done())
            / self.n_lanes
            / self.speed
        )

    @property
    def fraction(self) -> float:
        return self._planned_done() / max(sum(self._seconds.values()), 1e-9)

    @property
    def tokens_per_second(self) -> float:
        return sum(
            done * self._tokens[spec] for spec, done in self._done.items()
        ) / max(self.elapsed_s, 1e-9)

    @property
    def flops_utilisation(self) -> float | None:
        """Training FLOPs a second over the peak of the card (MFU); None where the card is not known."""
        done = sum(
            done * self._tokens[spec] * spec.shape.flops_per_token
            for spec, done in self._done.items()
        )
        return (
            done / max(self.elapsed_s, 1e-9) / self.peak_flops
            if self.peak_flops
            else None
        )

    def line(self) -> str:
        """Example: `loss 4.213, 212k tokens/s, 41 s left (1.07 times the planned speed)`."""
        losses = [
            loss for spec, loss in self._losses.items() if 0 < self._done[spec] < 1
        ]
        parts = [f"loss {sum(losses) / len(losses):.3f}"] if losses else []
        parts.append(f"{self.tokens_per_second / 1000:.0f}k tokens/s")
        if (used := self.flops_utilisation) is not None:
            parts.append(f"MFU {100 * used:.1f} %")
        return ", ".join(
            [
                *parts,
                (
                    f"{spoken(self.seconds_left)} left ({self.speed:.2f} times the"
                    " planned speed)"
                ),
            ]
        )

    def _planned_done(self) -> float:
        return sum(done * self._seconds[spec] for spec, done in self._done.items())
