"""Size, tokens and mixture together: the additive law of size and tokens with the exponential of the mixture.

    value = E + A / N^alpha + B / D^beta + exp(k + sum_j t_j s_j)

For a table in which sizes, lengths and mixtures all vary, on one validation set. t of the first
domain is 0, as in exponential_mix.py, whose term this is; what the mixture changes is the same at
every size and length, which is the simplest thing to say and the first that more runs would refute.
E and exp(k) are told apart only by mixtures whose term nearly vanishes: quote predictions.
"""

from collections.abc import Sequence

from stages.laws.interface.law import N_PARAMS, N_TOKENS_SEEN, Law
from stages.laws.mixtures_and_tasks.exponential_mix import (
    DEFAULT_DOMAINS,
    exponential_mix,
)
from stages.laws.size_and_compute import chinchilla


def chinchilla_mix(domains: Sequence[str] = DEFAULT_DOMAINS) -> Law:
    """The law for named domains, whose shares are read from share_<name>.

    >>> chinchilla_mix(("web", "code")).parameter_names
    ('E', 'A', 'alpha', 'B', 'beta', 'k', 't_code')
    """
    mix = exponential_mix(domains)
    terms = tuple(p for p in mix.parameters if p.name != "E")
    plain = chinchilla.CHINCHILLA

    def value(p, v):
        return chinchilla.value(p, v) + (mix.value(p, v) - p["E"])

    def gradient(p, v):
        of_mix = mix.gradient(p, v) if mix.gradient else {}
        return of_mix | chinchilla.gradient(p, v)

    return Law(
        name="chinchilla_mix",
        title="Additive law of size, tokens and mixture",
        formula=(
            "value = E + A / N^alpha + B / D^beta + exp(k + sum_j t_j s_j); t of the"
            " first domain 0"
        ),
        variables=(N_PARAMS, N_TOKENS_SEEN, *mix.variables),
        parameters=(*plain.parameters, *terms),
        value=value,
        gradient=gradient,
        source=(
            "ours; Hoffmann et al. 2022, arXiv 2203.15556, eq. 2, and Ye et al. 2024,"
            " arXiv 2403.16952, added up"
        ),
        arm_parameters=("E", "B"),
        rank=165,
    )


CHINCHILLA_MIX = chinchilla_mix()
