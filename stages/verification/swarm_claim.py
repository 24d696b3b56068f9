"""What a search for a mixture predicts of runs at more compute than its swarm had.

The surfaces that decided say by how much mixtures differ, and the claim is that they go on differing so, but for a
drift as large as surfaces of neighbouring budgets show. How far the reference falls by then is a law over sizes and
tokens, chosen and refitted as those of arms are, of all runs of the swarm less what their mixtures differ from the
reference. Fewer than LEAST_BUDGETS budgets carry no such law: then only differences are predicted. Cost: 1 to 5 s.
"""

import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from stages.foundation.errors import InputError, RefusedError
from stages.laws import Law
from stages.laws.choosing.averaged import Mixture, mixture
from stages.laws.choosing.choose import choose_law
from stages.laws.choosing.discrepancy import PER_LOG, SHARED
from stages.laws.choosing.eligible import REPEATED, eligible_laws
from stages.laws.mixing.averaged_mix import fit_metrics
from stages.laws.mixing.blocks import ROUGH
from stages.laws.mixing.process import fit_process
from stages.laws.mixing.search import Goal
from stages.laws.mixing.surface import Process
from stages.laws.repetition.bending import (
    BRACKET_LOG,
    OVERFIT_LOG,
    OVERFIT_LOG_ONE,
    OVERFIT_LOG_TWO,
)
from stages.laws.repetition.half_life import half_life
from stages.mixtures.phases import in_search, overall
from stages.mixtures.proposal import N_DRAWS
from stages.presentation.phase_names import DECAY
from stages.searched.mixture import SEED, answered
from stages.searched.record import SearchedRecord
from stages.searched.swarm import rungs, shares_of, swarm_of
from stages.settings.decide import DecideParams
from stages.verification.judged import Rows

log = logging.getLogger("assay")
RISING = {
    law.name for law in (OVERFIT_LOG, OVERFIT_LOG_ONE, OVERFIT_LOG_TWO, BRACKET_LOG)
}
# cited: up to four passes are nearly as good as new text (Muennighoff et al. 2023)
RISES_FROM = 4.0
LEAST_BUDGETS = 3  # ours: fewer settle no floor and no exponent
N_STARTS = 16
WHOLE = "all"


@dataclass(frozen=True)
class SwarmPrediction:
    """share: arm -> (domains,); reference (domains,); read: of all tokens by the reference, (pools,); unique: tokens of
    each pool in a resample, (pools,).

    fall: the law of the reference, None where there are too few budgets; noise: sd of one run where there is none;
    drift: sd by which what a domain is worth moves a natural log of compute beyond `reach` FLOPs.
    """

    share: Mapping[str, np.ndarray]
    reference: np.ndarray
    read: np.ndarray
    unique: np.ndarray
    goal: Goal
    fall: Mixture | None
    noise: float
    drift: float
    reach: float

    def point(self, rows: Rows) -> np.ndarray:
        """The value at each row, (rows,); without a law that of the swarm's own budget."""
        both = self._mixtures(rows)
        values = self.goal.values(both)
        if self.fall is None:
            return values[:-1]
        return self.fall.central(self._of_reference(rows)) + values[:-1] - values[-1]

    def new_runs(self, rows: Rows) -> np.ndarray:
        """The value of one new run at each row in each draw, (draws, rows)."""
        both = self._mixtures(rows)
        drawn = self.goal.drawn(both)
        drawn[:, :-1] += self._drifts(rows, both[:-1], len(drawn))
        if self.fall is None:
            rng = np.random.default_rng(SEED)
            own = drawn[:, :-1]
            return own + self.noise * rng.standard_normal(own.shape)
        fall = self.fall.predict(self._of_reference(rows), new_run=True)
        return fall + drawn[:, :-1] - drawn[:, -1:]

    def _drifts(self, rows: Rows, shares: np.ndarray, n_draws: int) -> np.ndarray:
        """How far each row's mixture moves against the reference beyond the runs, (draws, rows)."""
        worth = np.random.default_rng(SEED + 1).standard_normal(
            (n_draws, self.reference.size)
        )
        beyond = np.maximum(np.log(np.asarray(rows["flops"], float) / self.reach), 0.0)
        return self.drift * beyond * (worth @ (shares - self.reference).T)

    def _mixtures(self, rows: Rows) -> np.ndarray:
        """The mixture of each row and, last, the reference, (rows + 1, domains)."""
        return np.stack([*(self.share[arm] for arm in rows["arm"]), self.reference])

    def _of_reference(self, rows: Rows) -> dict[str, np.ndarray]:
        """Rows of the law: the size and tokens of each row, and the different tokens of the reference there."""
        return fall_rows(rows, self.read, self.unique)


def fall_rows(
    rows: Rows, read: np.ndarray, unique: np.ndarray
) -> dict[str, np.ndarray]:
    """n_params, n_tokens_seen, flops, and the different tokens that the reference reads there, also as those of the one
    tier WHOLE, (rows,) each.
    """
    seen = np.asarray(rows["n_tokens_seen"], float)
    different = np.minimum(seen[:, None] * read, unique).sum(axis=1)
    return {
        "n_params": np.asarray(rows["n_params"], float),
        "n_tokens_seen": seen,
        "n_tokens_unique": different,
        "flops": np.asarray(rows["flops"], float),
        f"share_{WHOLE}": np.ones(seen.size),
        f"unique_{WHOLE}": different,
    }


