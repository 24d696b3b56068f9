"""How a sweep is packed: which runs are stacked, on how many workers and threads, in which
precision, and what it will take.

1. `measured` probes each kind of run (a shape, batch and dtype) for a second or two: tokens/s by
   stack size, within memory. On a GPU nothing is probed, since every probe would have to be
   compiled: rates come from operations, bytes and kernels (`expected.py`).
2. `packed` picks for each kind the stack with which all workers together finish first, by laying
   the groups out.
3. `TrainingPlan.lines` says what was chosen, why, and the expected time and cost, before anything
   is trained.

Rates are those of one process while all workers are busy, where the workers themselves measure
(`workers.py`); `progress.py` corrects the rest on the way.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from stages.foundation.errors import InputError
from stages.proxy.network.memory import (
    SAFE_FRACTION,
    available_bytes,
    runs_that_fit,
    training_bytes,
)
from stages.proxy.specs.spec import RunSpec
from stages.proxy.specs.stack import n_tokens_trained, stacks
from stages.proxy.workforce.cards import Limits
from stages.proxy.workforce.expected import (
    COMPILE_SECONDS,
    START_SECONDS,
    seconds_saved,
)
from stages.proxy.workforce.probe import Candidate, candidates, measured_rates

NEAR_BEST = 0.95  # assumed: of stacks this close to the fastest the smallest is taken, since it makes finer jobs
# assumed: what bfloat16 and a second thread must gain to be worth their risks
HALF_GAIN, THREAD_GAIN = (1.25, 1.15)
FORWARD_SHARE = 1 / 3  # of a training step: held-out tokens are only read forward
# measured: a worker with torch and its data that has trained nothing (226 MB and more)
WORKER_BYTES = 300 * 2**20


@dataclass(frozen=True)
class Kind:
    """What a probe found for one kind of run: `rates` tokens/s by candidate, `most` runs that fit a worker's memory."""

    rates: dict[Candidate, float]
    most: int

    def to_dict(self) -> dict:
        return {
            "most": self.most,
            "rates": [
                [way.stack_size, way.threads, way.dtype, round(rate)]
                for way, rate in self.rates.items()
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping) -> "Kind":
        return cls(
            {Candidate(*way): float(rate) for *way, rate in values["rates"]},
            values["most"],
        )


@dataclass(frozen=True)
class TrainingPlan:
    """Groups in the order in which they start, the way each kind of run is trained, and the expected cost."""

    groups: list[list[RunSpec]]
    chosen: dict[str, Candidate]  # by kind
    reasons: dict[str, str]  # by kind
    n_workers: int
    group_seconds: list[float]  # expected, of each group
    seconds: float  # expected wall time
    busy_seconds: float  # of all workers together
    n_bytes: int  # of all workers together
    device: str
    compiled: frozenset[str] = frozenset()  # kinds whose programs are worth compiling

    @property
    def flops(self) -> float:
        return float(
            sum(
                len(group) * group[0].flops(n_tokens_trained(group[0]), exact=True)
                for group in self.groups
            )
        )

    def without(
        self,
        done: set,
        key: Callable[[RunSpec], object],
        begun: Callable[[list[RunSpec]], bool] = lambda group: False,
    ) -> "TrainingPlan":
        """The plan of what is left: the same groups less the runs whose key is done, the time of
        each in proportion.

        A group that has `begun` stays whole until all of it is done: trained with fewer, the others
        would differ in their last digits.
        """
        left = [
            [spec for spec in group if key(spec) not in done] for group in self.groups
        ]
        left = [
            group if now and begun(group) else now
            for group, now in zip(self.groups, left, strict=True)
        ]
        seconds = [
            s * len(now) / len(group)
            for s, now, group in zip(self.group_seconds, left, self.groups, strict=True)
        ]
        share = sum(seconds) / max(sum(self.group_seconds), 1e-9)
        kept = [index for index, group in enumerate(left) if group]
        return replace(
            self,
            groups=[left[i] for i in kept],
            group_seconds=[seconds[i] for i in kept],
            n_workers=max(1, min(self.n_workers, len(kept))),
            seconds=self.seconds * share,
            busy_seconds=self.busy_seconds * share,
        )

    def lines(self) -> list[str]:
        """The plan for a person, the expected time and cost first."""
        n_runs, unit = (
            sum(map(len, self.groups)),
            "GPU-hours" if self.device == "cuda" else "core-hours",
        )
        cores = (
            1
            if self.device == "cuda"
            else max((way.threads for way in self.chosen.values()), default=1)
        )
        workers = (
            "one process on the GPU"
            if self.device == "cuda"
            else f"{self.n_workers} workers"
        )
        first = (
            f"{n_runs} runs in {len(self.groups)} groups on {workers}: about"
            f" {spoken(self.seconds)}, {self.busy_seconds * cores / 3600:.3g} {unit},"
            f" {self.flops:.2g} FLOPs, at most {self.n_bytes / 1e9:.1f} GB"
        )
        return [first, *sorted(set(self.reasons.values()))]


def kind_of(spec: RunSpec, device: str) -> str:
    """Runs of one kind train equally fast. Example: `cpu d32 x 2 vocabulary 512 batch 512 x 128`."""
    shape = spec.shape
    dtype = "" if spec.dtype == "auto" else f" {spec.dtype}"
    experts = (
        f" {shape.top_k} of {shape.n_experts} experts of {shape.expert_width}"
        if shape.n_experts
        else ""
    )
    experts += (
        f" in every {shape.expert_every}. layer" if shape.expert_every > 1 else ""
    )
    return (
        f"{device} d{shape.d_model} x {shape.n_layers} vocabulary {shape.vocab_size}"
        f" batch {spec.batch_tokens} x {shape.context}{experts}{dtype}"
    )


def measured(
    spec: RunSpec,
    *,
    n_workers: int,
    n_threads: int = 1,
    device: str = "cpu",
    seconds: float = 1.5,
    free_bytes: int | None = None,
    rates: Callable[..., dict[Candidate, float]] = measured_rates,
) -> Kind:
    """Probe one kind of run, to be trained on `n_workers` processes; `rates` as
    `probe.measured_rates`. InputError where not one fits.
    """
    free = available_bytes(device) if free_bytes is None else free_bytes
    each = (
        free * SAFE_FRACTION
        if device == "cuda"
        else free * SAFE_FRACTION / n_workers - WORKER_BYTES
    )
    most = runs_that_fit(
        spec.shape,
        spec.batch_tokens,
        n_bytes=each,
        device=device,
        dropout=spec.dropout > 0,
        dtype=spec.dtype,
    )
    if (
        not most
        and device == "cuda"
        and training_bytes(
            spec.shape,
            spec.context,
            n_runs=1,
            device=device,
            dropout=spec.dropout > 0,
            dtype=spec.dtype,
        )
        <= each
    ):
        most = 1  # a sequence at a time: `accumulate.py`
    if not most:
        needed = training_bytes(
            spec.shape,
            spec.batch_tokens,
            n_runs=1,
            device=device,
            dropout=spec.dropout > 0,
            dtype=spec.dtype,
        )
        raise InputError(
            f"one run of d_model {spec.shape.d_model}, batch {spec.batch_tokens} needs"
            f" {needed / 1e9:.2f} GB, a worker has {max(0, each) / 1e9:.2f} GB; lower"
            " batch_tokens, the size or the number of workers"
        )
    threads = (1, n_threads) if n_threads > 1 else (1,)
    ways = candidates(spec.shape, device, spec.dtype, largest=most, threads=threads)
    return Kind(
        rates(spec.shape, spec.batch_tokens, ways, seconds=seconds, device=device), most
    )


def packed(
    specs: Sequence[RunSpec],
    kinds: Mapping[str, Kind],
    *,
    n_workers: int,
    device: str = "cpu",
    held_out_tokens: int = 0,
    limits: Limits | None = None,
) -> TrainingPlan:
    """The groups with which `n_workers` finish first, from what was measured of every kind.

    held_out_tokens: scored at every budget of every run. limits: of the card, on a GPU.
    Example: `packed(specs, {kind_of(s, "cpu"): measured(s, ...)}, n_workers=2)`.
    """
    n_alike = Counter(kind_of(spec, device) for spec in specs)
    best = {
        kind: fastest(
            {
                way: rate
                for way, rate in found.rates.items()
                if way.stack_size <= max(1, n_alike[kind])
            }
        )
        for kind, found in kinds.items()
    }

    def layout(ways: dict[str, Candidate]) -> tuple[list[list[RunSpec]], list[float]]:
        groups = stacks(
            specs,
            lambda spec: ways[kind_of(spec, device)].stack_size,
            evenly=device == "cuda",  # a run left over alone would be compiled anew
        )
        return groups, [
            group_seconds(
                group,
                kinds[kind_of(group[0], device)].rates,
                ways[kind_of(group[0], device)],
                held_out_tokens,
            )
            for group in groups
        ]

    chosen = balanced(best, kinds, lambda ways: makespan(layout(ways)[1], n_workers))
    groups, seconds = layout(chosen)
    n_used = max(1, min(n_workers, len(groups)))
    order = sorted(range(len(groups)), key=lambda i: -seconds[i])
    reasons = {
        kind: reason(kind, kinds[kind], way=chosen[kind], best=best[kind])
        for kind in kinds
    }
    saved = _saved_by_compiling(groups, device, limits)
    if limits is not None:
        more = _beside_steps([groups[i] for i in order], saved, limits)
        for place, extra in zip(order, more, strict=True):
            seconds[place] += extra
    for kind, gain in saved.items():
        reasons[kind] += f"; {_why_compiled(gain)}"
    return TrainingPlan(
        [groups[i] for i in order],
        chosen=chosen,
        reasons=reasons,
        n_workers=n_used,
        group_seconds=[seconds[i] for i in order],
        seconds=makespan(seconds, n_used),
        busy_seconds=sum(seconds),
        n_bytes=_peak_bytes(groups, n_used, device),
        device=device,
        compiled=frozenset(kind for kind, gain in saved.items() if gain > 0),
    )


def _saved_by_compiling(
    groups: Sequence[Sequence[RunSpec]], device: str, limits: Limits | None
) -> dict[str, float]:
    """Seconds of all groups of a kind together, less what compiling takes; of a GPU alone, and not of experts, which
    are never compiled.
    """
    saved: dict[str, float] = {}
    if limits is None:
        return saved
    for group in groups:
        if not group[0].shape.n_experts:
            kind = kind_of(group[0], device)
            more = _saved_in(group, limits)
            saved[kind] = saved.get(kind, -COMPILE_SECONDS) + more
    return saved


def _saved_in(group: Sequence[RunSpec], limits: Limits) -> float:
    """Seconds that a group's compiled steps take less than plain ones."""
    spec = group[0]
    return seconds_saved(
        spec.shape,
        spec.batch_tokens,
        len(group),
        n_steps=n_tokens_trained(spec) // spec.batch_tokens,
        limits=limits,
        dtype="float32" if spec.dtype == "float32" else "bfloat16",
    )


def _beside_steps(
    groups: Sequence[Sequence[RunSpec]], saved: Mapping[str, float], limits: Limits
) -> list[float]:
    """Seconds of each group, in the order in which they start, that the rates of a GPU leave out: they are those of
    compiled steps.
    """
    found, begun = [], set()
    for group in groups:
        kind = kind_of(group[0], "cuda")
        if saved.get(kind, 0.0) <= 0:
            found.append(_saved_in(group, limits))
        else:
            found.append(0.0 if kind in begun else COMPILE_SECONDS)
        begun.add(kind)
    if found:
        found[0] += START_SECONDS
    return found


def _why_compiled(gain_s: float) -> str:
    if gain_s > 0:
        return f"compiled, which saves about {spoken(gain_s)}"
    return (
        "recorded as written: compiling would cost about"
        f" {spoken(-gain_s)} more than it saves"
    )


def fastest(rates: Mapping[Candidate, float]) -> Candidate:
    """The smallest stack near the best rate; bfloat16 and more threads must gain clearly over fp32 on one thread."""
    discounted = {
        way: (
            rate
            / (HALF_GAIN if way.dtype == "bfloat16" else 1)
            / (THREAD_GAIN if way.threads > 1 else 1)
        )
        for way, rate in rates.items()
    }
    top = max(discounted, key=lambda way: discounted[way])
    alike = {
        way: rate
        for way, rate in rates.items()
        if (way.threads, way.dtype) == (top.threads, top.dtype)
    }
    return min(
        way for way, rate in alike.items() if rate >= NEAR_BEST * max(alike.values())
    )


def balanced(
    best: dict[str, Candidate],
    kinds: Mapping[str, Kind],
    finish: Callable[[dict[str, Candidate]], float],
) -> dict[str, Candidate]:
    """`best`, with smaller stacks where coarse groups would leave workers idle at the end."""
    chosen, least = dict(best), finish(best)
    for kind, way in best.items():
        alike = sorted(
            (
                w
                for w in kinds[kind].rates
                if (w.threads, w.dtype) == (way.threads, way.dtype) and w < way
            ),
            reverse=True,
        )
        for smaller in alike:
            seconds = finish(chosen | {kind: smaller})
            if seconds < 0.98 * least:  # assumed: less is not worth another layout
                chosen, least = chosen | {kind: smaller}, seconds
    return chosen


def group_seconds(
    group: Sequence[RunSpec],
    rates: Mapping[Candidate, float],
    way: Candidate,
    held_out_tokens: int = 0,
) -> float:
    """Expected time of one group alone in its process; a group smaller than its stack runs at the rate of its size."""
    alike = {
        other.stack_size: rate
        for other, rate in rates.items()
        if (other.threads, other.dtype) == (way.threads, way.dtype)
    }
    rate = alike[max(size for size in alike if size <= max(len(group), min(alike)))]
    spec = group[0]
    return (
        len(group)
        * (
            n_tokens_trained(spec)
            + FORWARD_SHARE * held_out_tokens * len(spec.budgets_tokens)
        )
        / rate
    )


def makespan(seconds: Sequence[float], n_workers: int) -> float:
    """When the last of `n_workers` is done if the longest groups start first."""
    ends = [0.0] * max(1, n_workers)
    for duration in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)


