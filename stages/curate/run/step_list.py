"""Which steps a run takes, from its settings: characters, URL lists, cleaning, rules, bad words,
language, quality, a user's own scores, further scores, decontamination, masks, in this order.

Question: what judges each document? Input: settings. Output: steps. What looks at every document
comes first, so that the report can say what it drops alone; what is costly looks at what is left.
"""

from functools import partial
from pathlib import Path

import polars as pl

from stages.curate.run.fitted import QUALITY, load_model
from stages.curate.run.score_steps import cut_fails, cut_limits, score_step
from stages.curate.work.steps import Step, Verdicts
from stages.curation.duplicates.contamination import Reference
from stages.curation.reading.readers import read_all
from stages.curation.reading.rows import Columns
from stages.curation.rules.blocklists import (
    bad_word_counts,
    read_list,
    url_lists,
    url_measures,
)
from stages.curation.rules.cleaning import c4_cleaned, refinedweb_cleaned
from stages.curation.rules.rules import RULES, judge, measure, rule_names
from stages.curation.scores.own_scores import function_scores
from stages.curation.scores.quality_card import load_quality
from stages.curation.text.language import language_measures
from stages.curation.text.pii import masked
from stages.foundation.errors import InputError
from stages.settings.curate import CurateSettings
from stages.settings.curate_searches import score_list

COPIES = ("exact", "words", "near", "overlap")  # of evaluation text
URL_REASONS = (
    "url_domains",
    "url_addresses",
    "url_words",
    "url_substrings",
    "url_soft_words",
)
CLEANERS = {
    "c4": ("lorem_ipsum", "curly_bracket", "too_few_sentences"),
    "refinedweb": ("removed_words",),
}


def build_steps(settings: CurateSettings, models: Path | None = None) -> list[Step]:
    """The steps of these settings, made once in each process; `models` is the folder of what was fitted."""
    chosen = [
        (_characters, True),
        (_urls, settings.url_lists is not None),
        (_cleaning, settings.clean is not None),
        (_rules, bool(rule_names(settings.rules))),
        (_bad_words, settings.bad_words is not None),
        (_language, bool(settings.languages)),
        (lambda _: _quality(settings, models), settings.quality is not None),
        (_own_score, settings.scorer is not None),
        *((partial(_score, name, models), True) for name in settings.scores),
        (_decontamination, settings.decontaminate is not None),
        (_masks, settings.mask_pii),
    ]
    steps = [step(settings) for step, wanted in chosen if wanted]
    names = [name for step in steps for name in step.measures]
    if taken := [name for name in settings.scores if names.count(name) > 1]:
        raise InputError(
            f"scores.{taken[0]} has the name of a measure of the rules; give it another"
            " name"
        )
    return steps


def build_limits(settings: CurateSettings) -> dict[str, str]:
    """Reason -> what it asks of a document, for the report; builds nothing costly."""
    plain = settings.model_copy(
        update={"quality": None, "decontaminate": None, "scores": {}}
    )
    limits = {
        reason: asked
        for step in build_steps(plain)
        for reason, asked in (step.limits or {}).items()
    }
    for name, asked in score_list(settings).items():
        limits |= cut_limits(name, asked)
    if settings.decontaminate is not None:
        limits |= {
            f"evaluation_{kind}": "no copy of an evaluation text" for kind in COPIES
        }
        limits["evaluation_overlap"] = (
            "overlap with evaluation texts below"
            f" {settings.decontaminate.overlap_share}"
        )
    return limits


def _score(name: str, models: Path | None, settings: CurateSettings) -> Step:
    return score_step(name, settings.scores[name], models)


