"""Which runs train together: specs of one shape and schedule, cut into stacks, with the cost of each.

The stacked model itself is `model.py`: every tensor carries the run axis, so a stack is the plain loop with R > 1.
Arms, seeds, weight decays, learning rates and dropouts may differ inside a stack.
"""

import itertools
from collections.abc import Callable, Iterable

from stages.proxy.specs.spec import RunSpec

# measured: 0.75 ms of fixed cost a step at 85 GFLOP/s on one core
STEP_OVERHEAD_FLOPS = 6e7


def stacks(
    specs: Iterable[RunSpec],
    stack_size: int | Callable[[RunSpec], int] = 1,
    *,
    evenly: bool = False,
) -> list[list[RunSpec]]:
    """Groups for `train_group`, the longest first so that workers finish together.

    `stack_size` is a number or a function of a spec (each shape has its own best). `evenly`: as many
    groups, of sizes that differ by one at most; no run is left over alone. Order inside is kept.
    Example: `stacks(specs, 4)`.
    """
    alike: dict[tuple, list[RunSpec]] = {}
    for spec in specs:
        alike.setdefault(spec.stack_key, []).append(spec)
    found = []
    for group in alike.values():
        size = stack_size(group[0]) if callable(stack_size) else stack_size
        n_groups = -(-len(group) // size)
        ends = (
            [len(group) * part // n_groups for part in range(n_groups + 1)]
            if evenly
            else [*range(0, len(group), size), len(group)]
        )
        found += [group[first:end] for first, end in itertools.pairwise(ends)]
    return sorted(found, key=training_cost, reverse=True)


def n_tokens_trained(spec: RunSpec) -> int:
    """Tokens that a trunk and all its branches process, decays included."""
    return sum(segment.n_steps for segment in spec.segments) * spec.batch_tokens


def training_cost(group: list[RunSpec]) -> float:
    """Relative time of a group: FLOPs of all its runs plus the fixed cost of its steps."""
    spec = group[0]
    n_tokens = n_tokens_trained(spec)
    return (
        len(group) * spec.flops(n_tokens, exact=True)
        + n_tokens / spec.batch_tokens * STEP_OVERHEAD_FLOPS
    )
