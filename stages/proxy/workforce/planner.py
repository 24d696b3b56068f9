"""How a sweep is packed: which runs are stacked, on how many workers and threads, in which
precision, and what it will take.

1. `measured` of `kinds.py` probes each kind of run (a shape, batch and dtype) for a second or two:
   tokens/s by stack size, within memory. On a GPU nothing is probed, since every probe would have
   to be compiled: rates come from operations, bytes and kernels (`expected.py`).
2. `packed` picks for each kind the stack with which all workers, or all cards, together finish
   first, by laying the groups out.
3. `TrainingPlan.lines` says what was chosen, why, and the expected time and cost, before anything
   is trained.

Rates are those of one process while all workers are busy, where the workers themselves measure
(`workers.py`); `progress.py` corrects the rest on the way.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stages.proxy.specs.spec import RunSpec
from stages.proxy.specs.stack import n_tokens_trained, stacks
from stages.proxy.workforce.cards import Limits
from stages.proxy.workforce.expected import beside_steps, saved_by_compiling
from stages.proxy.workforce.gpus import is_large
from stages.proxy.workforce.kinds import (
    CONTEXT_BYTES,
    WORKER_BYTES,
    Kind,
    alike,
    group_bytes,
    kind_of,
)
from stages.proxy.workforce.probe import Candidate

NEAR_BEST = 0.95  # assumed: of stacks this close to the fastest the smallest is taken, since it makes finer jobs
# assumed: what bfloat16 and a second thread must gain to be worth their risks
HALF_GAIN, THREAD_GAIN = (1.25, 1.15)
FORWARD_SHARE = 1 / 3  # of a training step: held-out tokens are only read forward


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
    n_cards: int = 0  # on which the processes lie; 0 on CPU
    per_card: int = 1  # groups on a card at once
    compiled: frozenset[str] = frozenset()  # kinds whose programs are worth compiling

    @property
    def n_lanes(self) -> int:
        """What works side by side: workers, on GPUs cards, since processes on one card take turns."""
        return self.n_cards or self.n_workers

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
        kept = [index for index, group in enumerate(left) if group]
        groups, seconds = [left[i] for i in kept], [seconds[i] for i in kept]
        return replace(
            self,
            groups=groups,
            group_seconds=seconds,
            busy_seconds=sum(seconds),
            **laid_out(
                groups,
                seconds,
                n_lanes=self.n_lanes,
                per_card=self.per_card,
                device=self.device,
            ),
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
        first = (
            f"{n_runs} runs in {len(self.groups)} groups on {self._workers()}: about"
            f" {spoken(self.seconds)}, {self.busy_seconds * cores / 3600:.3g} {unit},"
            f" {self.flops:.2g} FLOPs, at most {self.n_bytes / 1e9:.1f} GB"
        )
        return [first, *sorted(set(self.reasons.values()))]

    def _workers(self) -> str:
        if self.device != "cuda":
            return f"{self.n_workers} workers"
        if self.n_workers == 1:
            return "one process on the GPU"
        cards = "one card" if self.n_cards == 1 else f"{self.n_cards} cards"
        return f"{self.n_workers} processes on {cards}"


def packed(
    specs: Sequence[RunSpec],
    kinds: Mapping[str, Kind],
    *,
    n_workers: int,
    device: str = "cpu",
    held_out_tokens: int = 0,
    limits: Limits | None = None,
    n_held: int | None = None,
    per_card: int = 1,
) -> TrainingPlan:
    """The groups with which `n_workers` finish first, from what was measured of every kind.

    held_out_tokens: scored at every budget of every run. limits: of the card, on a GPU. There
    `n_workers` are all cards of the machine, for which runs are packed however many are free, so
    that a sweep that goes on keeps its groups; `n_held` (default: all) those that will be used, by
    which time and memory are counted; `per_card` groups lie on each at once.
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

    chosen = balanced(
        best, kinds, lambda ways: finished(*layout(ways), n_workers, device)
    )
    groups, seconds = layout(chosen)
    n_lanes = n_workers if n_held is None else n_held
    order = sorted(range(len(groups)), key=lambda i: -seconds[i])
    reasons = {
        kind: reason(kind, kinds[kind], way=chosen[kind], best=best[kind])
        for kind in kinds
    }
    saved = {} if limits is None else saved_by_compiling(groups, limits, n_workers)
    if limits is not None:
        more = beside_steps(
            [groups[i] for i in order],
            saved,
            limits,
            seconds=[seconds[i] for i in order],
            n_cards=n_lanes,
        )
        for place, extra in zip(order, more, strict=True):
            seconds[place] += extra
    for kind, gain in saved.items():
        reasons[kind] += f"; {_why_compiled(gain)}"
    if device == "cuda":
        for kind in {kind_of(s, device) for s in specs if s.shape.n_experts}:
            reasons[kind] += (
                "; experts are started step by step, which these rates do not count"
            )
    groups, seconds = [groups[i] for i in order], [seconds[i] for i in order]
    return TrainingPlan(
        groups,
        chosen=chosen,
        reasons=reasons,
        group_seconds=seconds,
        busy_seconds=sum(seconds),
        device=device,
        per_card=per_card,
        **laid_out(groups, seconds, n_lanes=n_lanes, per_card=per_card, device=device),
        compiled=frozenset(kind for kind, gain in saved.items() if gain > 0),
    )


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
    by_size = alike(rates, top)
    enough = NEAR_BEST * max(by_size.values())
    return min(way for way, rate in by_size.items() if rate >= enough)


