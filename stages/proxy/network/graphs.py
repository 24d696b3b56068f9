"""A training step as one CUDA graph: the kernels of engine and optimiser are recorded once and
started together ever after.

A step of small models is some hundred short kernels, and starting each from Python takes longer
than running it. The graph reads its inputs, targets, dropout factors, learning-rate factor and step
number from tensors that stay in place, so one recording serves every step of a run; branches and
curricula change numbers alone. Weights, moments and gradients are written where they are. Recorded
after WARM_STEPS plain steps, which compile and choose sizes. Experts, whose counts the host looks
at, stay plain, and so does a run whose recording fails: its record and the log say why. Cost: memory
of the recorded activations stays taken between steps.

What ends a recording, and what keeps it away:
- a compile. A program holds for one layout of its inputs: the windows that a feed hands out have
  other strides than the tensors that stay in place, and once compiled anew inside the recording
  (seen on an H100). So the engine gives its program dense copies (`compiled.py`), and inside the
  recording a compile is an error that names the input which changed.
- another thread that allocates pinned memory, as the feed does: errors are those of this thread
  alone, and the feed waits (`card_is_quiet`).
- a host that waits for a number (`.item()`, a mask that picks rows).

`record` is what turns a function into one that replays it: `cuda_graph`, or a stand-in in tests,
which refuses the same.
"""

from collections.abc import Callable

import torch

from stages.proxy.network.adamw import AdamW
from stages.proxy.network.device import card_is_quiet
from stages.proxy.network.engine import AutogradEngine
from stages.proxy.specs.outcome import first_line

UNRECORDED = "steps are started one by one"  # so begins the note of a failure
WARM_STEPS = 3  # assumed: torch's own recorder warms up as often
Recorder = Callable[
    [Callable[[], torch.Tensor]], tuple[Callable[[], None], torch.Tensor]
]


class PlainStep:
    """One step after another, started from Python."""

    def __init__(self, engine, optimiser):
        self.engine, self.optimiser = engine, optimiser

    def __call__(
        self,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        keep: torch.Tensor | None,
        lr_factor: float,
    ) -> torch.Tensor:
        """Train on inputs and targets (R, B, T); the loss (R,) before the update."""
        loss_nats = self.engine.step_loss(inputs, targets, keep)
        self.optimiser.step(lr_factor)
        return loss_nats


class GraphedStep:
    """The same step replayed from a recording; `note` gets a line where recording failed."""

    def __init__(
        self,
        engine,
        optimiser: AdamW,
        note: Callable[[str], None],
        record: Recorder | None = None,
    ):
        self.plain, self.optimiser, self.note = (
            PlainStep(engine, optimiser),
            optimiser,
            note,
        )
        self.record = record or cuda_graph
        self.n_plain, self.failed = 0, False
        self._replay: Callable[[], None] | None = None

    def __call__(
        self,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        keep: torch.Tensor | None,
        lr_factor: float,
    ) -> torch.Tensor:
        """As `PlainStep`; the loss is overwritten by the next step."""
        if self.failed or self.n_plain < WARM_STEPS:
            self.n_plain += 1
            return self.plain(inputs, targets, keep, lr_factor)
        if self._replay is None:
            self._record(inputs, targets, keep)
            if self.failed:
                return self.plain(inputs, targets, keep, lr_factor)
        self._fill(inputs, targets, keep, lr_factor)
        assert self._replay is not None  # recorded above, or it had failed
        self._replay()
        return self._loss

    def _record(
        self, inputs: torch.Tensor, targets: torch.Tensor, keep: torch.Tensor | None
    ) -> None:
        """Make the tensors that stay in place and record a step on them; recording runs no kernel,
        so no step is lost.
        """
        if self.plain.engine.weights.shape.n_experts:
            self.failed = True  # known before the run, so no news
            return
        self._tensors = [
            None if part is None else part.clone() for part in (inputs, targets, keep)
        ]
        self._lr_factor, self._n_steps = (
            torch.ones((), dtype=torch.float64, device=inputs.device) for _ in range(2)
        )
        try:
            with card_is_quiet, torch.compiler.set_stance("fail_on_recompile"):
                self._replay, self._loss = self.record(self._step)
        except RuntimeError as error:
            self.failed = True
            self.note(
                f"{UNRECORDED}: a CUDA graph could not be recorded"
                f" ({first_line(error)})"
            )

    def _step(self) -> torch.Tensor:
        loss_nats = self.plain.engine.step_loss(*self._tensors)
        self.optimiser.update(self._lr_factor, self._n_steps)
        return loss_nats

    def _fill(
        self,
        inputs: torch.Tensor,
        targets: torch.Tensor,
        keep: torch.Tensor | None,
        lr_factor: float,
    ) -> None:
        for place, part in zip(self._tensors, (inputs, targets, keep), strict=True):
            if place is not None:
                place.copy_(part)
        self.optimiser.n_steps += 1
        self._lr_factor.fill_(lr_factor)
        self._n_steps.fill_(self.optimiser.n_steps)


def cuda_graph(
    step: Callable[[], torch.Tensor],
) -> tuple[Callable[[], None], torch.Tensor]:
    """Record a step: what replays it, and the tensor that holds its loss. RuntimeError where CUDA
    refuses; the stream is as before.
    """
    graph, before = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    try:
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            loss_nats = step()
    finally:
        torch.cuda.set_stream(before)
    return graph.replay, loss_nats


def step_runner(
    engine, optimiser, note: Callable[[str], None], graphs: bool = True
) -> PlainStep | GraphedStep:
    """The fastest way to take steps with this engine and optimiser: recorded for one process on CUDA, else plain."""
    if graphs and isinstance(engine, AutogradEngine) and engine.device.type == "cuda":
        return GraphedStep(engine, optimiser, note)
    return PlainStep(engine, optimiser)
