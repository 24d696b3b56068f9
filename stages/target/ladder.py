"""Which proxies to train for a target within a time: sizes, budgets, resamples, settings, each with its reason.

1. Every size below the target's, largest first, is tried as the top of a ladder of up to four sizes.
2. The largest budget is what the time pays for on that ladder, at most as many tokens a parameter as the target has
   (20 to 100); four more follow below it, each 2.5 times smaller.
3. The first top whose largest budget is at least ten tokens a parameter is taken: the largest size that is trained as
   far as a target is. Where none is, budgets, then settings and resamples are given up, in this order, until the
   smallest ladder fits; where it never does, the ladder says so.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stages.proxy.specs.shape import LADDER, Shape, whole_batches
from stages.target.target import Target

# ours, in the order of the numbers above: (budgets, most settings, resamples)
MOST_SIZES, APART = 4, 2.5
USUAL_RATIO, MOST_RATIO = 20.0, 100.0  # cited: Hoffmann et al. 2022; assumed
STEP = 2.5
EFFORTS = ((5, 4, 4), (4, 4, 4), (4, 3, 4), (4, 2, 3), (4, 1, 2))
LEAST_RATIO = 10.0
LEAST_STEPS = 32  # ours: a budget of fewer is all warm-up
SHARE = 0.8  # assumed: the other stages take the rest of the time
BATCH = 512
DECAY = 0.2  # sweep.decay_fraction
HELD_OUT_COST = 1 / 3  # of a training step: held-out tokens are only read forward
HELD_OUT_TOKENS = 40_000  # pack.heldout_tokens, of one domain
FREELY = 1.0  # passes up to which nothing repeats
PLAIN = {"weight_decay": 0.1}
STRONG = {"weight_decay": 1.0}
DROPPED = {"weight_decay": 1.0, "dropout": 0.1, "min_epochs": 6}
# cited: Kim et al. 2025 ("Pre-training under infinite compute"), about thirty times the usual decay once data repeat
HEAVY = {"weight_decay": 3.2, "min_epochs": 4}
# assumed: FLOPs a second of two cores of a laptop, and what a step of a small model costs beside them
NOMINAL_FLOPS, NOMINAL_STEP_S = 1e11, 8e-4
HOUR_S = 3600.0
Rate = Callable[[str], float]  # size -> tokens a second, all workers together


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a ladder is for. keep: the least kept fraction of an arm; n_arms: arms and their twins; passes: of the
    target over its pools, None where they are not known yet; given: what params.yaml says itself.
    """

    target: Target
    keep: float
    n_arms: int
    passes: float | None = None
    seconds: float = HOUR_S
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def repeats(self) -> bool:
        """Whether an arm repeats its data at the target; taken for granted where pools are not known."""
        return self.passes is None or self.passes / self.keep > FREELY

    @property
    def batch_tokens(self) -> int:
        return int(self.given.get("batch_tokens", BATCH))


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """What the sweep trains. size_seconds: expected, by size; reasons: key -> why."""

    sizes: list[str]
    budgets_tokens: list[int]
    regularisations: list[dict[str, float]]
    draws: int
    control_sizes: list[str]
    size_seconds: dict[str, float]
    size_runs: dict[str, int]
    reasons: dict[str, str]
    fits: bool

    @property
    def seconds(self) -> float:
        """Expected, of the whole sweep."""
        return sum(self.size_seconds.values())

    def settings(self) -> dict[str, Any]:
        """The keys of the section `sweep` that it sets."""
        return {
            "sizes": self.sizes,
            "control_sizes": self.control_sizes,
            "budgets_tokens": self.budgets_tokens,
            "regularisations": self.regularisations,
        }


def ladder(wanted: Wanted, rate: Rate) -> Ladder:
    """The ladder for a target that fits the time; what is given is kept.

    >>> target = Target(params=1e9, tokens=2e10, pool_tokens=4e11)
    >>> passes = target.stated_passes
    >>> found = ladder(Wanted(target=target, keep=0.1, n_arms=4, passes=passes), nominal_rate)
    >>> found.sizes[-1], found.fits
    ('147k', True)
    """
    for n_budgets, most_settings, usual_draws in EFFORTS:
        settings, why_settings = _settings(wanted, most_settings)
        draws = int(wanted.given.get("draws") or usual_draws)
        runs = wanted.n_arms * draws * len(settings)
        each = SHARE * wanted.seconds / runs
        sizes, budgets, fits = _sizes_and_budgets(wanted, rate, each, n_budgets)
        if fits:
            break
    spent = {size: runs * _seconds(budgets, size, wanted, rate) for size in sizes}
    ratio = budgets[-1] / _n_params(sizes[-1])
    reasons = {
        "sizes": (
            "given"
            if wanted.given.get("sizes")
            else f"the largest that sees {ratio:.0f} tokens a parameter in the time"
        ),
        "budgets_tokens": (
            "given"
            if wanted.given.get("budgets_tokens")
            else f"the largest is what the time pays for, at most {_ratio(wanted):.0f}"
            " tokens a parameter"
        ),
        "regularisations": why_settings,
        "draws": (
            "given" if wanted.given.get("draws") else "resamples, for the intervals"
        ),
    }
    return Ladder(
        sizes=sizes,
        budgets_tokens=budgets,
        regularisations=settings,
        draws=draws,
        control_sizes=list(wanted.given.get("control_sizes") or [_middle(sizes)]),
        size_seconds=spent,
        size_runs=dict.fromkeys(sizes, runs),
        reasons=reasons,
        fits=fits,
    )


