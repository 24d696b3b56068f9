"""Repeated tokens and excess parameters that decay in worth (Muennighoff et al. 2023).

R_D counts repeats, epochs - 1, and 1 epoch means R_D = 0. The law saturates: it can never make the value
rise with more repeats (see overfit.py for that). R_N_star is rarely identified, and R_D_star often not.
"""

import numpy as np

from stages.laws.interface.law import (
    N_PARAMS,
    N_TOKENS_SEEN,
    N_TOKENS_UNIQUE,
    Law,
    Parameter,
    Reduction,
)
from stages.laws.size_and_compute import chinchilla

# Starts span what refits of the published table gave: R_D* 5 to 95, R_N* 0.7 to unbounded.
REPEATS = Parameter(
    "R_D_star",
    unit="repeats",
    low=1e-3,
    high=1e6,
    start_low=1.0,
    start_high=100.0,
    transform="log",
    meaning="repeats after which a repeat is worth 1/e",
)
EXCESS = Parameter(
    "R_N_star",
    unit="multiples",
    low=1e-3,
    high=1e6,
    start_low=0.5,
    start_high=100.0,
    transform="log",
    meaning="excess of parameters worth 1/e",
)


def decayed(unique, repeats, scale):
    """unique * (1 + scale * (1 - exp(-repeats / scale))): what `repeats` more copies are worth."""
    return unique * (1.0 - scale * np.expm1(-repeats / scale))


def effective_tokens(p, v):
    """D' in tokens: the unique tokens plus what the repeats are worth."""
    unique = np.minimum(v["n_tokens_unique"], v["n_tokens_seen"])
    return decayed(unique, v["n_tokens_seen"] / unique - 1.0, p["R_D_star"])


def optimal_params_for(p, unique_tokens):
    """N_opt(U) = G (G U)^(beta / alpha): the model size for which U new tokens are compute-optimal."""
    g = chinchilla.balance(p)
    return g * np.exp(p["beta"] / p["alpha"] * (np.log(g) + np.log(unique_tokens)))


def effective_params(p, v):
    """N' in parameters: up to N_opt(U) each counts, beyond it they decay."""
    unique = np.minimum(v["n_tokens_unique"], v["n_tokens_seen"])
    base = np.minimum(v["n_params"], optimal_params_for(p, unique))
    return decayed(base, v["n_params"] / base - 1.0, p["R_N_star"])


def value(p, v):
    """E + A / N'^alpha + B / D'^beta. Shapes as in law.py."""
    size_term = p["A"] * np.exp(-p["alpha"] * np.log(effective_params(p, v)))
    return (
        p["E"]
        + size_term
        + p["B"] * np.exp(-p["beta"] * np.log(effective_tokens(p, v)))
    )


def gradient(p, v):
    """d value / d parameter for each parameter; U_N carries A, alpha, B and beta where N exceeds N_opt(U)."""
    unique, n = np.minimum(v["n_tokens_unique"], v["n_tokens_seen"]), v["n_params"]
    tokens, params = effective_tokens(p, v), effective_params(p, v)
    limit = optimal_params_for(p, unique)
    base = np.minimum(n, limit)
    plain = chinchilla.gradient(p, {"n_params": params, "n_tokens_seen": tokens})
    by_params = -p["alpha"] * p["A"] * plain["A"] / params  # d value / d N'
    by_tokens = -p["beta"] * p["B"] * plain["B"] / tokens  # d value / d D'
    fade = np.exp(-(n / base - 1.0) / p["R_N_star"])
    # d value / d log U_N
    by_base = np.where(limit < n, by_params * (params - n * fade), 0.0)
    for name, slope in _log_limit_gradient(p, unique).items():
        plain[name] = plain[name] + by_base * slope
    return plain | {
        "R_D_star": (
            by_tokens
            * _by_scale(unique, v["n_tokens_seen"] / unique - 1.0, p["R_D_star"])
        ),
        "R_N_star": by_params * _by_scale(base, n / base - 1.0, p["R_N_star"]),
    }


def size_term_gradient(p, v):
    """d (A / N'^alpha) / d parameter, for A, alpha, B, beta and R_N_star."""
    unique, n = np.minimum(v["n_tokens_unique"], v["n_tokens_seen"]), v["n_params"]
    limit = optimal_params_for(p, unique)
    base = np.minimum(n, limit)
    params = decayed(base, n / base - 1.0, p["R_N_star"])
    per_a = np.exp(-p["alpha"] * np.log(params))
    by_params = -p["alpha"] * p["A"] * per_a / params
    fade = np.exp(-(n / base - 1.0) / p["R_N_star"])
    by_base = np.where(limit < n, by_params * (params - n * fade), 0.0)
    found = {
        name: by_base * slope for name, slope in _log_limit_gradient(p, unique).items()
    }
    found["A"] = found["A"] + per_a
    found["alpha"] = found["alpha"] - p["A"] * per_a * np.log(params)
    by_scale = _by_scale(base, n / base - 1.0, p["R_N_star"])
    return found | {"R_N_star": by_params * by_scale}


def _by_scale(unique, repeats, scale):
    """d decayed / d scale."""
    return unique * (
        -np.expm1(-repeats / scale) - repeats / scale * np.exp(-repeats / scale)
    )


def _log_limit_gradient(p, unique):
    """d log N_opt(unique) / d parameter."""
    alpha, beta = p["alpha"], p["beta"]
    log_g = np.log(chinchilla.balance(p))
    both, lever, reach = alpha + beta, 1.0 + beta / alpha, log_g + np.log(unique)
    return {
        "A": lever / (p["A"] * both),
        "B": -lever / (p["B"] * both),
        "alpha": lever * (1 / alpha - log_g) / both - beta / alpha**2 * reach,
        "beta": lever * (-1 / beta - log_g) / both + reach / alpha,
    }


DATA_CONSTRAINED = Law(
    name="data_constrained",
    title="Model size and tokens, repeats and excess parameters decay",
    formula=(
        "value = E + A / N'^alpha + B / D'^beta; D' = U (1 + R_D* (1 - exp(-R_D /"
        " R_D*))), R_D = max(D/U - 1, 0); N' likewise with U_N = min(N, N_opt(U))"
    ),
    variables=(N_PARAMS, N_TOKENS_SEEN, N_TOKENS_UNIQUE),
    parameters=(*chinchilla.PARAMETERS, REPEATS, EXCESS),
    value=value,
    gradient=gradient,
    source=(
        "Muennighoff et al. 2023, arXiv 2305.16264, eq. 5 and 6, clipped as in the"
        " authors' code"
    ),
    reduces_to=Reduction(
        "chinchilla", {"R_N_star": 1e30}, {"n_tokens_unique": "n_tokens_seen"}
    ),
    arm_parameters=("E", "B"),
    automatic=("repeats",),
    prior_weight=0.5,  # measured: it cannot rise, and errs twice as far past 30 epochs
    rank=90,
)
