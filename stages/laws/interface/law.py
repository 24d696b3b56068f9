"""What a scaling law is here: one frozen object that says its formula, its units, its bounds and where it comes from.

Fitting, bootstrap, selection, comparison and planning know only this interface, so a new law is one
object in one file of a family folder: `stages.laws.LAWS` finds it there, and nothing else changes.

Axes: a law body gets parameters shaped (..., 1) or (..., points) and variables shaped (points,), and
returns (..., points). It must broadcast, must not loop over points and must not warn inside its bounds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Arrays = Mapping[str, np.ndarray]
Quantity = Callable[[Arrays], np.ndarray]
Table = Literal[
    "sizes and tokens",
    "repeats",
    "repeats of one size",
    "tokens alone",
    "compute alone",
]


UNRANKED = 10_000


@dataclass(frozen=True)
class Variable:
    """A column of the runs table that a law reads. Every variable is a positive finite number.

    may_be_zero: 0 is a value too (a pool that is not used, a rate that has not fallen). typical: (low, high)
    of the runs that the law is for; simulated tables are drawn from it, log-uniform, and nothing else reads it.
    """

    name: str
    unit: str
    meaning: str
    may_be_zero: bool = False
    typical: tuple[float, float] = (1e7, 1e10)


@dataclass(frozen=True)
class Parameter:
    """A number that a fit finds, with the range it may take and the range where starts are drawn.

    `relative=True`: low, high, start_low and start_high are multiples of the median observed value, so
    that one law serves nats, bits and error rates. `term` names the power law that an amplitude
    multiplies, amplitude * prod(quantity ** exponent): the fit then works with the size of that term at
    the centre of the data (and bounds and starts speak of that size), because an amplitude and its
    exponent alone are correlated above .999 when N is counted in billions.
    """

    name: str
    unit: str
    low: float
    high: float
    start_low: float
    start_high: float
    transform: Literal["log", "linear"] = "log"
    meaning: str = ""
    relative: bool = False
    term: tuple[tuple[str, Quantity], ...] = ()


@dataclass(frozen=True)
class Reduction:
    """A setting at which a law equals another law. Every Reduction is tested automatically.

    `parameters` fixes some parameters of the larger law, `other_parameters` gives those that only the
    smaller law has, `variables` replaces a variable by another (name -> name).
    """

    law: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    other_parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Law:
    """One scaling law. `value(params, variables)` predicts the column `value` of the runs table.

    arm_parameters are those that describe the data rather than the model; they are the sensible
    `by_arm` of a joint fit. `gradient`, if given, returns d value / d parameter for every parameter and
    makes fits about 3 times faster (measured on chinchilla); without it central differences are used.
    `optimum(params, flops)` returns (n_params, n_tokens) of least loss where a closed form exists.
    `automatic` names the tables in which `assay fit auto` tries the law, beside the other laws that name
    them: those that have n_params and n_tokens_seen ("sizes and tokens"; "repeats" where runs repeat their
    data), those with n_tokens_seen and neither n_params nor flops ("tokens alone"), and the others
    ("compute alone"); of the last two, those that repeat their data at one size or without sizes are also
    "repeats of one size". A law whose variables the table lacks is passed over. Empty: tried only by name.
    `prior_weight`: how much it counts in a weighted mean of laws before its errors on a table are seen.
    `rank`: files of lower rank stand first in LAWS and `assay laws`, one ranked law a file is enough;
    a file of unranked laws stands at the end.

    >>> from stages.laws import get_law
    >>> law = get_law("chinchilla")
    >>> p = {"E": 1.69, "A": 406.4, "alpha": .34, "B": 410.7, "beta": .28}
    >>> round(float(law.value(p, {"n_params": 70e9, "n_tokens_seen": 1.4e12})), 3)
    1.937
    """

    name: str
    title: str
    formula: str
    variables: tuple[Variable, ...]
    parameters: tuple[Parameter, ...]
    value: Callable[[Arrays, Arrays], np.ndarray]
    source: str
    reduces_to: Reduction | None = None
    optimum: Callable[[Arrays, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None
    gradient: Callable[[Arrays, Arrays], dict[str, np.ndarray]] | None = None
    arm_parameters: tuple[str, ...] = ()
    automatic: tuple[Table, ...] = ()
    rank: int = UNRANKED
    prior_weight: float = 1.0

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @property
    def variable_names(self) -> tuple[str, ...]:
        return tuple(v.name for v in self.variables)


N_PARAMS = Variable(
    "n_params",
    "parameters",
    "non-embedding parameters of the model",
    typical=(1e6, 1e9),
)
N_TOKENS_SEEN = Variable(
    "n_tokens_seen", "tokens", "tokens trained on, repeats counted"
)
N_TOKENS_UNIQUE = Variable(
    "n_tokens_unique",
    "tokens",
    "different tokens among those available to the run",
    typical=(1e7, 1e9),
)
FLOPS = Variable(
    "flops",
    "FLOPs",
    "training compute, 6 * n_params * n_tokens_seen unless the table says otherwise",
    typical=(1e15, 1e20),
)


def share(name: str, meaning: str) -> Variable:
    """A share of a whole; the shares of one table row add up to 1."""
    return Variable(
        f"share_{name}", "fraction", meaning, may_be_zero=True, typical=(0.02, 1.0)
    )


def floor(name: str = "E") -> Parameter:
    """The value that no compute and no data can go below. Bounds are multiples of the median value."""
    return Parameter(
        name,
        unit="value",
        low=0.0,
        high=1.0,
        start_low=0.1,
        start_high=0.95,
        transform="linear",
        meaning="irreducible value",
        relative=True,
    )


def amplitude(name: str, meaning: str, *term: tuple[str, Quantity]) -> Parameter:
    """Amplitude of a falling term: from a billionth to ten thousand times the median value at the centre."""
    return Parameter(
        name,
        unit="value * unit^exponent",
        low=1e-9,
        high=1e4,
        start_low=0.02,
        start_high=1.0,
        transform="log",
        meaning=meaning,
        relative=True,
        term=term,
    )


def exponent(name: str, meaning: str) -> Parameter:
    """Exponent of a power law. Range (0, 2), starts .1 to .9 (docs/design.md)."""
    return Parameter(
        name,
        unit="1",
        low=0.005,
        high=2.0,
        start_low=0.1,
        start_high=0.9,
        transform="log",
        meaning=meaning,
    )


def power(base: np.ndarray, exponent_: np.ndarray) -> np.ndarray:
    """base ** exponent for base >= 0 and exponent > 0, without a warning at base = 0."""
    return np.exp(exponent_ * np.log(np.maximum(base, 1e-300)))


def inverse(name: str) -> Quantity:
    """The quantity 1 / variable, for the `term` of an amplitude."""
    return lambda variables: 1.0 / variables[name]
