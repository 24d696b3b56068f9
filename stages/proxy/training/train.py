"""Train a group of proxy runs of one shape: the trunk, its branches, held-out losses, checkpoints.

One loop serves a single run and a stack of R runs: they differ only in the leading axis of the tensors.
A checkpoint holds weights, optimiser, place in the schedule, the trunk behind an open branch, training losses and
finished branches. Data order and dropout are functions of (seed, step), so no generator state is needed; a resumed
run repeats the rest bit for bit on the same device and number of stacked runs; on CUDA for contexts of up to 128
tokens, since beyond cuDNN sums the gradient of a query in no fixed order, which moves the last digits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from stages.foundation.errors import InputError
from stages.proxy.heldout.evaluate import Scorer
from stages.proxy.heldout.items import ItemScorer
from stages.proxy.network import grow
from stages.proxy.network.adamw import AdamW
from stages.proxy.network.device import choose_device, compute_threads
from stages.proxy.network.engine import DropoutMasks, build_engine
from stages.proxy.network.graphs import step_runner
from stages.proxy.network.model import Weights
from stages.proxy.network.stability import gradient_rms, largest_logit
from stages.proxy.specs.schedule import Segment
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunResult, RunSpec
from stages.proxy.specs.transfer import factors
from stages.proxy.training.checkpoint import Checkpoint
from stages.proxy.training.data import Feed, ProxyData
from stages.proxy.training.ranks import AgreedCheckpoint, is_first, ranked_engine
from stages.proxy.training.record import Record, watched
from stages.proxy.training.trunk_files import KEPT, save_trunk, trunks_state

if TYPE_CHECKING:
    from stages.proxy.network.engine import AutogradEngine
    from stages.proxy.network.kernel import KernelEngine
    from stages.proxy.training.ranks import RankEngine
    from stages.proxy.training.sharded import (
        ShardedAdamW,
        ShardedEngine,
        ShardedWeights,
    )

# measured on CPU: best in all, and least a run, for stacks of 1 to 8
EVALUATION_TOKENS = (4096, 1024)


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
    micro_sequences: int | None = None,
    recompute: bool = False,
    ranks: bool = False,
    sharded: bool = False,
    graphs: bool = True,
    compiled: bool = True,
) -> list[RunResult]:
    """Train specs that share shape, budgets and batch as one batched model, and return a result for
    each, in order.

    `checkpoint` is a file written every so many seconds or steps and at the end of several runs,
    and read if it exists; who called removes it when all results are safe (`backlog.py`). `on_step`
    is called after every optimiser step with the number of steps done, `on_progress` about once a
    second with the fraction done and the mean training loss. `dtype` is for specs that leave theirs
    to the planner; `notes` go into the record of every run. `micro_sequences` and `recompute` save
    memory (`engine.AutogradEngine`); `ranks`: this process is one of several that train the group
    together (`ranks.py`), of which the first alone writes; `sharded`: each holds a part of it.
    `graphs`: on CUDA steps are recorded as one graph (`graphs.py`); `compiled`: on CUDA, of programs
    that torch compiles first. Example: `[result] =
    train_group([spec], data); result.budgets[-1].held_out["web"].loss_nats`.
    """
    with compute_threads(threads):
        trainer = Trainer(
            specs,
            data=data,
            device=device,
            dtype=dtype,
            micro_sequences=micro_sequences,
            recompute=recompute,
            ranks=ranks,
            sharded=sharded,
            graphs=graphs,
            compiled=compiled,
            curve_every=curve_every,
        )
        trainer.record.notes += notes
        on_step = watched(trainer.record, on_step, on_progress)
        store = (
            Checkpoint(
                Path(checkpoint),
                identity=trainer.identity,
                every_seconds=checkpoint_every_s,
                every_steps=checkpoint_every_steps,
            )
            if checkpoint
            else None
        )
        if store and (state := store.load()):
            trainer.load(state)
        kept: Checkpoint | AgreedCheckpoint | None = store
        if sharded:
            kept = AgreedCheckpoint(store) if store else None
        elif not trainer.writes:
            kept = None
        trainer.run(kept, on_step)
        trainer.keep_trunks()
        if kept and len(specs) > 1:
            trainer.record.note(kept.save(trainer.state()))
        return trainer.record.results(curve_every)


@dataclass
class Place:
    """Where training stands: `segment` of the plan, `step` inside it, the trunk's state while a branch is open."""

    segment: int = 0
    step: int = 0
    trunk: dict | None = None


