"""Train a group of proxy runs of one shape: the trunk, its branches, held-out losses, checkpoints.

One loop serves a single run and a stack of R runs: they differ only in the leading axis of the tensors.
A checkpoint holds weights, optimiser, place in the schedule, the trunk behind an open branch, training losses and
finished branches. Data order and dropout are functions of (seed, step), so no generator state is needed; a resumed
run repeats the rest bit for bit on the same device and number of stacked runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.errors import InputError
from stages.proxy.adamw import AdamW
from stages.proxy.checkpoint import Checkpoint
from stages.proxy.data import Feed, ProxyData
from stages.proxy.device import choose_device, compute_threads
from stages.proxy.engine import DropoutMasks, build_engine
from stages.proxy.evaluate import Scorer
from stages.proxy.model import Weights
from stages.proxy.record import Record, watched
from stages.proxy.schedule import Segment
from stages.proxy.spec import RunResult, RunSpec
from stages.proxy.transfer import factors

EVALUATION_TOKENS = 4096, 1024  # measured on CPU: best in all, and least a run, for stacks of 1 to 8


def train_group(
    specs: Sequence[RunSpec],
    data: ProxyData,
    *,
    device: str = "auto",
    checkpoint: Path | str | None = None,
    checkpoint_every_s: float = 30.0,
    checkpoint_every_steps: int | None = None,
    on_step: Callable[[int], None] | None = None,
    on_progress: Callable[[float, float], None] | None = None,
    curve_every: int = 10,
    threads: int = 1,
    dtype: str = "auto",
    notes: Sequence[str] = (),
) -> list[RunResult]:
    """Train specs that share shape, budgets and batch as one batched model, and return a result for each, in order.

    `checkpoint` is a file written every so many seconds or steps, read if it exists and removed at the end.
    `on_step` is called after every optimiser step with the number of steps done, `on_progress` about once a second with
    the fraction done and the mean training loss. `dtype` is for specs that leave theirs to the planner; `notes` go into
    the record of every run.
    Example: `[result] = train_group([spec], data); result.budgets[-1].held_out["web"].loss_nats`.
    """
    with compute_threads(threads):
        trainer = Trainer(specs, data, device, dtype)
        trainer.record.notes += notes
        on_step = watched(trainer.record, on_step, on_progress)
        store = Checkpoint(Path(checkpoint), trainer.identity, checkpoint_every_s, checkpoint_every_steps) if checkpoint else None
        if store and (state := store.load()):
            trainer.load(state)
        trainer.run(store, on_step)
        if store:
            store.remove()
        return trainer.record.results(curve_every)


@dataclass
class Place:
    """Where training stands: `segment` of the plan, `step` inside it, the trunk's state while a branch is open."""

    segment: int = 0
    step: int = 0
    trunk: dict | None = None


class Trainer:
    """A group of R runs in training."""

    def __init__(self, specs: Sequence[RunSpec], data: ProxyData, device: str = "auto", dtype: str = "auto"):
        first = _one_stack(specs)
        self.specs = list(specs)
        self.courses = [data.course(spec) for spec in specs]
        self.device, precision, self.reason = choose_device(device, dtype if first.dtype == "auto" else first.dtype)
        self.plan = first.segments
        transfer = factors(first.shape, first.base_width, first.base_depth)
        self.weights = Weights(first.shape, [spec.seed for spec in specs], self.device, transfer=transfer)
        self.optimiser = AdamW(self.weights, [spec.lr for spec in specs], [spec.weight_decay for spec in specs], transfer)
        self.engine = build_engine(self.weights, precision, first.z_loss)
        self.feed = Feed([course.trunk for course in self.courses], first.batch_tokens, first.context, self.device)
        decays = [course.decay for course in self.courses if course.decay]  # of all runs or of none
        self.decay_feed = Feed(decays, first.batch_tokens, first.context, self.device) if decays else None
        self.dropout = DropoutMasks(first.shape, [spec.seed for spec in specs], [spec.dropout for spec in specs], self.device)
        self.scorer = Scorer(dict(data.held_out), first.context, max(EVALUATION_TOKENS[0] // len(specs), EVALUATION_TOKENS[1]), self.device)
        self.record = Record(self.specs, self.plan, self.courses, self.device, self.reason)
        self.place = Place()

    @property
    def identity(self) -> dict:
        """What a checkpoint must agree with to be resumed."""
        return {"specs": [spec.to_dict() for spec in self.specs], "views": [view.fingerprint for course in self.courses for view in course.views]}

    def run(self, store: Checkpoint | None = None, on_step: Callable[[int], None] | None = None) -> None:
        while self.place.segment < len(self.plan):
            segment = self.plan[self.place.segment]
            if segment.budget_tokens and segment.returns and self.place.trunk is None:
                self.place.trunk = self.optimiser.state()
            while self.place.step < segment.n_steps:
                self._step(segment)
                if store and store.due():
                    self.record.note(store.save(self.state()))
                if on_step:
                    on_step(self.record.n_steps)
            self._close(segment)

    def _step(self, segment: Segment) -> None:
        step = segment.first_step + self.place.step
        inputs, targets = self.decay_feed.at(self.place.step) if self.decay_feed and segment.budget_tokens else self.feed.at(step)
        loss_nats = self.engine.step_loss(inputs, targets, self.dropout.at(step, inputs.shape[1]))
        self.optimiser.step(float(segment.lr_factors[self.place.step]))
        self.record.add_step(loss_nats)
        self.place.step += 1

    def _close(self, segment: Segment) -> None:
        """End a segment: a branch is scored and the trunk restored."""
        if segment.budget_tokens:
            scores = self.scorer.score(self.engine.token_losses, len(self.specs))
            self.record.add_budget(segment, scores)
            if segment.returns and self.place.segment + 1 < len(self.plan):
                self.optimiser.load(self.place.trunk)
        self.place = Place(self.place.segment + 1)

    def state(self) -> dict:
        return {"place": vars(self.place), "optimiser": self.optimiser.state(), "record": self.record.state()}

    def load(self, state: dict) -> None:
        self.place = Place(**state["place"])
        self.optimiser.load(state["optimiser"])
        self.record.load(state["record"])


def train_run(spec: RunSpec, data: ProxyData, **options) -> RunResult:
    """Train one spec by itself; options as in `train_group`."""
    return train_group([spec], data, **options)[0]


def _one_stack(specs: Sequence[RunSpec]) -> RunSpec:
    if not specs:
        raise InputError("no specs to train; name at least one arm")
    for spec in specs:
        if spec.stack_key != specs[0].stack_key:
            raise InputError(f"arms {specs[0].arm!r} and {spec.arm!r} differ in shape, budgets, batch, schedule or dtype; "
                             "train them in separate groups")
    return specs[0]
