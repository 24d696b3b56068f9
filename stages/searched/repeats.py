"""How often the target reads each pool or tier, how often the proxies did, and what repeats cost."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from stages.foundation.errors import InputError, RefusedError
from stages.laws import LAWS
from stages.laws.fitting.fit import fit_law
from stages.runs.study import law_rows
from stages.searched.curves import Ground
from stages.searched.record import Aimed, Repeats

ALIKE = 1.5  # as in laws/deciding/objections.py: passes this close are alike
READ = 0.01  # of a mixture: repeats of less move nothing
LEAST_BUDGETS, LEAST_PASSES = 3, 2.0  # ours: below them runs say nothing of repeats
WANTED = ("R_D_star", "B", "beta")
N_STARTS = 48


def repeats_of(
    proposal: Mapping[str, float],
    proxy_passes: Mapping[str, float],
    aimed: Aimed | None,
) -> dict[str, Repeats]:
    """Pool -> passes by the proposal. proxy_passes: of a proxy that reads the pool alone."""
    found = {}
    for pool, share in proposal.items():
        proxy = share * proxy_passes[pool]
        there = share * aimed.n_tokens / aimed.pool_tokens[pool] if aimed else None
        ratio = max(there, 1.0) / max(proxy, 1.0) if there is not None else 1.0
        found[pool] = Repeats(
            target_passes=there,
            proxy_passes=proxy,
            agree=share < READ or 1 / ALIKE <= ratio <= ALIKE,
        )
    return found


def repeats_of_tiers(
    ground: Ground, share: np.ndarray, rows: pl.DataFrame
) -> dict[str, Repeats]:
    """Tier -> uses by the answer, beside the most of any proxy; the laws carry fewer, and not many more.

    share: of the tiers (tiers,); rows: the runs that were fitted.
    """
    found = {}
    for tier, there in ground.by_tier(ground.uses(share)).items():
        passes = (
            rows[f"share_{tier}"].fill_null(0)
            * rows["n_tokens_seen"]
            / rows[f"unique_{tier}"].fill_null(1).clip(lower_bound=1)
        )
        most = float(passes.max())
        agree = max(there, 1.0) <= ALIKE * max(most, 1.0)
        found[tier] = Repeats(target_passes=there, proxy_passes=most, agree=agree)
    return found


def fitted_repeats(
    rows: pl.DataFrame, question: Mapping[str, Any]
) -> dict[str, float] | None:
    """R_D_star, B and beta of the runs themselves; None where budgets or repeats are too few for them.

    Fitted to the mixtures that were trained more than once, the prior among them, each with its own floor and
    amplitude; B is that of the prior.
    """
    if (
        rows["n_tokens_seen"].n_unique() < LEAST_BUDGETS
        or float((rows["n_tokens_seen"] / rows["n_tokens_unique"]).max()) < LEAST_PASSES
    ):
        return None
    arms = question["arms"]
    own = rows.filter(pl.col("arm").is_in(arms[: len(question["over"]) + 1]))
    law = LAWS["data_constrained"]
    try:
        fit = fit_law(law, law_rows(own), by_arm=law.arm_parameters, n_starts=N_STARTS)
    except (
        InputError,
        RefusedError,
    ):  # too few runs for the law: the published constants serve
        return None
    found = {}
    for name in WANTED:
        value = fit.params[name]
        found[name] = float(value[arms[0]] if isinstance(value, dict) else value)
    return found if all(np.isfinite(list(found.values()))) else None
