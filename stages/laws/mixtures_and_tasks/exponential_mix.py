"""Loss on one validation domain as an exponential of the mixture (data mixing laws).

    value = E + exp(k + sum_j t_j s_j)                     one validation domain, or
    value = E + sum_m exp(k_m + sum_j t_mj s_j)            implicit: several hidden domains, overall loss

Shares add up to 1, so (k + c, t_j - c) is the same law: t of the first domain is fixed at 0, and k is the log of
the reducible value of a model that saw that domain alone. The authors weight the hidden domains with a softmax; the
weight only shifts k_m and E, so it is left out. Fit at one model size and one step count, one fit a validation domain,
and add the fits up with the domain's weights for an overall loss (`overall`). Trap: with few mixtures the constants
are not identified, and a fit that saw the held-out mixtures looks twice as good as one that did not.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.laws.interface.law import Law, Parameter, floor, share

DEFAULT_DOMAINS = ("first", "second", "third")
# ours: bounds and starts of k; published fits lie in -3 .. 1
LOG_SIZE = (-18.0, 7.0, -2.0, 1.5)
# ours: bounds and starts of t; published fits lie in -5 .. 2
SLOPE = (-60.0, 60.0, -3.0, 3.0)


def _term_names(domains, term):
    """k and the t of one hidden domain, in the order of `domains`; the first has no t."""
    end = f"_{term}" if term else ""
    return f"k{end}", {domain: f"t_{domain}{end}" for domain in domains[1:]}


def _exponentials(domains, terms, p, v):
    """For each hidden domain the names of k and t, and exp(k + sum_j t_j s_j), (..., points)."""
    for term in terms:
        k, slopes = _term_names(domains, term)
        yield (
            k,
            slopes,
            np.exp(
                np.clip(
                    p[k]
                    + sum(p[t] * v[f"share_{domain}"] for domain, t in slopes.items()),
                    -700.0,
                    700.0,
                )
            ),
        )


def _law(domains, terms, **words) -> Law:
    def value(p, v):
        return p["E"] + sum(
            part for _, _, part in _exponentials(domains, terms, p=p, v=v)
        )

    def gradient(p, v):
        found: dict[str, np.ndarray] = {}
        for k, slopes, part in _exponentials(domains, terms, p=p, v=v):
            found |= {k: part} | {
                t: part * v[f"share_{domain}"] for domain, t in slopes.items()
            }
        return found | {"E": np.ones_like(next(iter(found.values())))}

    names = [_term_names(domains, term) for term in terms]
    scales = tuple(
        Parameter(
            k,
            "log value",
            *LOG_SIZE,
            "linear",
            "log of the reducible value on the first domain alone",
        )
        for k, _ in names
    )
    slopes = tuple(
        Parameter(
            t,
            "1",
            *SLOPE,
            "linear",
            f"log change of the reducible value from {domains[0]} to {domain}",
        )
        for _, by_domain in names
        for domain, t in by_domain.items()
    )
    return Law(
        variables=tuple(
            share(domain, f"share of the tokens that come from {domain}")
            for domain in domains
        ),
        parameters=(floor(), *scales, *slopes),
        value=value,
        gradient=gradient,
        arm_parameters=("E", *(k for k, _ in names)),
        **words,
        rank=160,
    )


def exponential_mix(domains: Sequence[str] = DEFAULT_DOMAINS) -> Law:
    """The explicit law, for one validation domain.

    >>> exponential_mix(("web", "code")).parameter_names
    ('E', 'k', 't_code')
    """
    return _law(
        tuple(domains),
        ("",),
        name="exponential_mix",
        title="Mixture: exponential law for one validation domain",
        formula="value = E + exp(k + sum_j t_j s_j); t of the first domain 0",
        source=(
            "Ye et al. 2024, data mixing laws, arXiv 2403.16952, the law per domain;"
            " gauge ours"
        ),
    )


def implicit_mix(domains: Sequence[str] = DEFAULT_DOMAINS, n_terms: int = 2) -> Law:
    """The implicit law: `n_terms` hidden validation domains, fitted to the overall value alone."""
    return _law(
        tuple(domains),
        tuple(str(m + 1) for m in range(n_terms)),
        name="implicit_mix",
        title="Mixture: sum of exponential laws for hidden validation domains",
        formula="value = E + sum_m exp(k_m + sum_j t_mj s_j); t of the first domain 0",
        source=(
            "Ye et al. 2024, data mixing laws, arXiv 2403.16952, the implicit form;"
            " softmax weights absorbed, gauge ours"
        ),
    )


def overall(
    values: Mapping[str, np.ndarray], weights: Mapping[str, float]
) -> np.ndarray:
    """Weighted mean over validation domains of predicted values, domain -> (points,)."""
    total = sum(weights[domain] * values[domain] for domain in weights)
    return np.asarray(total / sum(weights.values()))


EXPONENTIAL_MIX = exponential_mix()
IMPLICIT_MIX = implicit_mix()