def _sizes_and_budgets(
    wanted: Wanted, rate: Rate, each: float, n_budgets: int
) -> tuple[list[str], list[int], bool]:
    """Sizes, budgets, and whether one run of every size takes at most `each` seconds."""
    given_sizes, given_budgets = (
        list(wanted.given.get(key) or []) for key in ("sizes", "budgets_tokens")
    )
    tops = [given_sizes] if given_sizes else _tops(wanted.target)
    least = LEAST_STEPS * wanted.batch_tokens * STEP ** (n_budgets - 1)
    for sizes in tops:
        n_params = _n_params(sizes[-1])
        if given_budgets:
            spent = sum(_seconds(given_budgets, s, wanted, rate) for s in sizes)
            budgets, fits, far = given_budgets, spent <= each, spent <= each
        else:
            most = max(_ratio(wanted) * n_params, least)
            shape = {"n_budgets": n_budgets, "batch_tokens": wanted.batch_tokens}
            top = _affordable_top(sizes, wanted, rate, most=most, each=each, **shape)
            budgets = _budgets(max(top, least), **shape)
            fits, far = top >= least, top >= max(LEAST_RATIO * n_params, least)
        if far:
            break
    return sizes, budgets, fits


def _tops(target: Target) -> list[list[str]]:
    """Ladders by their largest size, largest first; every one has at least three sizes."""
    names = list(LADDER)
    below = [name for name in names if _n_params(name) < target.params]
    found = [_down_from(name, names) for name in reversed(below)]
    return [sizes for sizes in found if len(sizes) >= 3] or [names[:3]]


def _down_from(top: str, names: Sequence[str]) -> list[str]:
    """Sizes below and up to `top`, rising, each at least APART times the one before."""
    sizes = [top]
    for name in reversed(names[: names.index(top)]):
        far = _n_params(sizes[0]) / _n_params(name) >= 0.8 * APART
        if far and len(sizes) < MOST_SIZES:
            sizes.insert(0, name)
    return sizes


def _ratio(wanted: Wanted) -> float:
    """Tokens a parameter of the largest proxy at its largest budget."""
    own = wanted.target.n_tokens / wanted.target.params
    return min(max(own, USUAL_RATIO), MOST_RATIO)


def _affordable_top(
    sizes: Sequence[str],
    wanted: Wanted,
    rate: Rate,
    most: float,
    each: float,
    n_budgets: int,
    batch_tokens: int,
) -> float:
    """The largest budget in tokens, up to `most`, at which one run of each size takes `each` seconds."""
    spent = {
        top: sum(
            _seconds(_budgets(top, batch_tokens, n_budgets), size, wanted, rate)
            for size in sizes
        )
        for top in (most, most / 2)
    }
    a_token = (spent[most] - spent[most / 2]) / (most / 2)
    fixed = spent[most] - a_token * most
    return min(most, (each - fixed) / max(a_token, 1e-300))


def _budgets(top: float, batch_tokens: int, n_budgets: int) -> list[int]:
    """Budgets in whole batches, rising, STEP apart, none of under LEAST_STEPS steps."""
    wanted = [top / STEP**i for i in reversed(range(n_budgets))]
    found = {whole_batches(each, batch_tokens) for each in wanted}
    least = LEAST_STEPS * batch_tokens
    return sorted(each for each in found if each >= least) or [least]


def _seconds(budgets: Sequence[int], size: str, wanted: Wanted, rate: Rate) -> float:
    """Of one trunk of a size with all its budgets, on all workers."""
    if wanted.repeats and wanted.given.get("pool_passes", "target") is not None:
        trained = float(sum(budgets))  # each budget is a run of its own
    else:
        trained = (1 - DECAY) * budgets[-1] + DECAY * sum(budgets)
    scored = HELD_OUT_COST * HELD_OUT_TOKENS * len(budgets)
    return (trained + scored) / rate(size)


def _settings(wanted: Wanted, most: int) -> tuple[list[dict[str, float]], str]:
    """Regularisations, at most so many, and why."""
    if wanted.given.get("regularisations"):
        return list(wanted.given["regularisations"]), "given"
    if not wanted.repeats:
        return [PLAIN], "no arm repeats its data at the target"
    epochs = math.inf if wanted.passes is None else wanted.passes / wanted.keep
    tried = [
        each
        for each in (PLAIN, STRONG, DROPPED, HEAVY)
        if epochs >= each.get("min_epochs", 0)
    ]
    chosen = tried[:most] if most > 1 else [STRONG]
    if wanted.passes is None:
        return chosen, "arms may repeat their data: pools count as ingested"
    why = f"the strictest arm passes {epochs:.3g} times over its data at the target"
    return chosen, why


def _middle(sizes: Sequence[str]) -> str:
    return sizes[(len(sizes) - 1) // 2]


def _n_params(size: str) -> int:
    return Shape.named(size).n_params


def nominal_rate(size: str) -> float:
    """Tokens a second of a size on two cores, assumed; what a ladder that is not measured counts with."""
    shape = Shape.named(size)
    return BATCH / (BATCH * shape.flops_per_token / NOMINAL_FLOPS + NOMINAL_STEP_S)
