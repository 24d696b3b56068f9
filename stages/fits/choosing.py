"""Which laws are candidates for a question, and how one of them is chosen."""

from dataclasses import dataclass

import numpy as np

from stages.decision.question_laws import law_named, tier_laws
from stages.fits.section import AUTO, FitParams
from stages.laws import Law
from stages.laws.choosing.choose import Choice, choose_law
from stages.laws.choosing.eligible import eligible_laws
from stages.laws.fitting.variant import Variant, with_variants


@dataclass(frozen=True)
class Choosing:
    """Chooses among the candidates of a question; unlike laws it can be sent to another process.

    rows: all that were measured, which say what is a candidate. curves: laws over tiers alone, whose parameters all
    arms share.
    """

    rows: dict[str, np.ndarray]
    tiers: list[str]
    params: FitParams
    curves: bool = False

    def __call__(self, rows: dict[str, np.ndarray]) -> Choice:
        return choose_law(
            self.candidates,
            rows,
            by_arm=() if self.curves else None,
            n_starts=self.params.starts,
            seed=self.params.seed,
            delta=None,
        )

    @property
    def candidates(self) -> list[Law | Variant]:
        if self.curves:
            return [*with_variants(usable_tier_laws(self.rows, self.tiers))]
        return candidates_of(self.params.laws, self.rows, self.tiers)


def candidates_of(
    names: list[str], rows: dict[str, np.ndarray], tiers: list[str]
) -> list[Law | Variant]:
    """The laws named, `auto` being all that such runs can tell apart, with their variants."""
    found: list[Law | Variant] = []
    for name in names:
        laws = eligible_laws(rows) if name == AUTO else [law_named(name, tiers)]
        found += with_variants(laws)
    return found


def usable_tier_laws(rows: dict[str, np.ndarray], tiers: list[str]) -> list[Law]:
    """The laws over tiers; those with model size only where there are several sizes."""
    several = np.unique(rows["n_params"]).size > 1
    return [
        law for law in tier_laws(tiers) if ("n_params" in law.variable_names) == several
    ]