def _characters(settings: CurateSettings) -> Step:
    def judged(frame: pl.DataFrame) -> Verdicts:
        nul = (
            frame["text"].str.contains("\0", literal=True)
            if settings.drop_nul
            else pl.repeat(False, frame.height, eager=True)
        )
        fails = pl.DataFrame(
            {
                "too_long": frame["n_chars"] > settings.max_doc_chars,
                "nul_character": nul,
            }
        )
        return Verdicts(pl.DataFrame(), fails)

    limits = {
        "too_long": f"at most {settings.max_doc_chars} characters",
        "nul_character": "none",
    }
    return Step(
        "characters",
        reasons=("too_long", "nul_character"),
        measures={},
        judge=judged,
        gate=True,
        limits=limits,
    )


def _rules(settings: CurateSettings) -> Step:
    thresholds, names = settings.rule_thresholds(), rule_names(settings.rules)
    columns = _measured_columns(settings)

    def judged(frame: pl.DataFrame) -> Verdicts:
        measured = measure(frame, thresholds)
        passed = judge(measured, thresholds, names)
        return Verdicts(
            measured.select(columns),
            passed.select((~pl.col(f"pass_{name}")).alias(name) for name in names),
        )

    limits = {
        name: (
            f"{RULES[name].measure} {RULES[name].keeps}"
            f" {getattr(thresholds, RULES[name].threshold)}"
        )
        for name in names
    }
    return Step(
        "rules",
        reasons=tuple(names),
        measures=dict.fromkeys(columns, pl.Float64),
        judge=judged,
        limits=limits,
    )


def _measured_columns(settings: CurateSettings) -> list[str]:
    sample = pl.DataFrame({"id": ["0"], "text": ["A line."], "n_chars": [7]})
    return [
        name
        for name in measure(sample, settings.rule_thresholds()).columns
        if name != "id"
    ]


def _quality(settings: CurateSettings, models: Path | None) -> Step:
    asked = settings.quality
    model = (
        load_model(models / QUALITY)
        if asked.model is None
        else load_quality(asked.model).model
    )

    def judged(frame: pl.DataFrame) -> Verdicts:
        score = model.score(frame.with_columns(parent="id"))["score"]
        return Verdicts(
            pl.DataFrame({"quality": score}), cut_fails("quality", score, asked)
        )

    return Step(
        "quality",
        reasons=tuple(cut_limits("quality", asked)),
        measures={"quality": pl.Float64},
        judge=judged,
        survivors_only=True,
    )


def _decontamination(settings: CurateSettings) -> Step:
    asked = settings.decontaminate
    texts = read_all(asked.files, "evaluation", columns=Columns(text=asked.text))
    reference = Reference(
        texts,
        params=settings.dedup.minhash(),
        ngram_words=asked.ngram_words,
        overlap_share=asked.overlap_share,
    )
    reasons = tuple(f"evaluation_{kind}" for kind in COPIES)

    def judged(frame: pl.DataFrame) -> Verdicts:
        found = reference.judge(frame)
        fails = [
            (found["reason"] == kind).fill_null(False).alias(name)
            for kind, name in zip(COPIES, reasons, strict=True)
        ]
        return Verdicts(found.select(evaluation_overlap="overlap"), pl.DataFrame(fails))

    return Step(
        "decontamination",
        reasons=reasons,
        measures={"evaluation_overlap": pl.Float64},
        judge=judged,
        survivors_only=True,
    )


def _limits(settings: CurateSettings, names: tuple[str, ...]) -> dict[str, str]:
    thresholds = settings.rule_thresholds()
    return {
        name: (
            f"{RULES[name].measure} {RULES[name].keeps}"
            f" {getattr(thresholds, RULES[name].threshold)}"
        )
        for name in names
    }


def _by_rules(
    settings: CurateSettings, measured: pl.DataFrame, names: tuple[str, ...]
) -> Verdicts:
    thresholds = settings.rule_thresholds()
    return Verdicts(
        measured,
        measured.select(
            (~RULES[name].passes(thresholds)).alias(name) for name in names
        ),
    )


