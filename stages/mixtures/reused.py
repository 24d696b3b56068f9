"""Runs of an earlier swarm as runs of a new one, where a pool was added or split.

A pool that was added had no share in the earlier runs: they lie on that face of the simplex. A pool that was split
was drawn from as a whole, so each part had its share of the documents. No other change of pools lets a run count.
"""

from collections.abc import Mapping

import numpy as np

from stages.foundation.errors import InputError
from stages.laws.interface.table import note
from stages.mixtures.swarm_tables import ROUNDING, Swarm
from stages.presentation.numbers import listed

BETWEEN = "/"  # in a key of a split: earlier domain, new domain


def with_reused(new: Swarm, old: Swarm, split: Mapping[str, float]) -> Swarm:
    """The new swarm with the runs of the earlier one, which is said in a note.

    split: `OLD/NEW` -> part of the earlier domain. Raises InputError where an earlier domain is in neither, or a
    metric of the new swarm lacks.
    """
    if lacking := [name for name in new.metrics if name not in old.metrics]:
        raise InputError(
            f"--reuse: the earlier swarm has no metric {lacking[0]!r}; measure its runs"
            " on it, or drop the column"
        )
    parts = _parts(new, old, split)
    at = [old.metrics.index(name) for name in new.metrics]
    values = old.values[:, at]
    shares = old.shares @ parts
    added = [
        row
        for row, run in enumerate(old.runs)
        if not _stands(run, shares[row], values[row], new)
    ]
    if not added:
        raise InputError(
            "--reuse: every run of the earlier swarm stands in RATIOS and METRICS too;"
            " leave --reuse out"
        )
    runs = [old.runs[row] for row in added]
    names = [run if run not in new.runs else f"{run} (reused)" for run in runs]
    said = _said(new, old, parts, n_added=len(added))
    return Swarm(
        (*new.runs, *names),
        domains=new.domains,
        metrics=new.metrics,
        shares=np.vstack([new.shares, shares[added]]),
        values=np.vstack([new.values, values[added]]),
        notes=[*new.notes, *old.notes, said],
    )


def _stands(run: str, share: np.ndarray, values: np.ndarray, new: Swarm) -> bool:
    """Whether the new swarm has this very run: its name, shares (domains,) and values (metrics,)."""
    if run not in new.runs:
        return False
    at = new.runs.index(run)
    same = np.abs(share - new.shares[at]).max() <= ROUNDING
    return bool(same and np.array_equal(values, new.values[at]))


def _parts(new: Swarm, old: Swarm, split: Mapping[str, float]) -> np.ndarray:
    """Part of each earlier domain that each new one is, (earlier domains, domains), rows of sum 1."""
    parts = np.zeros((len(old.domains), len(new.domains)))
    for key, part in split.items():
        before, between, after = key.partition(BETWEEN)
        if not between or before not in old.domains or after not in new.domains:
            raise InputError(
                f"--split {key}={part:g}: write OLD/NEW=PART, a domain of the earlier"
                f" swarm ({listed(old.domains)}) and one of RATIOS ({listed(new.domains)})"
            )
        if part <= 0:
            raise InputError(f"--split {key}={part:g}: a part is above 0")
        parts[old.domains.index(before), new.domains.index(after)] = part
    for row, name in enumerate(old.domains):
        total = parts[row].sum()
        if total == 0:
            if name not in new.domains:
                raise InputError(
                    f"--reuse: the earlier swarm has the domain {name!r}, which RATIOS"
                    f" lacks; say what became of it with --split {name}/NEW=PART,..."
                )
            parts[row, new.domains.index(name)] = total = 1.0
        if abs(total - 1) > ROUNDING:
            raise InputError(
                f"--split: the parts of {name!r} add up to {total:.4g}; give those of"
                " one whole, as its documents were"
            )
        parts[row] /= total
    return parts


def _said(new: Swarm, old: Swarm, parts: np.ndarray, *, n_added: int) -> dict[str, str]:
    """What was reused and why it may be."""
    added = [
        name
        for name, whole in zip(new.domains, parts.T, strict=True)
        if not whole.any()
    ]
    reasons = []
    if added:
        reasons.append(f"{listed(added)} had no share in them")
    for name, row in zip(old.domains, parts, strict=True):
        own = [
            f"{part:.3g} {after}"
            for after, part in zip(new.domains, row, strict=True)
            if part
        ]
        if len(own) > 1:
            reasons.append(f"{name} counts as {listed(own)}")
    why = "; ".join(reasons) or "the domains are the same"
    if n_twice := len(old.runs) - n_added:
        why += f"; {n_twice} more stand in both swarms and count once"
    return note("reused", "info", f"{n_added} earlier runs are reused: {why}")
