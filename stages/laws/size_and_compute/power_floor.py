"""One variable and a floor: value = E + A / x^alpha, over compute or parameters, or E + B / x^beta over tokens.

The amplitude A replaces the scale x0 of the paper, (x0 / x)^alpha = x0^alpha / x^alpha: x0 = A^(1/alpha)
runs over dozens of decades when alpha is small, A at the centre of the data does not.
"""

import numpy as np

from stages.laws.interface.law import (
    FLOPS,
    N_PARAMS,
    N_TOKENS_SEEN,
    Law,
    Table,
    Variable,
    amplitude,
    exponent,
    floor,
    inverse,
)


def _over(
    variable: Variable,
    *,
    name: str,
    title: str,
    size: str,
    power: str,
    automatic: tuple[Table, ...] = (),
) -> Law:
    """The law over one variable; `size` and `power` name its amplitude and its exponent."""
    x = variable.name

    def value(p, v):
        return p["E"] + p[size] * np.exp(-p[power] * np.log(v[x]))

    def gradient(p, v):
        log_x = np.log(v[x])
        unit_term = np.exp(-p[power] * log_x)
        return {
            "E": np.ones_like(unit_term),
            size: unit_term,
            power: -p[size] * unit_term * log_x,
        }

    return Law(
        name=name,
        title=title,
        formula=f"value = E + {size} / {x}^{power}",
        variables=(variable,),
        parameters=(
            floor(),
            amplitude(size, f"amplitude over {x}", (power, inverse(x))),
            exponent(power, f"exponent over {x}"),
        ),
        value=value,
        gradient=gradient,
        source=(
            "Henighan et al. 2020, arXiv 2010.14701, eq. 1.1, with A = x0^alpha;"
            " Hestness et al. 2017, arXiv 1712.00409"
        ),
        arm_parameters=("E", size),
        automatic=automatic,
        rank=10,
    )


POWER_FLOOR = _over(
    FLOPS,
    name="power_floor",
    title="Power law in compute with a floor",
    size="A",
    power="alpha",
    automatic=("sizes and tokens", "compute alone"),
)
POWER_FLOOR_TOKENS = _over(
    N_TOKENS_SEEN,
    name="power_floor_tokens",
    title="Power law in tokens with a floor",
    size="B",
    power="beta",
    automatic=("tokens alone",),
)
POWER_FLOOR_PARAMS = _over(
    N_PARAMS,
    name="power_floor_params",
    title="Power law in model size with a floor",
    size="A",
    power="alpha",
)
