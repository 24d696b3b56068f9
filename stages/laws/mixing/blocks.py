"""What all runs of one resample of the data share, taken off their values before surfaces are fitted.

    value = f(share) + effect of the resample + noise

Runs of one resample have documents, weights and their order in common, which moves all of them alike: measured on
proxies of 6,144 parameters by .07 nats, three times the noise that is left. The effects add up to 0 and are estimated
by generalised least squares beside a smooth f. Cost: below a second.
"""

import numpy as np

from stages.laws.mixing.process import covariance, fit_process
from stages.laws.mixing.surface import Form

ROUGH = Form("smooth in roots", root=True)
ROUNDS = 4  # ours: scales are learnt again on what is left
LEAST_RUNS = 2  # of a resample, fewer say nothing of it


def block_effects(
    shares: np.ndarray, values: np.ndarray, blocks: np.ndarray
) -> np.ndarray:
    """The effect of each run's resample, (runs,), for one metric.

    shares (runs, domains); values (runs,); blocks: number of the resample, (runs,). Zeros where the runs cannot tell.
    """
    names, member, counts = np.unique(blocks, return_inverse=True, return_counts=True)
    effects = np.zeros(values.size)
    if names.size < 2 or counts.min() < LEAST_RUNS:
        return effects
    indicator = np.eye(names.size)[member]
    contrasts = (indicator - counts / values.size)[:, 1:]
    surface = None
    for _ in range(ROUNDS):
        surface = fit_process(ROUGH, shares, values - effects, start=surface)
        known = np.linalg.solve(covariance(surface, shares), contrasts)
        off = values - surface.centre(shares)
        found = np.linalg.solve(contrasts.T @ known, known.T @ off)
        effects = contrasts @ found
    return effects
