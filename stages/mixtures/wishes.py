"""What a user asks of a mixture: weights of metrics, a reference, floors, caps and vetoes, as arrays.

Each wish names domains or metrics of the swarm; a name that it has not, or a number that cannot be, is an
InputError in one line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from stages.foundation.errors import InputError
from stages.mixtures.swarm_tables import ROUNDING, Swarm


@dataclass(frozen=True)
class Wishes:
    """weights, vetoes: by metric; prior, floors, caps, unique_tokens: by domain. tokens: of the run to come.

    vetoes: by how much the metric may be above the reference mixture. reach: part of a mixture that may lie
    outside of those trained; None: as far as runs left out lay.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    prior: Mapping[str, float] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)
    caps: Mapping[str, float] = field(default_factory=dict)
    vetoes: Mapping[str, float] = field(default_factory=dict)
    unique_tokens: Mapping[str, float] = field(default_factory=dict)
    tokens: float | None = None
    reach: float | None = None


def weights_of(wishes: Wishes, swarm: Swarm) -> np.ndarray:
    """(metrics,), sum 1; equal where none is given."""
    if not wishes.weights:
        return np.full(len(swarm.metrics), 1 / len(swarm.metrics))
    _known(wishes.weights, swarm.metrics, "--weights", "metric")
    found = np.array([wishes.weights.get(name, 0.0) for name in swarm.metrics])
    if not (found >= 0).all() or found.sum() == 0:
        raise InputError(
            f"--weights: {', '.join(f'{n}={w:g}' for n, w in wishes.weights.items())};"
            " weights are at least 0 and not all 0"
        )
    return found / found.sum()


def reference_of(wishes: Wishes, swarm: Swarm) -> np.ndarray:
    """The mixture that a proposal is held against, (domains,): the prior, or the mean of the runs."""
    if not wishes.prior:
        return swarm.shares.mean(axis=0)
    _known(wishes.prior, swarm.domains, "--prior", "domain")
    found = np.array([wishes.prior.get(name, 0.0) for name in swarm.domains])
    total = found.sum()
    scale = 100.0 if total > 10 else 1.0
    if (found < 0).any() or abs(total / scale - 1) > ROUNDING:
        raise InputError(
            f"--prior: the shares add up to {total:.4g}; give those of one whole"
        )
    return found / total


def bounds_of(wishes: Wishes, swarm: Swarm) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest share of each domain, (domains,) each."""
    low = _shares(wishes.floors, swarm, "--floor", 0.0)
    high = _shares(wishes.caps, swarm, "--cap", 1.0)
    if (low > high).any():
        at = int((low > high).argmax())
        raise InputError(
            f"--floor {swarm.domains[at]}={low[at]:g} is above its --cap {high[at]:g}"
        )
    if low.sum() > 1 + 1e-9 or high.sum() < 1 - 1e-9:
        what, total = ("--floor", low.sum()) if low.sum() > 1 else ("--cap", high.sum())
        raise InputError(
            f"{what}: they add up to {total:.4g}, and a mixture adds up to 1; lower"
            " floors or raise caps"
        )
    return low, high


def vetoes_of(wishes: Wishes, swarm: Swarm) -> dict[int, float]:
    """Position of each vetoed metric, and how much worse it may be."""
    _known(wishes.vetoes, swarm.metrics, "--veto", "metric")
    for name, margin in wishes.vetoes.items():
        if margin < 0:
            raise InputError(
                f"--veto {name}={margin:g}: how much worse it may be is at least 0"
            )
    return {swarm.metrics.index(name): m for name, m in wishes.vetoes.items()}


def unique_of(wishes: Wishes, swarm: Swarm) -> np.ndarray | None:
    """Different tokens of each domain, infinite where none are named, (domains,); None without a wish."""
    if not wishes.unique_tokens and wishes.tokens is None:
        return None
    if not wishes.unique_tokens or wishes.tokens is None:
        raise InputError(
            "--unique-tokens and --tokens belong together: the different tokens of each"
            " domain and how many the run will see"
        )
    _known(wishes.unique_tokens, swarm.domains, "--unique-tokens", "domain")
    for name, tokens in wishes.unique_tokens.items():
        if tokens <= 0:
            raise InputError(f"--unique-tokens {name}={tokens:g}: must be above 0")
    given = wishes.unique_tokens
    return np.array([given.get(name, np.inf) for name in swarm.domains])


def _shares(wanted, swarm: Swarm, option: str, default: float) -> np.ndarray:
    _known(wanted, swarm.domains, option, "domain")
    for name, share in wanted.items():
        if not 0 <= share <= 1:
            raise InputError(f"{option} {name}={share:g}: a share is 0 to 1")
    return np.array([wanted.get(name, default) for name in swarm.domains])


def _known(wanted, names, option: str, what: str) -> None:
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise InputError(
            f"{option}: no {what} is called {unknown[0]!r}; there are"
            f" {', '.join(names[:20])}"
        )