class Trainer:
    """A group of R runs in training."""

    def __init__(
        self,
        specs: Sequence[RunSpec],
        data: ProxyData,
        device: str = "auto",
        dtype: str = "auto",
        *,
        micro_sequences: int | None = None,
        recompute: bool = False,
        ranks: bool = False,
        sharded: bool = False,
        graphs: bool = True,
        compiled: bool = True,
        curve_every: int = 10,
    ):
        first = _one_stack(specs)
        # steps between two points of the curve that say more; 0: none do
        self.watch_every = curve_every if data.watched and not sharded else 0
        self.specs, self.ranks, self.sharded, self.graphs = (
            list(specs),
            ranks,
            sharded,
            graphs,
        )
        self.courses = [data.course(spec) for spec in specs]
        self.device, precision, self.reason = choose_device(
            device, dtype if first.dtype == "auto" else first.dtype
        )
        self.compiled = compiled and self.device.type == "cuda"
        self.plan = first.segments
        self.feed = Feed(
            [course.trunk for course in self.courses],
            batch_tokens=first.batch_tokens,
            context=first.context,
            device=self.device,
            begins=[spec.branch.first_token if spec.branch else 0 for spec in specs],
            answer_only=first.loss == "answer",
        )
        # of all runs or of none
        decays = [course.decay for course in self.courses if course.decay]
        self.decay_feed = (
            Feed(
                decays,
                batch_tokens=first.batch_tokens,
                context=first.context,
                device=self.device,
                answer_only=first.loss == "answer",
            )
            if decays
            else None
        )
        eos_id = (
            self.courses[0].trunk.view.packed.eos_id if first.documents_apart else None
        )
        self.engine_options = {
            "dtype": precision,
            "z_loss": first.z_loss,
            "eos_id": eos_id,
            "micro_sequences": micro_sequences,
            "recompute": recompute,
            "answer_only": first.loss == "answer",
        }
        self.record = Record(
            self.specs,
            plan=self.plan,
            courses=self.courses,
            device=self.device,
            reason=self.reason,
        )
        self._build(grow.first_shape(first))
        if first.branch is not None:
            self.optimiser.load(trunks_state(self.specs, data.trunks))
        self.kept, self.tokenizer = data.kept, data.tokenizer
        batch_tokens = max(EVALUATION_TOKENS[0] // len(specs), EVALUATION_TOKENS[1])
        self.scorer = Scorer(
            dict(data.held_out),
            context=first.context,
            batch_tokens=batch_tokens,
            device=self.device,
        )
        self.item_scorer = (
            ItemScorer(
                data.items,
                context=first.context,
                batch_tokens=batch_tokens,
                device=self.device,
            )
            if data.items
            else None
        )
        self.place = Place()

    def _build(self, shape: Shape) -> None:
        """Weights, and all that depends on their number."""
        self.weights: Weights | ShardedWeights
        self.optimiser: AdamW | ShardedAdamW
        self.engine: AutogradEngine | KernelEngine | RankEngine | ShardedEngine
        first = self.specs[0]
        transfer = factors(shape, first.base_width, first.base_depth)
        if self.sharded:
            from stages.proxy.training.sharded import sharded_parts

            self.weights, self.optimiser, self.engine = sharded_parts(
                shape,
                self.specs,
                device=self.device,
                transfer=transfer,
                options=self.engine_options,
            )
        else:
            self.weights = Weights(
                shape,
                [spec.seed for spec in self.specs],
                self.device,
                transfer=transfer,
            )
            self.optimiser = AdamW(
                self.weights,
                lr=[spec.lr for spec in self.specs],
                weight_decay=[spec.weight_decay for spec in self.specs],
                transfer=transfer,
                compiled=self.compiled,
            )
            self.engine = (
                ranked_engine(self.weights, **self.engine_options)
                if self.ranks
                else build_engine(
                    self.weights, compiled=self.compiled, **self.engine_options
                )
            )
        self.train_step = step_runner(
            self.engine,
            self.optimiser,
            note=self.record.note,
            graphs=self.graphs,
        )
        self.dropout = DropoutMasks(
            shape,
            seeds=[spec.seed for spec in self.specs],
            rates=[spec.dropout for spec in self.specs],
            device=self.device,
        )

    @property
    def writes(self) -> bool:
        """Whether this process keeps the checkpoint."""
        return not self.ranks or is_first()

    @property
    def is_shallow(self) -> bool:
        return self.weights.shape != self.specs[0].shape

    def _grow(self) -> None:
        """Stack the layers of the model so far and go on with the deep one; the record says how far the loss jumps."""
        spec, step = self.specs[0], self.place.step
        before = self.engine.step_loss(*self.feed.at(step))
        shallow, state = self.weights, self.optimiser.whole(self.optimiser.state())
        assert state is not None  # each process that asks for it has it
        self._build(spec.shape)
        self.optimiser.load(
            grow.stack_state(
                state, shallow, self.weights, silent=spec.growth == "identity"
            )
        )
        jump = (self.engine.step_loss(*self.feed.at(step)) - before).tolist()
        self.record.note(
            f"grown by {spec.growth} from {spec.grown_from} to {spec.shape.n_layers}"
            f" layers at {spec.growth_tokens} tokens; loss of the next batch"
            f" {', '.join(f'{each:+.4f}' for each in jump)} nats"
        )

    @property
    def identity(self) -> dict:
        """What a checkpoint must agree with to be resumed."""
        views = [view for course in self.courses for view in course.views]
        found = {
            "specs": [spec.to_dict() for spec in self.specs],
            "views": [view.fingerprint for view in views],
        }
        if self.specs[0].loss == "answer":
            found["prompts"] = [view.packed.prompts_sha256 for view in views]
        return found

    def run(
        self,
        store: Checkpoint | AgreedCheckpoint | None = None,
        on_step: Callable[[int], None] | None = None,
    ) -> None:
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
        if (
            self.is_shallow
            and step * self.specs[0].batch_tokens == self.specs[0].growth_tokens
        ):
            self._grow()
        if self.decay_feed and segment.budget_tokens:
            inputs, targets = self.decay_feed.at(self.place.step)
        else:  # a branch counts from where it begins to read
            of_feed = self.place.step if self.specs[0].branch else step
            inputs, targets = self.feed.at(of_feed)
        keep = self.dropout.at(step, inputs.shape[1])
        lr_factor = float(segment.lr_factors[self.place.step])
        self.place.step += 1
        if self._ends_a_point(segment):
            loss_nats = self._watched_step(inputs, targets, keep, lr_factor)
        else:
            loss_nats = self.train_step(inputs, targets, keep, lr_factor)
        self.record.add_step(loss_nats)

    def _ends_a_point(self, segment: Segment) -> bool:
        """Whether the step is the last behind a point of a curve that says more."""
        done, every = self.place.step, self.watch_every
        return bool(every) and (done % every == 0 or done == segment.n_steps)

    def _watched_step(
        self,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        keep: torch.Tensor | None,
        lr_factor: float,
    ) -> torch.Tensor:
        """The same step, with a look at logits and gradient between its two halves."""
        assert isinstance(self.weights, Weights)  # shards are not watched
        loss_nats = self.engine.step_loss(inputs, targets, keep)
        self.record.add_watched(
            attention_logit=largest_logit(
                self.weights.named, self.weights.shape, inputs[:, :1]
            ),
            gradient_rms=gradient_rms(self.weights.grad),
        )
        self.optimiser.step(lr_factor)
        return loss_nats

    def _close(self, segment: Segment) -> None:
        """End a segment: a branch is scored and the trunk restored."""
        if segment.budget_tokens:
            scores = self.scorer.score(self.engine.token_losses, len(self.specs))
            items = (
                self.item_scorer.score(
                    self.engine.token_losses,
                    self.weights,
                    [spec.seed for spec in self.specs],
                )
                if self.item_scorer
                else None
            )
            self.record.add_budget(segment, scores, items)
            if segment.returns and self.place.segment + 1 < len(self.plan):
                self.optimiser.load(self.place.trunk)
        self.place = Place(self.place.segment + 1)

    def keep_trunks(self) -> None:
        """Write the weights and moments of those runs that others go on from."""
        files = [self.kept.get(spec.key) for spec in self.specs]
        if not any(files):
            return
        state = self.optimiser.whole(self.optimiser.state(), self.writes)
        if state is None:  # another process writes
            return
        for run, (spec, file) in enumerate(zip(self.specs, files, strict=True)):
            if file is not None:
                own = {name: state[name][run] for name in KEPT}
                said = {"tokenizer": self.tokenizer} if self.tokenizer else {}
                save_trunk(file, spec, own, n_steps=state["n_steps"], said=said)

    def state(self) -> dict:
        trunk, now = (
            self.optimiser.whole(state, self.writes)
            for state in (self.place.trunk, self.optimiser.state())
        )
        return {
            "place": vars(self.place) | {"trunk": trunk},
            "optimiser": now,
            "record": self.record.state(),
        }

    def load(self, state: dict) -> None:
        self.place = Place(**state["place"])
        if (
            self.is_shallow
            and state["optimiser"]["flat"].shape[1]
            == self.specs[0].shape.n_params_total
        ):
            self._build(self.specs[0].shape)  # it had grown
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
            raise InputError(
                f"arms {specs[0].arm!r} and {spec.arm!r} differ in shape, budgets,"
                " batch, schedule or dtype; train them in separate groups"
            )
    return specs[0]