def balanced(
    best: dict[str, Candidate],
    kinds: Mapping[str, Kind],
    finish: Callable[[dict[str, Candidate]], float],
) -> dict[str, Candidate]:
    """`best`, with smaller stacks where coarse groups would leave workers idle at the end."""
    chosen, least = dict(best), finish(best)
    for kind, way in best.items():
        by_size = alike(kinds[kind].rates, way)
        for smaller in sorted((w for w in by_size if w < way), reverse=True):
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
    by_size = {like.stack_size: rate for like, rate in alike(rates, way).items()}
    most = max(len(group), min(by_size))
    rate = by_size[max(size for size in by_size if size <= most)]
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


def finished(
    groups: Sequence[Sequence[RunSpec]],
    seconds: Sequence[float],
    n_lanes: int,
    device: str,
) -> float:
    """When all groups are done: large ones on all cards together, one after another, then the small ones side by side.

    assumed: n cards train a large run n times as fast as one.
    """
    small, large = small_and_large(groups, n_lanes, device)
    together = sum(seconds[i] for i in large) / n_lanes
    return together + makespan([seconds[i] for i in small], n_lanes)


def laid_out(
    groups: Sequence[Sequence[RunSpec]],
    seconds: Sequence[float],
    *,
    n_lanes: int,
    per_card: int,
    device: str,
) -> dict[str, Any]:
    """`n_workers`, `n_cards`, `seconds` and `n_bytes` of a plan with these groups on so many workers or cards."""
    small, large = small_and_large(groups, n_lanes, device)
    n_used = n_lanes if large else max(1, min(n_lanes, len(groups)))
    n_side_by_side = max(1, min(n_used * per_card, len(small)))
    n_bytes = _peak_bytes([groups[i] for i in small], n_side_by_side, device)
    if large:
        n_bytes = max(
            n_bytes, n_used * _peak_bytes([groups[i] for i in large], 1, device)
        )
    return {
        "n_workers": max(n_side_by_side, n_used),
        "n_cards": n_used if device == "cuda" else 0,
        "seconds": finished(groups, seconds, n_used, device),
        "n_bytes": n_bytes,
    }


def small_and_large(
    groups: Sequence[Sequence[RunSpec]], n_lanes: int, device: str
) -> tuple[list[int], list[int]]:
    """Places of the groups that take one worker or card each, and of those that take all cards."""
    alone = device != "cuda" or n_lanes == 1
    large = [i for i, group in enumerate(groups) if not alone and is_large(group[0])]
    return [i for i in range(len(groups)) if i not in large], large


def reason(kind: str, found: Kind, way: Candidate, best: Candidate) -> str:
    """Why a kind is trained this way, with every rate that was measured."""
    single = min(found.rates)
    gain = found.rates[way] / found.rates[single]
    why = (
        "stacking does not pay" if way.stack_size == 1 else f"{gain:.2f} times one run"
    )
    if way != best:
        idle = "cards" if kind.startswith("cuda ") else "workers"
        why += f"; {best.stack_size} would leave {idle} idle at the end"
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
    needs = {key: group_bytes(group, device) for key, group in sizes.items()}
    of_groups = (needs[group[0].stack_key, len(group)] for group in groups)
    largest = sorted(of_groups, reverse=True)[:n_workers]
    own = CONTEXT_BYTES * (n_workers > 1) if device == "cuda" else WORKER_BYTES
    return sum(largest) + n_workers * own
