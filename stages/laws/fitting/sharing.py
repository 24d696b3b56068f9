"""Which parameters the arms of a comparison share: by default all but those that describe the data.

Sharing is an assumption that buys precision, and exponents are what it is least safe for: on a
published table of two model families, shared exponents decide for one of them a decade above the
runs (best in 99 % of the draws), own exponents say the other (66 %). So a comparison is also made
with the exponents that belong to the arms' amplitudes set free (`freed`).
"""

from stages.foundation.errors import InputError
from stages.laws.interface.law import Law


def separate(law: Law, share: str = "auto") -> tuple[str, ...]:
    """Parameters with a value of their own in every arm.

    share: 'auto' (the law's arm_parameters are separate, the others shared), 'none', 'all', or
    names to share, comma between.

    >>> from stages.laws import get_law
    >>> separate(get_law("chinchilla")), separate(get_law("chinchilla"), "alpha,beta")
    (('E', 'B'), ('E', 'A', 'B'))
    """
    if share == "auto":
        return law.arm_parameters
    if share in ("none", "all"):
        return law.parameter_names if share == "none" else ()
    names = [name.strip() for name in share.split(",")]
    unknown = [name for name in names if name not in law.parameter_names]
    if unknown:
        raise InputError(
            f"law '{law.name}' has no parameter '{unknown[0]}' to share; it has:"
            f" {', '.join(law.parameter_names)} (or say auto, all or none)"
        )
    return tuple(name for name in law.parameter_names if name not in names)


def freed(law: Law, by_arm: tuple[str, ...]) -> tuple[str, ...]:
    """by_arm and the exponents of the amplitudes in it; by_arm itself where those are separate
    already or there is none.
    """
    exponents = {
        power for p in law.parameters if p.name in by_arm for power, _ in p.term
    }
    return tuple(
        name for name in law.parameter_names if name in by_arm or name in exponents
    )
