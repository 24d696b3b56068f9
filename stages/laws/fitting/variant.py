"""A law with what is known before the runs are seen: priors on its exponents, and how much the large runs count.

Exponents of small tables are weakly identified and drift as the largest runs are taken away. Measured on the
published tables (four studies, cuts at 10 to 50 % of the runs; error above the cut against the plain fit): alpha close
to beta 0.8 to 0.9, published exponents 0.6 to 1, both with mild weights 0.7 to 0.8. No variant wins everywhere and on
repeated data the plain fit is often the best, so they are candidates of choose_law, not defaults. Where the evidence
tells the exponent of a law, its prior is learnt from that (hierarchy.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.laws.fitting.exponent_range import bounded
from stages.laws.fitting.fit import Fit, finish
from stages.laws.fitting.hierarchy import learnt_prior
from stages.laws.fitting.posed import Start, start_law
from stages.laws.fitting.prior import Prior
from stages.laws.interface import table
from stages.laws.interface.law import Law

# Cited: 13 exponents of published fits (arXiv 2203.15556, 2404.10102, 2305.16264, 2403.08540, 2406.19146, 2503.04715)
# have log mean log(.28) and log sd .28; measured: a ratio held to 5 % extrapolates better than to 15 or 30 %.
PUBLISHED = {
    name: Prior(
        {name: 1.0},
        mean=float(np.log(0.28)),
        sd=0.28,
        source="spread of 13 published exponents",
    )
    for name in ("alpha", "beta")
}
TIED = Prior(
    {"alpha": 1.0, "beta": -1.0}, mean=0.0, sd=0.05, source="alpha close to beta"
)
COMPUTE_WEIGHT = 0.15  # measured: .15 is better than 0 on three of four studies, .3 and more is worse on noisy ones

HELD_WEIGHT = (
    3.0  # measured: with all priors a law extrapolates best on five of seven studies
)


@dataclass(frozen=True)
class Variant:
    """How a candidate is fitted. compute_weight: a run counts in proportion to FLOPs to this power.
    ranges: name -> (low, high). prior_weight: how much it counts before its errors are seen. compares: whether it is
    also tried where arms have parameters of their own.
    """

    law: Law
    label: str = ""
    priors: tuple[Prior, ...] = ()
    compute_weight: float = 0.0
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    prior_weight: float = 1.0
    compares: bool = True

    @property
    def name(self) -> str:
        return f"{self.law.name} ({self.label})" if self.label else self.law.name

    def bounded(self) -> Law:
        """The law within the variant's ranges."""
        return bounded(self.law, **self.ranges)

    def fit(
        self,
        rows: table.Rows,
        *,
        identify: bool = True,
        arm_column: str = "arm",
        **options,
    ) -> Fit:
        """fit_law with the variant's priors, weights and ranges; options of start_law."""
        start = start_law(self.bounded(), rows, arm_column=arm_column, **options)
        return self.fit_from(start, rows, arm_column=arm_column, identify=identify)

    def fit_from(
        self,
        start: Start,
        rows: table.Rows,
        *,
        arm_column: str = "arm",
        identify: bool = False,
        n_ends: int | None = None,
    ) -> Fit:
        """The fit from starts of the bounded law that other variants may share."""
        weights = (
            table.run_flops(rows) ** self.compute_weight
            if self.compute_weight
            else None
        )
        return finish(
            start,
            priors=self.priors,
            weights=weights,
            arm_column=arm_column,
            identify=identify,
            n_ends=n_ends,
        )


def variants_of(law: Law, without: str | None = None) -> list[Variant]:
    """The law as it is and, where something is known of its exponents, its variants with priors.

    without: name of a study that learnt priors leave out (hierarchy.py).
    """
    made = [Variant(law)]
    learnt = learnt_prior(law.name, without)
    if learnt is not None:
        # measured: with one exponent drawn to the prior, a lead on few runs came out surer and no nearer (docs/LOG.md)
        made.append(Variant(law, "learnt exponent", (learnt,), compares=False))
    elif law.name in COUPLED_SIZE:
        made.append(Variant(law, "published alpha", (PUBLISHED["alpha"],)))
    elif {"alpha", "beta"} <= set(law.parameter_names):
        both = tuple(PUBLISHED.values())
        made += [
            Variant(
                law, label="alpha ~ beta", priors=(TIED,), compute_weight=COMPUTE_WEIGHT
            ),
            Variant(law, "published exponents", both),
            Variant(
                law,
                label="alpha ~ beta, published exponents",
                priors=(TIED, *both),
                compute_weight=COMPUTE_WEIGHT,
                prior_weight=HELD_WEIGHT,
            ),
        ]
    return made


# their beta is an exponent over tokens per parameter, for which no fits are published
COUPLED_SIZE = ("coupled",)


def with_variants(laws: Sequence[Law], without: str | None = None) -> list[Variant]:
    """All variants of several laws; without: as in variants_of."""
    return [variant for law in laws for variant in variants_of(law, without)]