def swarm_prediction(
    record: SearchedRecord,
    question: Mapping[str, Any],
    rows: pl.DataFrame,
    *,
    share: Mapping[str, np.ndarray],
    unique: np.ndarray,
) -> SwarmPrediction:
    """The prediction of a record. question: of arms.json; rows: those that were fitted; the others as in
    SwarmPrediction.
    """
    settings = DecideParams(**record.provenance.params["decide"])
    rung = answered(rungs(rows), settings)
    weight = {each.name: each.weight for each in record.metrics}
    swarm = swarm_of(rows, question, rung, list(weight))
    metrics = fit_metrics(
        swarm.shares, swarm.values, list(swarm.metrics), n_draws=N_DRAWS, seed=SEED
    )
    weights = np.array([weight[name] for name in swarm.metrics])
    off = np.stack([each.held - each.values for each in metrics], axis=1) @ weights
    spoken = [record.reference[name] for name in swarm.domains]
    reference = in_search(question, spoken)
    decay = record.phases[DECAY] if record.phases else 0.0
    read = np.array(list(overall(question, record.reference, decay).values()))
    return SwarmPrediction(
        share=share,
        reference=reference,
        read=read,
        unique=unique,
        goal=Goal(metrics, weights),
        fall=fall_of(rows, question, reference=reference, read=read, unique=unique),
        noise=float(np.sqrt(np.mean(off**2))),
        drift=drift_of(rows, question),
        reach=float(
            rows.filter(n_params=rung[0], n_tokens_seen=rung[1])["flops"].max()
        ),
    )


def fall_of(
    rows: pl.DataFrame,
    question: Mapping[str, Any],
    *,
    reference: np.ndarray,
    read: np.ndarray,
    unique: np.ndarray,
) -> Mixture | None:
    """The law of the reference over sizes and tokens, by the runs of all mixtures; None for too few budgets."""
    if rows["flops"].n_unique() < LEAST_BUDGETS:
        return None
    moved = as_reference(rows, question, reference)
    columns = {
        name: moved[name].cast(pl.Float64).to_numpy()
        for name in ("n_params", "n_tokens_seen", "flops")
    }
    table = fall_rows(columns, read, unique) | {
        "value": moved["value"].to_numpy(),
        "pool_draw": moved["pool_draw"].cast(pl.String).to_numpy(),
    }
    try:
        laws = candidates_of(table)
        choice = choose_law(laws, table, by_arm=(), n_starts=N_STARTS)
        return mixture(choice, table, clusters="pool_draw", n_draws=N_DRAWS, seed=SEED)
    except (InputError, RefusedError) as few:
        log.info("verify: no law of the swarm over budgets: %s", few)
        return None


def candidates_of(table: Rows) -> list[Law]:
    """The laws that such runs can tell apart and, where they repeat their documents, one that knows repeats without
    model size. Laws by which repeats make the value rise need runs that repeat often: all runs stand for one pool, and
    a rise over its last budget or two looks as the curve of the fall does.
    """
    laws = eligible_laws(table)
    most = np.max(table["n_tokens_seen"] / table["n_tokens_unique"])
    if most > REPEATED:
        laws.append(half_life((WHOLE,)))
    if most < RISES_FROM:
        laws = [law for law in laws if law.name not in RISING]
    return laws


def as_reference(
    rows: pl.DataFrame, question: Mapping[str, Any], reference: np.ndarray
) -> pl.DataFrame:
    """The runs with the value that the reference would have had in their place: at each size and budget less what a
    smooth surface says of their mixture against it.
    """
    parts = []
    for own, shares, surface in smooth_surfaces(rows, question):
        off = surface.value(shares) - surface.value(reference[None])
        parts.append(own.with_columns(value=pl.col("value") - pl.Series(off)))
    return pl.concat(parts)


def smooth_surfaces(
    rows: pl.DataFrame, question: Mapping[str, Any]
) -> list[tuple[pl.DataFrame, np.ndarray, Process]]:
    """Of each size and budget its runs, their shares (runs, domains) and a smooth surface of their values."""
    found = []
    for rung in rungs(rows):
        own = rows.filter(n_params=rung[0], n_tokens_seen=rung[1])
        shares = shares_of(own, question)
        found.append((own, shares, fit_process(ROUGH, shares, own["value"].to_numpy())))
    return found


def drift_of(rows: pl.DataFrame, question: Mapping[str, Any]) -> float:
    """sd by which what a domain is worth moves a natural log of compute, nats a token: as between neighbouring budgets
    of a size, and no less than laws err of one arm (discrepancy.py).
    """
    least = PER_LOG * np.sqrt(1 - SHARED) * float(rows["value"].mean())
    squares = []
    surfaces = smooth_surfaces(rows, question)
    for (own, _, before), (more, shares, after) in itertools.pairwise(surfaces):
        if own["n_params"][0] != more["n_params"][0]:
            continue
        times = np.log(more["n_tokens_seen"][0] / own["n_tokens_seen"][0])
        moved = (after.value(shares) - before.value(shares)) / times
        worth = np.linalg.lstsq(shares, moved, rcond=None)[0]
        squares.append(float(worth.var()))
    return max(float(np.sqrt(np.mean(squares))) if squares else 0.0, least)
