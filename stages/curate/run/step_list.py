"""Which steps a run takes, from its settings: characters, URL lists, cleaning, rules, bad words,
language, quality, a user's own scores, further scores, decontamination, masks, in this order.

Question: what judges each document? Input: settings. Output: steps. What looks at every document
comes first, so that the report can say what it drops alone; what is costly looks at what is left.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import polars as pl

from stages.curate.run.fitted import QUALITY, load_model
from stages.curate.run.score_steps import cut_fails, cut_limits, score_step
from stages.curate.work.steps import Step, Verdicts
from stages.curation.duplicates.contamination import Reference
from stages.curation.reading.readers import read_all
from stages.curation.reading.rows import Columns
from stages.curation.rules.blocklists import bad_word_counts, url_measures
from stages.curation.rules.by_language import RULES_LANG, passes_as_it_is
from stages.curation.rules.cleaning import c4_cleaned, refinedweb_cleaned
from stages.curation.rules.list_files import read_list, url_lists
from stages.curation.rules.rules import RULES, judge, measure, rule_names
from stages.curation.scores.own_scores import function_scores
from stages.curation.scores.quality_card import load_quality
from stages.curation.text.language import language_measures
from stages.curation.text.pii import masked
from stages.foundation.errors import InputError
from stages.settings.curate import (
    CurateSettings,
    DecontaminateSettings,
    QualitySettings,
    ScorerSettings,
    UrlListSettings,
)
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
    steps = list(_asked_steps(settings, models))
    names = [name for step in steps for name in step.measures]
    if taken := [name for name in settings.scores if names.count(name) > 1]:
        raise InputError(
            f"scores.{taken[0]} has the name of a measure of the rules; give it another"
            " name"
        )
    return steps


def _asked_steps(settings: CurateSettings, models: Path | None) -> Iterator[Step]:
    yield _characters(settings)
    if settings.url_lists is not None:
        yield _urls(settings, settings.url_lists)
    if settings.clean is not None:
        yield _cleaning(settings.clean)
    if rule_names(settings.rules):
        yield _rules(settings)
    if settings.bad_words is not None:
        yield _bad_words(settings, settings.bad_words)
    if settings.languages:
        yield _language(settings)
    if settings.quality is not None:
        yield _quality(settings.quality, models)
    if settings.scorer is not None:
        yield _own_score(settings.scorer)
    for name, asked in settings.scores.items():
        yield score_step(name, asked, models)
    if settings.decontaminate is not None:
        yield _decontamination(settings, settings.decontaminate)
    if settings.mask_pii:
        yield _masks()


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
        measures={
            name: pl.String if name == RULES_LANG else pl.Float64 for name in columns
        },
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


def _quality(asked: QualitySettings, models: Path | None) -> Step:
    if asked.model is not None:
        model = load_quality(asked.model).model
    else:
        assert models is not None  # a run fits the classifier before it judges
        model = load_model(models / QUALITY)

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


def _decontamination(settings: CurateSettings, asked: DecontaminateSettings) -> Step:
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
            (~passes_as_it_is(RULES[name], thresholds)).alias(name) for name in names
        ),
    )


def _urls(settings: CurateSettings, asked: UrlListSettings) -> Step:
    lists = url_lists(**asked.model_dump(exclude_none=True))

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


def _bad_words(settings: CurateSettings, file: str) -> Step:
    entries = read_list(file)

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


def _cleaning(name: Literal["c4", "refinedweb"]) -> Step:
    clean: Callable[[pl.DataFrame], pl.DataFrame] = (
        c4_cleaned if name == "c4" else refinedweb_cleaned
    )
    kinds = CLEANERS[name]
    reasons = tuple(f"cleaned_{kind}" for kind in kinds)

    def judged(frame: pl.DataFrame) -> Verdicts:
        done = clean(frame.select("text", "n_chars"))
        empty = done["text"].str.strip_chars() == ""
        fails = [
            ((done["dropped"] == kind).fill_null(False)).alias(reason)
            for kind, reason in zip(kinds, reasons, strict=True)
        ]
        gone = pl.DataFrame([*fails, empty.alias("cleaned_empty")])
        texts = pl.select(
            pl.when(empty).then(frame["text"]).otherwise(done["text"])
        ).to_series()  # what is dropped keeps its lines
        return Verdicts(
            done.select(pl.col("lines_dropped").cast(pl.Float64)), gone, texts=texts
        )

    limits = dict.fromkeys(reasons, f"what {name} asks of a page") | {
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


def _own_score(asked: ScorerSettings) -> Step:
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


def _masks() -> Step:
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
