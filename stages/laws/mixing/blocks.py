"""What all runs of one resample of the data share, taken off their values before surfaces are fitted.

    value = f(share) + effect of the resample + noise

Runs of one resample have documents, first weights and their order in common, which moves all of them alike: by .02 to
.05 nats in proxies of 6,144 parameters, about as much as a run scatters (measured). The effects add up to 0. They are
estimated by generalised least squares beside a smooth f and shrunk by what their own error explains of their size
(James and Stein), since five runs of a resample know its effect to half of their noise. Cost: below a second.
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
        noise = covariance(surface, shares) * surface.spread**2
        known = np.linalg.solve(noise, contrasts)
        found = np.linalg.inv(contrasts.T @ known)
        whole = contrasts @ found @ known.T @ (values - surface.centre(shares))
        error = float(np.trace(contrasts @ found @ contrasts.T))
        effects = whole * max(0.0, 1.0 - error / max(float(whole @ whole), 1e-300))
    return effects
