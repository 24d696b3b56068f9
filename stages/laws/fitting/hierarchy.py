"""What published studies have measured of an exponent, as a prior for a study that is none of them.

Of S studies whose log exponents have the mean m and the variance b, and whose tables scatter within a study by the
variance w, a table of a new study has the log exponent
    Normal(m, b (1 + 1 / S) + w),
the predictive distribution of two levels (Gelman et al., Bayesian data analysis, 3rd ed., section 5.4, with plain
moments in place of its integrals). Few runs are drawn towards m; many hardly move, as a prior counts like a
measurement of its precision (prior.py). `without` leaves one study out, which is how a prior is judged on it.
"""

from collections.abc import Mapping

import numpy as np

from stages.laws.fitting.learnt_exponents import EXPONENTS, Study
from stages.laws.fitting.prior import Prior

LEAST_SPREAD = 0.1  # assumed, natural logs: fewer studies than ten can agree by chance
FEWEST_STUDIES = 3  # assumed: two say nothing of how far a third may lie

Measured = Mapping[str, tuple[str, Mapping[str, Study]]]


def learnt_prior(
    law: str, without: str | None = None, measured: Measured = EXPONENTS
) -> Prior | None:
    """The prior on the exponent of a law, by its name; None where too few studies have measured it.

    without: name of a study that is left out. measured: law -> name of the exponent, study -> its rows.

    >>> prior = learnt_prior("power_floor")
    >>> list(prior.log_weights), 0.1 < float(np.exp(prior.mean)) < 0.25
    (['alpha'], True)
    """
    name, by_study = measured.get(law, ("", {}))
    rest = {study: own for study, own in by_study.items() if study != without}
    if len(rest) < FEWEST_STUDIES:
        return None
    mean, spread = predictive(rest)
    return Prior({name: 1.0}, mean, spread, f"exponents of {len(rest)} studies")


def predictive(by_study: Mapping[str, Study]) -> tuple[float, float]:
    """Mean and standard deviation of the log exponent of a table of another study.

    by_study: study -> mean exponent, spread of its tables in natural logs, their number; studies count the same.

    >>> mean, spread = predictive({"one": (1.0, 0.0, 1), "two": (1.0, 0.3, 5)})
    >>> mean, spread  # the studies agree, and tables of one scatter by .3
    (0.0, 0.3)
    """
    means = np.log([exponent for exponent, _, _ in by_study.values()])
    within = [spread**2 for _, spread, n_tables in by_study.values() if n_tables > 1]
    between = means.var(ddof=1) * (1 + 1 / means.size)
    variance = between + (np.mean(within) if within else 0.0)
    return float(means.mean()), max(float(np.sqrt(variance)), LEAST_SPREAD)
