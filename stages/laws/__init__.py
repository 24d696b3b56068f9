"""Compute-aware scaling laws: fit, interval, selection, comparison, planning. numpy and scipy only.

LAWS lists every law by name; a law is one declarative object in a file of a family folder and is found there.
Laws that need the names of their pools or domains are made by functions: `half_life(pools)`,
`half_life_code(pools)`, `recipe(pools)`, `information(pools)`, `exponential_mix(domains)`,
`implicit_mix(domains)`, `chinchilla_mix(domains)`; LAWS holds them for one pool, or for a few unnamed domains.
`multi_power(schedules)` needs the learning rate of every step; LAWS holds it for an example
schedule.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from types import ModuleType

from stages.foundation.discovery import modules_of
from stages.foundation.errors import InputError
from stages.laws.interface.law import Law, Parameter, Reduction, Table, Variable
from stages.laws.mixtures_and_tasks.chinchilla_mix import chinchilla_mix
from stages.laws.mixtures_and_tasks.exponential_mix import exponential_mix, implicit_mix
from stages.laws.repetition.half_life import half_life
from stages.laws.repetition.half_life_code import half_life_code
from stages.laws.repetition.information import information
from stages.laws.repetition.recipe import recipe
from stages.laws.schedules.multi_power import multi_power


def laws_of(modules: Iterable[ModuleType]) -> dict[str, Law]:
    """Every law that stands in a module by a name of its own, in the order of ranks; by its name.

    Raises ValueError where two laws have one name.
    """
    found: dict[str, Law] = {}
    for laws in sorted(map(_laws_in, modules), key=_rank):
        for law in laws:
            if found.setdefault(law.name, law) is not law:
                raise ValueError(f"two laws are called {law.name!r}; rename one")
    return found


def _laws_in(module: ModuleType) -> list[Law]:
    return [value for value in vars(module).values() if isinstance(value, Law)]


def _rank(laws: list[Law]) -> int:
    return min((law.rank for law in laws), default=0)


LAWS: dict[str, Law] = laws_of(
    modules_of(
        "stages.laws.size_and_compute",
        "stages.laws.repetition",
        "stages.laws.mixtures_and_tasks",
        "stages.laws.schedules",
    )
)


def automatic_laws(table: Table) -> list[Law]:
    """The laws that `auto` tries on such a table, in the order of LAWS."""
    return [law for law in LAWS.values() if table in law.automatic]


def get_law(name: str) -> Law:
    """The law of that name; the error names the nearest ones."""
    if name not in LAWS:
        near = get_close_matches(name, LAWS, 3)
        hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else "such as power_floor, chinchilla, data_constrained;"
        )
        raise InputError(
            f"no law is called '{name}'; {hint} `assay laws` lists all {len(LAWS)}"
        )
    return LAWS[name]


__all__ = [
    "LAWS",
    "Law",
    "Parameter",
    "Reduction",
    "Table",
    "Variable",
    "automatic_laws",
    "chinchilla_mix",
    "exponential_mix",
    "get_law",
    "half_life",
    "half_life_code",
    "implicit_mix",
    "information",
    "laws_of",
    "multi_power",
    "recipe",
]