def _urls(settings: CurateSettings) -> Step:
    lists = url_lists(**settings.url_lists.model_dump(exclude_none=True))

    def judged(frame: pl.DataFrame) -> Verdicts:
        return _by_rules(
            settings, pl.DataFrame(url_measures(frame["url"], lists)), URL_REASONS
        )

    return Step(
        "urls",
        reasons=URL_REASONS,
        measures=dict.fromkeys(URL_REASONS, pl.Float64),
        judge=judged,
        limits=_limits(settings, URL_REASONS),
    )


def _bad_words(settings: CurateSettings) -> Step:
    entries = read_list(settings.bad_words)

    def judged(frame: pl.DataFrame) -> Verdicts:
        return _by_rules(
            settings,
            pl.DataFrame({"bad_words": bad_word_counts(frame["text"], entries)}),
            ("c4_bad_words",),
        )

    return Step(
        "bad words",
        reasons=("c4_bad_words",),
        measures={"bad_words": pl.Float64},
        judge=judged,
        limits=_limits(settings, ("c4_bad_words",)),
    )


def _language(settings: CurateSettings) -> Step:
    wanted = tuple(settings.languages)

    def judged(frame: pl.DataFrame) -> Verdicts:
        found = pl.DataFrame(language_measures(frame["text"], wanted))
        verdicts = _by_rules(settings, found.select("wanted_lang_score"), ("language",))
        return Verdicts(found.select("lang_score", found_lang="lang"), verdicts.fails)

    limits = {
        "language": (
            f"{', '.join(wanted)} with at least"
            f" {settings.rule_thresholds().min_lang_score}"
        )
    }
    return Step(
        "language",
        reasons=("language",),
        measures={"found_lang": pl.String, "lang_score": pl.Float64},
        judge=judged,
        survivors_only=True,
        limits=limits,
    )


def _cleaning(settings: CurateSettings) -> Step:
    clean, kinds = (
        {"c4": c4_cleaned, "refinedweb": refinedweb_cleaned}[settings.clean],
        CLEANERS[settings.clean],
    )
    reasons = tuple(f"cleaned_{kind}" for kind in kinds)

    def judged(frame: pl.DataFrame) -> Verdicts:
        done = clean(frame.select("text", "n_chars"))
        empty = done["text"].str.strip_chars() == ""
        fails = [
            ((done["dropped"] == kind).fill_null(False)).alias(name)
            for kind, name in zip(kinds, reasons, strict=True)
        ]
        gone = pl.DataFrame([*fails, empty.alias("cleaned_empty")])
        texts = pl.select(
            pl.when(empty).then(frame["text"]).otherwise(done["text"])
        ).to_series()  # what is dropped keeps its lines
        return Verdicts(
            done.select(pl.col("lines_dropped").cast(pl.Float64)), gone, texts=texts
        )

    limits = dict.fromkeys(reasons, f"what {settings.clean} asks of a page") | {
        "cleaned_empty": "a line that is left"
    }
    return Step(
        "cleaning",
        reasons=(*reasons, "cleaned_empty"),
        measures={"lines_dropped": pl.Float64},
        judge=judged,
        gate=True,
        limits=limits,
    )


def _own_score(settings: CurateSettings) -> Step:
    asked = settings.scorer

    def judged(frame: pl.DataFrame) -> Verdicts:
        score = pl.Series(function_scores(frame["text"], asked.function))
        return Verdicts(
            pl.DataFrame({"own_score": score}), cut_fails("own_score", score, asked)
        )

    limits = cut_limits("own_score", asked)
    return Step(
        "own score",
        reasons=tuple(limits),
        measures={"own_score": pl.Float64},
        judge=judged,
        survivors_only=True,
        limits=limits,
    )


def _masks(settings: CurateSettings) -> Step:
    def judged(frame: pl.DataFrame) -> Verdicts:
        done = masked(frame.select("text"))
        counts = done.select(pl.col("masked_emails", "masked_ips").cast(pl.Float64))
        return Verdicts(counts, pl.DataFrame(), texts=done["text"])

    return Step(
        "masks",
        reasons=(),
        measures={"masked_emails": pl.Float64, "masked_ips": pl.Float64},
        judge=judged,
        survivors_only=True,
    )
