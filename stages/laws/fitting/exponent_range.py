"""Ranges that exponents are held to: what theory says of them before any run, and how a law is narrowed to a range.

The four regimes of Bahri et al. and superposition give ranges. A range is an assumption, not a result: `bounded`
narrows the bounds of a law to it, and a fit then reports the parameter as pressed against the bound when the data
disagree. For what is known with a spread instead of hard ends, see prior.py.
"""

from dataclasses import dataclass, replace

from stages.foundation.errors import InputError
from stages.laws.interface.law import Law, Parameter

REGIMES = (
    "variance_data",
    "variance_width",
    "resolution_data",
    "resolution_params",
    "weak_superposition",
    "strong_superposition",
)
BAHRI = (
    "Bahri et al. 2021, Explaining neural scaling laws, arXiv 2102.06701 (second hand)"
)
SUPERPOSITION = (
    "Liu et al. 2025, Superposition yields robust neural scaling, arXiv 2505.10465"
    " (second hand)"
)


@dataclass(frozen=True)
class ExponentRange:
    """Range of an exponent, over what it is an exponent, why, and from where."""

    low: float
    high: float
    over: str
    reason: str
    source: str

    def limits(self, slack: float = 0.02) -> tuple[float, float]:
        """(low, high) widened by `slack` either way, since a theory's exponent may be a single number."""
        return self.low * (1 - slack), self.high * (1 + slack)


def theory_range(
    regime: str, dimension: float | None = None, frequency_exponent: float | None = None
) -> ExponentRange:
    """Range of the exponent in a regime.

    dimension: intrinsic dimension d of the data, for the resolution-limited regimes (estimates are
    biased low on small samples, so ranges err to large exponents). frequency_exponent: q of feature
    frequencies i^-q, weak superposition.

    >>> theory_range("resolution_data", dimension=20).low, theory_range("resolution_data", dimension=20).high
    (0.05, 0.2)
    """
    if regime in ("variance_data", "variance_width"):
        over = "tokens" if regime == "variance_data" else "width"
        return ExponentRange(
            1.0,
            high=1.0,
            over=over,
            reason="corrections around a limit that exists are analytic, so their leading"
            " power is 1",
            source=BAHRI,
        )
    if regime in ("resolution_data", "resolution_params"):
        d = _needed(regime, "dimension", dimension)
        return ExponentRange(
            1 / d,
            high=min(4 / d, 1.0),
            over="tokens" if regime == "resolution_data" else "parameters",
            reason="1/d for a Lipschitz target, 2/d nearest neighbour, 4/d smooth target and"
            " squared loss",
            source=BAHRI,
        )
    if regime == "weak_superposition":
        q = _needed(regime, "frequency_exponent", frequency_exponent)
        return ExponentRange(
            q - 1,
            high=q - 1,
            over="width",
            reason="the loss is the mass of the features that are not represented",
            source=SUPERPOSITION,
        )
    if regime == "strong_superposition":
        return ExponentRange(
            1.0,
            high=1.0,
            over="width",
            reason="overlap of more features than dimensions falls as 1 / width, whatever"
            " their frequencies",
            source=SUPERPOSITION,
        )
    raise InputError(f"no regime is called '{regime}'; there are: {', '.join(REGIMES)}")


def _needed(regime: str, name: str, number: float | None) -> float:
    lowest = 1.0
    if number is None or number <= lowest:
        raise InputError(
            f"regime '{regime}' needs {name} above {lowest:g}, got {number}"
        )
    return float(number)


def bounded(law: Law, **ranges: tuple[float, float]) -> Law:
    """The law with some parameters held inside (low, high) and inside its own bounds, which is also where they start.

    >>> from stages.laws import get_law
    >>> law = bounded(get_law("chinchilla"), alpha=(0.2, 0.5))
    >>> next((p.low, p.high) for p in law.parameters if p.name == "alpha")
    (0.2, 0.5)
    """
    unknown = [name for name in ranges if name not in law.parameter_names]
    if unknown:
        raise InputError(
            f"law '{law.name}' has no parameter '{unknown[0]}' to bound; it has:"
            f" {', '.join(law.parameter_names)}"
        )
    return replace(
        law,
        parameters=tuple(
            _held(p, *ranges[p.name]) if p.name in ranges else p for p in law.parameters
        ),
    )


def _held(p: Parameter, low: float, high: float) -> Parameter:
    inside = max(p.low, low), min(p.high, high)
    if not inside[0] < inside[1]:
        raise InputError(
            f"the range {low:g} .. {high:g} of '{p.name}' lies outside its bounds"
            f" {p.low:g} .. {p.high:g}"
        )
    return replace(
        p, low=inside[0], high=inside[1], start_low=inside[0], start_high=inside[1]
    )
