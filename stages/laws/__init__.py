"""Compute-aware scaling laws: fit, interval, selection, comparison, planning. numpy and scipy only.

LAWS lists every law by name; a law is one declarative object in a family file. Mixture laws need the names
of their pools and are made by `half_life(pools)` and `half_life_code(pools)`.
"""

from stages.errors import InputError

from .chinchilla import CHINCHILLA
from .coupled import COUPLED
from .data_constrained import DATA_CONSTRAINED
from .half_life import half_life, half_life_code
from .law import Law, Parameter, Reduction, Variable
from .overfit import OVERFIT, OVERFIT_DATA_CONSTRAINED
from .power_floor import POWER_FLOOR, POWER_FLOOR_TOKENS

LAWS: dict[str, Law] = {law.name: law for law in (
    POWER_FLOOR,
    POWER_FLOOR_TOKENS,
    CHINCHILLA,
    COUPLED,
    DATA_CONSTRAINED,
    half_life(),
    half_life(sized=True),
    half_life_code(),
    half_life_code(form="data"),
    OVERFIT,
    OVERFIT_DATA_CONSTRAINED,
)}


def get_law(name: str) -> Law:
    """The law of that name; the error lists the names there are."""
    if name not in LAWS:
        raise InputError(f"no law is called '{name}'; the laws are: {', '.join(LAWS)}")
    return LAWS[name]


__all__ = ["LAWS", "Law", "Parameter", "Reduction", "Variable", "get_law", "half_life", "half_life_code"]