def reason(kind: str, found: Kind, way: Candidate, best: Candidate) -> str:
    """Why a kind is trained this way, with every rate that was measured."""
    single = min(found.rates)
    gain = found.rates[way] / found.rates[single]
    why = (
        "stacking does not pay" if way.stack_size == 1 else f"{gain:.2f} times one run"
    )
    if way != best:
        why += f"; {best.stack_size} would leave workers idle at the end"
    if len(found.rates) == 1:
        why = "nothing else to choose from"
    rates = ", ".join(f"{way}: {rate / 1000:.0f}k" for way, rate in found.rates.items())
    expected = " expected" if kind.startswith("cuda ") else ""
    return (
        f"stack {way} ({why}) for {kind.split(' ', 1)[1]}; tokens/s{expected} by stack"
        f" {rates}"
    )


def spoken(seconds: float) -> str:
    """Seconds for a person. Example: `spoken(3700) == "1 h 01 min"`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return (
        f"{seconds / 60:.0f} min"
        if seconds < 3600
        else f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    )


def _peak_bytes(
    groups: Sequence[Sequence[RunSpec]], n_workers: int, device: str
) -> int:
    """The largest groups at once, one a worker, with what a worker takes by itself."""
    sizes = {(group[0].stack_key, len(group)): group for group in groups}
    needs = {
        key: training_bytes(
            group[0].shape,
            group[0].batch_tokens,
            n_runs=len(group),
            device=device,
            dropout=any(spec.dropout for spec in group),
            dtype=group[0].dtype,
        )
        for key, group in sizes.items()
    }
    largest = sorted(
        (needs[group[0].stack_key, len(group)] for group in groups), reverse=True
    )[:n_workers]
    return sum(largest) + (0 if device == "cuda" else n_workers * WORKER_BYTES)
