"""The steps that judge each document by itself, in the order in which they count.

This is where a new rule plugs in: a `Step` with a name, its reasons in order, and a function from documents to measured
columns and one boolean a reason; add it to `build_steps`. Duplicates come after all steps, over what they left.
A gate keeps its drops from the steps after it; a step for survivors only does not look at what was dropped already, so
that costly measures are taken where they matter; the other steps see every document, so that the report can say what a
rule drops alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.contamination import Reference
from stages.curation.readers import read_all
from stages.curation.rows import Columns
from stages.curation.rules import RULES, judge, measure, rule_names
from stages.curation.stream.quality_file import load_model
from stages.curation.stream.settings import CurateSettings

COPIES = ("exact", "words", "near", "overlap")  # of evaluation text


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


def build_steps(settings: CurateSettings, quality_file: Path | None = None) -> list[Step]:
    """The steps of these settings, made once in each process."""
    steps = [_characters(settings)]
    if rule_names(settings.rules):
        steps.append(_rules(settings))
    if quality_file is not None:
        steps.append(_quality(settings, quality_file))
    if settings.decontaminate is not None:
        steps.append(_decontamination(settings))
    return steps


def build_limits(settings: CurateSettings) -> dict[str, str]:
    """Reason -> what it asks of a document, for the report; builds nothing costly."""
    plain = settings.model_copy(update={"quality": None, "decontaminate": None})
    limits = {reason: asked for step in build_steps(plain) for reason, asked in (step.limits or {}).items()}
    if settings.quality is not None:
        limits["low_quality"] = f"quality at least {settings.quality.keep_above}"
    if settings.decontaminate is not None:
        limits |= {f"evaluation_{kind}": "no copy of an evaluation text" for kind in COPIES}
        limits["evaluation_overlap"] = f"overlap with evaluation texts below {settings.decontaminate.overlap_share}"
    return limits


def _characters(settings: CurateSettings) -> Step:
    def judged(frame: pl.DataFrame) -> Verdicts:
        nul = frame["text"].str.contains("\0", literal=True) if settings.drop_nul else pl.repeat(False, frame.height, eager=True)
        fails = pl.DataFrame({"too_long": frame["n_chars"] > settings.max_doc_chars, "nul_character": nul})
        return Verdicts(pl.DataFrame(), fails)

    limits = {"too_long": f"at most {settings.max_doc_chars} characters", "nul_character": "none"}
    return Step("characters", ("too_long", "nul_character"), {}, judged, gate=True, limits=limits)


def _rules(settings: CurateSettings) -> Step:
    thresholds, names = settings.rule_thresholds(), rule_names(settings.rules)
    columns = _measured_columns(settings)

    def judged(frame: pl.DataFrame) -> Verdicts:
        measured = measure(frame, thresholds)
        passed = judge(measured, thresholds, names)
        return Verdicts(measured.select(columns), passed.select((~pl.col(f"pass_{name}")).alias(name) for name in names))

    limits = {name: f"{RULES[name].measure} {RULES[name].keeps} {getattr(thresholds, RULES[name].threshold)}" for name in names}
    return Step("rules", tuple(names), dict.fromkeys(columns, pl.Float64), judged, limits=limits)


def _measured_columns(settings: CurateSettings) -> list[str]:
    sample = pl.DataFrame({"id": ["0"], "text": ["A line."], "n_chars": [7]})
    return [name for name in measure(sample, settings.rule_thresholds()).columns if name != "id"]


def _quality(settings: CurateSettings, file: Path) -> Step:
    model, limit = load_model(file), settings.quality.keep_above

    def judged(frame: pl.DataFrame) -> Verdicts:
        score = model.score(frame.with_columns(parent="id"))["score"]
        low = score < limit if limit is not None else pl.repeat(False, frame.height, eager=True)
        return Verdicts(pl.DataFrame({"quality": score}), pl.DataFrame({"low_quality": low}))

    return Step("quality", ("low_quality",), {"quality": pl.Float64}, judged, survivors_only=True)


def _decontamination(settings: CurateSettings) -> Step:
    asked = settings.decontaminate
    texts = read_all(asked.files, "evaluation", columns=Columns(text=asked.text))
    reference = Reference(texts, params=settings.dedup.minhash(), ngram_words=asked.ngram_words, overlap_share=asked.overlap_share)
    reasons = tuple(f"evaluation_{kind}" for kind in COPIES)

    def judged(frame: pl.DataFrame) -> Verdicts:
        found = reference.judge(frame)
        fails = [(found["reason"] == kind).fill_null(False).alias(name) for kind, name in zip(COPIES, reasons, strict=True)]
        return Verdicts(found.select(evaluation_overlap="overlap"), pl.DataFrame(fails))

    return Step("decontamination", reasons, {"evaluation_overlap": pl.Float64}, judged, survivors_only=True)


def apply_steps(frame: pl.DataFrame, steps: Sequence[Step]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(documents with every measure, one boolean column a reason). What was not measured is null, and drops nothing."""
    looked_at = pl.repeat(True, frame.height, eager=True)
    dropped = pl.repeat(False, frame.height, eager=True)
    fails: list[pl.Series] = []
    for step in steps:
        chosen = (looked_at & ~dropped) if step.survivors_only else looked_at
        verdicts = step.judge(frame.filter(chosen)) if chosen.any() else None
        places = chosen.arg_true()
        for name, kind in step.measures.items():
            frame = frame.with_columns(_scattered(verdicts and verdicts.measures[name].cast(kind), places, frame.height, None, name, kind))
        if verdicts is not None and verdicts.texts is not None:
            texts = _scattered(verdicts.texts, places, frame.height, None, "text", pl.String).fill_null(frame["text"])
            frame = frame.with_columns(texts, n_chars=texts.str.len_chars().cast(pl.Int64))
        found = [_scattered(verdicts and verdicts.fails[name], places, frame.height, False, name, pl.Boolean) for name in step.reasons]
        fails += found
        here = pl.DataFrame(found).select(pl.any_horizontal(pl.all())).to_series()
        dropped |= here
        if step.gate:
            looked_at &= ~here
    return frame, pl.DataFrame(fails)


def _scattered(values: pl.Series | None, places: pl.Series, height: int, fill, name: str, kind: pl.DataType) -> pl.Series:
    if values is not None and len(values) == height:
        return values.alias(name)
    if values is None:
        return pl.repeat(fill, height, eager=True, dtype=kind).alias(name)
    source = np.full(height, -1)
    source[places.to_numpy()] = np.arange(len(places))
    column = values.gather(pl.Series(source).replace(-1, None)).alias(name)
    return column if fill is None else column.fill_null(fill)
