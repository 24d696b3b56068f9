"""Compute-aware scaling laws: fit, interval, selection, comparison, planning. numpy and scipy only.

LAWS lists every law by name; a law is one declarative object in a family file and one line here.
Laws that need the names of their pools or domains are made by functions: `half_life(pools)`,
`half_life_code(pools)`, `recipe(pools)`, `information(pools)`, `exponential_mix(domains)`,
`implicit_mix(domains)`; LAWS holds them for one pool, or for a few unnamed domains.
`multi_power(schedules)` needs the learning rate of every step; LAWS holds it for an example
schedule.
"""

from difflib import get_close_matches

from stages.foundation.errors import InputError
from stages.laws.interface.law import Law, Parameter, Reduction, Variable
from stages.laws.mixtures_and_tasks.downstream import DOWNSTREAM
from stages.laws.mixtures_and_tasks.exponential_mix import exponential_mix, implicit_mix
from stages.laws.mixtures_and_tasks.multiplier import MULTIPLIER
from stages.laws.mixtures_and_tasks.text_to_image import TEXT_TO_IMAGE
from stages.laws.repetition.data_constrained import DATA_CONSTRAINED
from stages.laws.repetition.effective_data import (
    DATA_CONSTRAINED_GEOMETRIC,
    EFFECTIVE_DATA,
)
from stages.laws.repetition.half_life import half_life, half_life_code
from stages.laws.repetition.information import information
from stages.laws.repetition.knowledge import KNOWLEDGE_CAPACITY
from stages.laws.repetition.overfit import (
    OVERFIT,
    OVERFIT_DATA_CONSTRAINED,
    OVERFIT_FOUR,
    OVERFIT_ONE,
    OVERFIT_TWO,
)
from stages.laws.repetition.pruning_curve import PRUNING_CURVE
from stages.laws.repetition.recipe import recipe
from stages.laws.schedules.annealing import ANNEALING
from stages.laws.schedules.critical_batch import CRITICAL_BATCH
from stages.laws.schedules.multi_power import multi_power
from stages.laws.schedules.step_law import POWER_SCHEDULER, STEP_LAW_BATCH, STEP_LAW_LR
from stages.laws.size_and_compute.architecture import ARCHITECTURE
from stages.laws.size_and_compute.chinchilla import CHINCHILLA
from stages.laws.size_and_compute.coupled import COUPLED
from stages.laws.size_and_compute.family_ratio import FAMILY_RATIO
from stages.laws.size_and_compute.inference import INFERENCE
from stages.laws.size_and_compute.kaplan import BRACKET, KAPLAN, KAPLAN_FLOOR
from stages.laws.size_and_compute.learning_curve import (
    COMPUTE_OFFSET,
    THREE_REGIONS,
    TIME_SERIES,
)
from stages.laws.size_and_compute.over_training import OVER_TRAINING
from stages.laws.size_and_compute.power_floor import (
    POWER_FLOOR,
    POWER_FLOOR_PARAMS,
    POWER_FLOOR_TOKENS,
)
from stages.laws.size_and_compute.size_variants import (
    AVERAGE_SIZE,
    ENCODER_DECODER,
    VOCABULARY,
)

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        POWER_FLOOR,
        POWER_FLOOR_TOKENS,
        POWER_FLOOR_PARAMS,
        THREE_REGIONS,
        COMPUTE_OFFSET,
        TIME_SERIES,
        CHINCHILLA,
        KAPLAN,
        KAPLAN_FLOOR,
        BRACKET,
        OVER_TRAINING,
        AVERAGE_SIZE,
        VOCABULARY,
        ENCODER_DECODER,
        *TEXT_TO_IMAGE,
        COUPLED,
        DATA_CONSTRAINED,
        DATA_CONSTRAINED_GEOMETRIC,
        EFFECTIVE_DATA,
        half_life(),
        half_life(sized=True),
        half_life_code(),
        half_life_code(form="data"),
        OVERFIT,
        OVERFIT_ONE,
        OVERFIT_TWO,
        OVERFIT_FOUR,
        OVERFIT_DATA_CONSTRAINED,
        recipe(),
        information(),
        KNOWLEDGE_CAPACITY,
        exponential_mix(),
        implicit_mix(),
        FAMILY_RATIO,
        MULTIPLIER,
        PRUNING_CURVE,
        CRITICAL_BATCH,
        ANNEALING,
        multi_power(),
        STEP_LAW_LR,
        STEP_LAW_BATCH,
        POWER_SCHEDULER,
        *DOWNSTREAM,
        *ARCHITECTURE,
        *INFERENCE,
    )
}


def get_law(name: str) -> Law:
    """The law of that name; the error names the nearest ones."""
    if name not in LAWS:
        near = get_close_matches(name, LAWS, 3)
        hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else "such as power_floor, chinchilla, data_constrained;"
        )
        raise InputError(
            f"no law is called '{name}'; {hint} `assay laws` lists all {len(LAWS)}"
        )
    return LAWS[name]


__all__ = [
    "LAWS",
    "Law",
    "Parameter",
    "Reduction",
    "Variable",
    "exponential_mix",
    "get_law",
    "half_life",
    "half_life_code",
    "implicit_mix",
    "information",
    "multi_power",
    "recipe",
]
