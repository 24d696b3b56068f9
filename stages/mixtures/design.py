"""Which mixtures to train, so that the best one can be found: a designed swarm.

Question: which mixtures tell most about a whole simplex for so many runs? Output: the prior, each domain alone as far
as floors and caps let it, mixtures drawn around the prior and chosen to lie apart, and some of these once more, since
noise shows in repeats alone and is larger at the extremes than at the centre. Cost: below a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.mixing.groups import within

REPEATED = 8  # ours: one run in so many is a mixture that is there already
CANDIDATES = 40  # ours: drawn for each mixture that is wanted
# ours: pseudo-counts of the Dirichlet around the prior, from nearly corners to nearly the prior
STRENGTHS = (1.0, 16.0)
EVEN = 0.5  # ours: how far a draw's centre may lie from the prior on the way to equal shares
DECIMALS = 3
LEAST_SHARE = 0.005  # ours: less would be one document of a small proxy
MORE_THAN_DOMAINS = 3  # fewer mixtures are refused by the fit


@dataclass(frozen=True)
class Designed:
    """share: (domains,), sum 1; role: prior, corner, spread or repeat; number: of the mixture, same for its repeats."""

    share: np.ndarray
    role: str
    number: int


def design(
    prior: np.ndarray,
    n_runs: int,
    *,
    low: np.ndarray,
    high: np.ndarray,
    seed: int,
    most_repeats: int = 3,
) -> list[Designed]:
    """The runs of a swarm. prior, low, high: (domains,), shares of the whole and their bounds.

    most_repeats: of one mixture beyond its first run. Raises InputError for fewer runs than a fit needs.

    >>> runs = design(np.array([0.8, 0.2]), 8, low=np.zeros(2), high=np.ones(2), seed=1)
    >>> [(run.role, run.share.tolist()) for run in runs[:3]]
    [('prior', [0.8, 0.2]), ('corner', [1.0, 0.0]), ('corner', [0.0, 1.0])]
    """
    n_domains = prior.size
    n_repeats = n_runs // REPEATED
    n_mixtures = n_runs - n_repeats
    refuse_few(n_runs, n_domains)
    ends = np.vstack([prior, np.eye(n_domains)])
    fixed = _distinct(rounded(ends, low, high))
    spread = _apart(
        _candidates(prior, CANDIDATES * n_mixtures, low=low, high=high, seed=seed),
        fixed,
        n_mixtures - len(fixed),
    )
    shares = np.vstack([fixed, spread])
    refuse_narrow(shares)
    roles = ["prior", *["corner"] * (len(fixed) - 1), *["spread"] * len(spread)]
    made = [
        Designed(share, role, number)
        for number, (share, role) in enumerate(zip(shares, roles, strict=True))
    ]
    again = _repeated(len(fixed), n_repeats, most_repeats)
    return made + [Designed(shares[at], "repeat", at) for at in again]


def refuse_few(n_runs: int, n_domains: int) -> None:
    """InputError for fewer runs than a fit needs, repeats among them."""
    least = n_domains + MORE_THAN_DOMAINS
    if n_runs - n_runs // REPEATED < least:
        least += least // (REPEATED - 1)
        raise InputError(
            f"{n_runs} runs of {n_domains} domains cannot tell what each is worth; give"
            f" at least {least}, better {5 * n_domains}"
        )


def refuse_narrow(shares: np.ndarray) -> None:
    """InputError where bounds leave too few mixtures for a fit. shares: (mixtures, domains)."""
    n_mixtures, least = len(_distinct(shares)), shares.shape[1] + MORE_THAN_DOMAINS
    if n_mixtures < least:
        raise InputError(
            f"floors and caps leave room for {n_mixtures} mixtures, and a fit needs"
            f" {least}; lower floors or raise caps"
        )


def rounded(shares: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Shares (points, domains) within bounds in whole thousandths; a domain has none or LEAST_SHARE."""
    inside = within(shares, low, high)
    kept = np.where((inside < LEAST_SHARE) & (low <= 0), 0.0, inside)
    whole = (kept / kept.sum(axis=1, keepdims=True)).round(DECIMALS)
    largest = whole.argmax(axis=1)
    rows = np.arange(len(whole))
    whole[rows, largest] += 1.0 - whole.sum(axis=1)
    return whole.round(DECIMALS)


def _candidates(prior, n_points, *, low, high, seed) -> np.ndarray:
    """Mixtures around the prior, from near to far, (n_points, domains)."""
    rng = np.random.default_rng(seed)
    parts = rng.uniform(0, EVEN, (n_points, 1))
    centres = (1 - parts) * prior + parts / prior.size
    few, many = np.log(STRENGTHS)
    counts = np.exp(rng.uniform(few, many, (n_points, 1))) * prior.size
    drawn = rng.standard_gamma(np.maximum(counts * centres, 1e-3))
    drawn /= np.maximum(drawn.sum(axis=1, keepdims=True), 1e-300)
    return rounded(drawn, low, high)


def _apart(candidates: np.ndarray, fixed: np.ndarray, n_wanted: int) -> np.ndarray:
    """Of the candidates those that lie furthest from all chosen before, one by one, (n_wanted, domains)."""
    chosen: list[int] = []
    nearest = np.min([_moved(candidates, one) for one in fixed], axis=0)
    for _ in range(n_wanted):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _moved(candidates, candidates[chosen[-1]]))
    return candidates[chosen].reshape(-1, fixed.shape[1])


def _moved(shares: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Part of each mixture that would have to move to make another, (points,)."""
    return 0.5 * np.abs(shares - one).sum(axis=1)


def _distinct(shares: np.ndarray) -> np.ndarray:
    """The same without those that were there before, in order."""
    first = np.unique(shares, axis=0, return_index=True)[1]
    return shares[np.sort(first)]


def _repeated(n_fixed: int, n_repeats: int, most: int) -> list[int]:
    """Numbers of the mixtures that are trained again: the prior and a corner by turns."""
    corners = [number for _ in range(most) for number in range(1, n_fixed)]
    centre = [0] * most
    turns: list[int] = []
    while len(turns) < n_repeats and (centre or corners):
        source = centre if (len(turns) % 2 == 0 and centre) or not corners else corners
        turns.append(source.pop(0))
    return turns


def over_draws(runs: Sequence[Designed], n_draws: int) -> list[int]:
    """The resample that each run is trained on, (runs,): as many on each, and no mixture twice on one."""
    load, used = [0] * n_draws, set()
    found = []
    for run in runs:
        free = [draw for draw in range(n_draws) if (run.number, draw) not in used]
        draw = min(free or range(n_draws), key=lambda draw: (load[draw], draw))
        load[draw] += 1
        used.add((run.number, draw))
        found.append(draw)
    return found
