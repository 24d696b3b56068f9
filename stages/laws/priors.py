"""What theory says of an exponent before any run: the four regimes of Bahri et al. and superposition, as ranges.

A range is a prior, not a result: `with_priors` narrows the bounds of a law to it, and a fit then reports the
parameter as pressed against the bound when the data disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from stages.errors import InputError

from .law import Law

REGIMES = ("variance_data", "variance_width", "resolution_data", "resolution_params", "weak_superposition", "strong_superposition")
BAHRI = "Bahri et al. 2021, Explaining neural scaling laws, arXiv 2102.06701 (second hand)"
SUPERPOSITION = "Liu et al. 2025, Superposition yields robust neural scaling, arXiv 2505.10465 (second hand)"


@dataclass(frozen=True)
class Prior:
    """Range of an exponent, over what it is an exponent, why, and from where."""

    low: float
    high: float
    over: str
    reason: str
    source: str


def prior(regime: str, dimension: float | None = None, frequency_exponent: float | None = None) -> Prior:
    """Range of the exponent in a regime.

    dimension: intrinsic dimension d of the data, for the resolution-limited regimes (estimates are biased low on
    small samples, so ranges err to large exponents). frequency_exponent: q of feature frequencies i^-q, weak superposition.

    >>> prior("resolution_data", dimension=20).low, prior("resolution_data", dimension=20).high
    (0.05, 0.2)
    """
    if regime in ("variance_data", "variance_width"):
        over = "tokens" if regime == "variance_data" else "width"
        return Prior(1.0, 1.0, over, "corrections around a limit that exists are analytic, so their leading power is 1", BAHRI)
    if regime in ("resolution_data", "resolution_params"):
        d = _needed(regime, "dimension", dimension)
        return Prior(1 / d, min(4 / d, 1.0), "tokens" if regime == "resolution_data" else "parameters",
                     "1/d for a Lipschitz target, 2/d nearest neighbour, 4/d smooth target and squared loss", BAHRI)
    if regime == "weak_superposition":
        q = _needed(regime, "frequency_exponent", frequency_exponent)
        return Prior(q - 1, q - 1, "width", "the loss is the mass of the features that are not represented", SUPERPOSITION)
    if regime == "strong_superposition":
        return Prior(1.0, 1.0, "width", "overlap of more features than dimensions falls as 1 / width, whatever their frequencies", SUPERPOSITION)
    raise InputError(f"no regime is called '{regime}'; there are: {', '.join(REGIMES)}")


def _needed(regime: str, name: str, number: float | None) -> float:
    lowest = 1.0
    if number is None or number <= lowest:
        raise InputError(f"regime '{regime}' needs {name} above {lowest:g}, got {number}")
    return float(number)


def with_priors(law: Law, priors: Mapping[str, Prior | tuple[float, float]], slack: float = 0.02) -> Law:
    """The law with the bounds and starts of some parameters narrowed; a range is widened by `slack` either way.

    >>> with_priors(get_law("chinchilla"), {"beta": prior("resolution_data", dimension=10)})
    """
    unknown = [name for name in priors if name not in law.parameter_names]
    if unknown:
        raise InputError(f"law '{law.name}' has no parameter '{unknown[0]}'; it has: {', '.join(law.parameter_names)}")
    narrowed = []
    for p in law.parameters:
        if p.name in priors:
            given = priors[p.name]
            low, high = (given.low, given.high) if isinstance(given, Prior) else given
            low, high = max(p.low, low * (1 - slack)), min(p.high, high * (1 + slack))
            if not low < high:
                raise InputError(f"the prior {low:g} .. {high:g} on '{p.name}' lies outside its bounds {p.low:g} .. {p.high:g}")
            p = replace(p, low=low, high=high, start_low=low, start_high=high)
        narrowed.append(p)
    return replace(law, parameters=tuple(narrowed))
