"""The steps that judge each document by itself, in the order in which they count.

This is where a new rule plugs in: a `Step` with a name, its reasons in order, and a function from
documents to measured columns and one boolean a reason; add it to `step_list.build_steps`.
Duplicates come after all steps, over what they left. A gate keeps its drops from the steps after
it; a step for survivors only does not look at what was dropped already, so that costly measures are
taken where they matter; the other steps see every document, so that the report can say what a rule
drops alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Verdicts:
    """Of the documents given, in their order: measured columns and, for each reason, whether it drops them."""

    measures: pl.DataFrame
    fails: pl.DataFrame  # boolean columns named by the reasons of the step, no nulls
    texts: pl.Series | None = None  # rewritten texts, from a step that masks or mends


@dataclass(frozen=True)
class Step:
    """One judgement of single documents."""

    name: str
    reasons: tuple[str, ...]
    measures: dict[str, pl.DataType]
    judge: Callable[[pl.DataFrame], Verdicts]
    gate: bool = False
    survivors_only: bool = False
    limits: dict[str, str] | None = None  # what each reason asks for, for the report


def apply_steps(
    frame: pl.DataFrame, steps: Sequence[Step]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(documents with every measure, one boolean column a reason). What was not measured is null, and drops nothing."""
    looked_at = pl.repeat(True, frame.height, eager=True)
    dropped = pl.repeat(False, frame.height, eager=True)
    fails: list[pl.Series] = []
    for step in steps:
        chosen = (looked_at & ~dropped) if step.survivors_only else looked_at
        verdicts = step.judge(frame.filter(chosen)) if chosen.any() else None
        places = chosen.arg_true()
        for name, kind in step.measures.items():
            frame = frame.with_columns(
                _scattered(
                    verdicts and verdicts.measures[name].cast(kind),
                    places,
                    height=frame.height,
                    fill=None,
                    name=name,
                    kind=kind,
                )
            )
        if verdicts is not None and verdicts.texts is not None:
            texts = _scattered(
                verdicts.texts,
                places,
                height=frame.height,
                fill=None,
                name="text",
                kind=pl.String,
            ).fill_null(frame["text"])
            frame = frame.with_columns(
                texts, n_chars=texts.str.len_chars().cast(pl.Int64)
            )
        found = [
            _scattered(
                verdicts and verdicts.fails[name],
                places,
                height=frame.height,
                fill=False,
                name=name,
                kind=pl.Boolean,
            )
            for name in step.reasons
        ]
        if not found:
            continue
        fails += found
        here = pl.DataFrame(found).select(pl.any_horizontal(pl.all())).to_series()
        dropped |= here
        if step.gate:
            looked_at &= ~here
    return frame, pl.DataFrame(fails)


def _scattered(
    values: pl.Series | None,
    places: pl.Series,
    height: int,
    fill,
    name: str,
    kind: pl.DataType,
) -> pl.Series:
    if values is not None and len(values) == height:
        return values.alias(name)
    if values is None:
        return pl.repeat(fill, height, eager=True, dtype=kind).alias(name)
    source = np.full(height, -1)
    source[places.to_numpy()] = np.arange(len(places))
    column = values.gather(pl.Series(source).replace(-1, None)).alias(name)
    return column if fill is None else column.fill_null(fill)
