"""`assay mix --design`: which mixtures to train, as the table that `assay mix` reads afterwards."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from flows.commands.mix import named_numbers
from flows.commands.show import show
from stages.foundation.errors import InputError
from stages.foundation.files import whole_file
from stages.mixtures.design import Designed, design
from stages.mixtures.swarm_tables import NEVER_READ, RUN, Swarm
from stages.mixtures.wishes import Wishes, bounds_of, reference_of, unique_of

N_RUNS = 24
USED = ("--prior", "--floor", "--cap", "--unique-tokens")


@dataclass(frozen=True)
class Asked:
    """The options of a design: names of domains, several with commas; runs, None for the default; a file."""

    domains: list[str]
    runs: int | None
    out: Path | None


def swarm_files(
    asked: Asked, ratios: Path | None, metrics: Path | None
) -> tuple[Path, Path]:
    """The two tables of a swarm; InputError where one lacks, or options of a design were given."""
    if asked.runs is not None or asked.out is not None:
        option = "--runs" if asked.runs is not None else "--out"
        raise InputError(f"{option} belongs to --design; name its domains there")
    if ratios is None or metrics is None:
        raise InputError(
            "give RATIOS and METRICS, or --design DOMAIN,... for the mixtures to train"
        )
    return ratios, metrics


def design_command(
    asked: Asked,
    files: tuple[Path | None, Path | None],
    given: dict[str, list[str]],
    *,
    others: dict[str, Any],
    seed: int,
    as_json: bool,
) -> None:
    """The mixtures to train, printed or written. given: option -> its NAME=NUMBER words; others: option -> value."""
    if any(files):
        raise InputError("--design reads no tables; leave RATIOS and METRICS out")
    odd = [option for option, words in given.items() if words and option not in USED]
    odd += [option for option, value in others.items() if value is not None]
    if odd:
        raise InputError(
            f"{odd[0]} does not belong to --design; its options are --runs, --out,"
            f" --seed, {', '.join(USED)}"
        )
    domains = names_of(asked.domains)
    runs = designed(domains, given, n_runs=asked.runs or N_RUNS, seed=seed)
    width = len(str(len(runs) - 1))
    rows = [
        {RUN: f"mix-{at:0{width}d}"}
        | dict(zip(domains, run.share.tolist(), strict=True))
        for at, run in enumerate(runs)
    ]
    if asked.out is not None:
        with whole_file(asked.out) as temporary:
            pl.DataFrame(rows).write_csv(temporary)
    if as_json:
        print(json.dumps({"domains": domains, "runs": rows}, indent=2))
    elif asked.out is not None:
        print(f"{asked.out}: {len(rows)} runs of {len(domains)} domains")
    else:
        show(rows, False, title=f"{len(rows)} mixtures to train")


def names_of(given: list[str]) -> list[str]:
    """Domains of one or several options; InputError where they are no columns of a table of ratios."""
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    odd = [name for name in names if name == RUN or name.lower() in NEVER_READ]
    twice = [name for name in names if names.count(name) > 1]
    if odd or twice or len(names) < 2:
        why = (
            f"{odd[0]!r} is no name of a domain"
            if odd
            else f"{twice[0]!r} is named twice"
            if twice
            else f"{len(names) or 'no'} domain"
        )
        raise InputError(f"--design {','.join(names)}: {why}; name two domains or more")
    return names


def designed(
    domains: list[str], given: dict[str, list[str]], *, n_runs: int, seed: int
) -> list[Designed]:
    """The runs around --prior, else in proportion to --unique-tokens, else around equal shares."""
    prior, floor, cap, unique = (
        named_numbers(option, given[option]) for option in USED
    )
    wishes = Wishes(prior=prior, floors=floor, caps=cap)
    even = np.full((1, len(domains)), 1 / len(domains))
    known = Swarm((), tuple(domains), (), even, np.zeros((1, 0)), [])
    if unique:
        lacking = [name for name in domains if name not in unique]
        if lacking:
            raise InputError(f"--unique-tokens: none for {lacking[0]!r}; give all")
        tokens = unique_of(Wishes(unique_tokens=unique, tokens=1.0), known)
        assert tokens is not None
        known = Swarm(
            (), tuple(domains), (), tokens[None] / tokens.sum(), known.values, []
        )
    low, high = bounds_of(wishes, known)
    centre = reference_of(wishes, known)
    runs = design(centre, n_runs, low=low, high=high, seed=seed)
    shares = np.array([run.share for run in runs])
    for name, least, most in zip(
        domains, shares.min(axis=0), shares.max(axis=0), strict=True
    ):
        if least == most:
            raise InputError(
                f"--floor and --cap leave {name} no share but {least:g}, which tells"
                " nothing of it; widen them, or leave it out"
            )
    return runs
