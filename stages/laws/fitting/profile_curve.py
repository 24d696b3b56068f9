"""The likelihood of each parameter, finely enough to draw: how much worse the best fit gets as one parameter is moved.

The grid is fine near the optimum and reaches a decade (a whole starting range for a linear parameter), so that
one walk serves parameters known to 1 % and parameters not known at all. Cost: 11 batched refits of 2 x unknowns
rows; 0.1 to 0.5 s of processor time for the laws of LAWS on 80 runs (measured).
"""

from dataclasses import dataclass

import numpy as np

from stages.laws.fitting.fit import Fit
from stages.laws.fitting.identify import likelihood_power, walk

# ours: 0.4 % of a decade (1 % of the value) to 1.08 decades
DISTANCES = 0.004 * 1.75 ** np.arange(11)


@dataclass(frozen=True)
class ProfileCurve:
    """One unknown. size (points,): the parameter, or for an amplitude its term at the centre of the
    data, in the unit of value; rise (points,): -2 log likelihood above the best seen.
    """

    name: str
    arm: str | None
    of_term: bool
    log: bool
    fitted: float
    size: np.ndarray
    rise: np.ndarray
    identified: bool
    at_bound: bool


def profile_curves(fit: Fit) -> list[ProfileCurve]:
    """The profile of every free parameter (of every arm) of a fit, in the order of the law."""
    problem, theta, layout = fit.problem, fit.theta, fit.problem.layout
    targets = _fine_targets(fit)
    reached = walk(problem, theta, frozen=fit.frozen, targets=targets)[0]
    best = min(fit.objective, float(np.nanmin(reached)))
    power, by_name = (
        likelihood_power(problem, theta),
        {p.name: p for p in layout.law.parameters},
    )
    curves = []
    for slot, (name, arm) in enumerate(layout.slot_names()):
        if fit.frozen[slot]:
            continue
        at = np.concatenate(
            [targets[slot, 0, ::-1], theta[slot : slot + 1], targets[slot, 1]]
        )
        objective = np.concatenate(
            [reached[slot, 0, ::-1], [fit.objective], reached[slot, 1]]
        )
        # targets beyond a bound fall together on it
        at, first = np.unique(at, return_index=True)
        rise = power * np.log((objective[first] + 1e-300) / (best + 1e-300))
        log = by_name[name].transform == "log"
        fitted, size = (np.exp(theta[slot]), np.exp(at)) if log else (theta[slot], at)
        curves.append(
            ProfileCurve(
                name,
                arm=arm,
                of_term=bool(layout.centres.get(name)),
                log=log,
                fitted=float(fitted),
                size=size,
                rise=np.maximum(rise, 0.0),
                identified=_of(fit.identified, name, arm),
                at_bound=_of(fit.at_bound, name, arm),
            )
        )
    return curves


def _fine_targets(fit: Fit) -> np.ndarray:
    """theta of each slot at DISTANCES below and above the optimum, inside the bounds, (slots, 2, steps)."""
    layout = fit.problem.layout
    low, high = layout.range("low", "high")
    logs = np.array(
        [
            next(p.transform for p in layout.law.parameters if p.name == name) == "log"
            for name, _ in layout.slot_names()
        ]
    )
    width = np.where(logs, np.log(10), layout.typical())
    steps = width[:, None, None] * np.stack([-DISTANCES, DISTANCES])
    return np.clip(
        fit.theta[:, None, None] + steps, low[:, None, None], high[:, None, None]
    )


def _of(entries: dict, name: str, arm: str | None) -> bool:
    return bool(entries[name] if arm is None else entries[name][arm])
