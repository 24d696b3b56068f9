"""From a flat vector of unknowns (theta) to named parameters and back, for one or several arms.

A parameter that is separate by arm has one slot an arm, a shared one has one slot. theta is log(parameter)
where the transform says so; for an amplitude it is the log of its term at the centre of the data (law.py,
`Parameter.term`), unless its exponent is separate by arm while the amplitude is shared.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stages.laws.interface.law import Arrays, Law, Parameter


@dataclass(frozen=True)
class Layout:
    """Slots of theta. `centres[name]` is ((exponent, mean log quantity), ...) for an amplitude."""

    law: Law
    arms: tuple[str, ...]
    by_arm: tuple[str, ...]
    value_scale: float
    centres: Mapping[str, tuple[tuple[str, float], ...]]

    @classmethod
    def of(
        cls, law: Law, columns: Arrays, value_scale: float, arms=(), by_arm=(), fixed=()
    ) -> "Layout":
        """Layout for the columns of a table: the centres are taken from it once and kept.

        A fixed amplitude is not centred, because its term would move with the exponent.
        """
        centres = {
            p.name: tuple(
                (power, _mean_log(quantity(columns)))
                for power, quantity in p.term
                if (p.name in by_arm or power not in by_arm) and p.name not in fixed
            )
            for p in law.parameters
            if p.term
        }
        return cls(law, tuple(arms) or ("all",), tuple(by_arm), value_scale, centres)

    def width(self, name: str) -> int:
        """Number of slots of a parameter."""
        return len(self.arms) if name in self.by_arm else 1

    @property
    def slots(self) -> dict[str, slice]:
        """Where each parameter lies in theta."""
        ends = np.cumsum(
            [self.width(name) for name in self.law.parameter_names]
        ).tolist()
        return {
            name: slice(end - self.width(name), end)
            for name, end in zip(self.law.parameter_names, ends, strict=True)
        }

    @property
    def size(self) -> int:
        return sum(self.width(name) for name in self.law.parameter_names)

    def slot_names(self) -> list[tuple[str, str | None]]:
        """(parameter, arm or None) of each slot."""
        return [
            (name, arm)
            for name in self.law.parameter_names
            for arm in (self.arms if name in self.by_arm else (None,))
        ]

    def to_params(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """theta (..., slots) -> parameter -> (..., 1) or (..., arms), in the units of the law."""
        slots, params = self.slots, {}
        for p in self.law.parameters:
            part = theta[..., slots[p.name]]
            params[p.name] = (
                np.exp(part) if p.transform == "log" and not p.term else part
            )
        for name, centre in self.centres.items():
            shift = sum((params[power] * mean for power, mean in centre), np.zeros(1))
            params[name] = np.exp(params[name] - shift)
        return params

    def to_theta(self, params: Mapping[str, np.ndarray]) -> np.ndarray:
        """Inverse of to_params."""
        parts = []
        for p in self.law.parameters:
            part = np.asarray(params[p.name], dtype=float)
            part = np.log(part) if p.transform == "log" else part
            for power, mean in self.centres.get(p.name, ()):
                part = part + params[power] * mean
            parts.append(np.broadcast_to(part, (*part.shape[:-1], self.width(p.name))))
        return np.concatenate(parts, axis=-1)

    def range(self, low: str, high: str) -> tuple[np.ndarray, np.ndarray]:
        """Two fields of Parameter, ('low', 'high') or ('start_low', 'start_high'), as theta, each (slots,)."""
        return self._theta_of(low), self._theta_of(high)

    def _theta_of(self, field: str) -> np.ndarray:
        return np.concatenate(
            [
                np.full(self.width(p.name), self._limit(p, getattr(p, field)))
                for p in self.law.parameters
            ]
        )

    def _limit(self, p: Parameter, limit: float) -> float:
        limit = limit * (self.value_scale if p.relative else 1.0)
        return float(np.log(limit)) if p.transform == "log" else limit

    def typical(self) -> np.ndarray:
        """A step of one in theta is one for a log, the width of the starts for a linear parameter. (slots,)"""
        low, high = self.range("start_low", "start_high")
        linear = np.concatenate(
            [
                np.full(self.width(p.name), p.transform == "linear")
                for p in self.law.parameters
            ]
        )
        return np.where(linear, np.maximum(high - low, 1e-12), 1.0)


def _mean_log(quantity: np.ndarray) -> float:
    """Mean log of the positive entries; 0 if there is none (no run repeats, say)."""
    positive = quantity[quantity > 0]
    return float(np.mean(np.log(positive))) if positive.size else 0.0


def at_points(
    params: Mapping[str, np.ndarray], arm_index: np.ndarray
) -> dict[str, np.ndarray]:
    """Parameters (..., 1) stay; parameters by arm (..., arms) become (..., points)."""
    return {
        name: part if part.shape[-1] == 1 else part[..., arm_index]
        for name, part in params.items()
    }
