"""What the document rules say of pool documents, batch by batch, and the count of what each would
drop.

Question: which rules does each document break? Input: document tables and the rules of the `score`
section. Output: their measured values and verdicts, one row a document, and a report of the drops
of all batches together. Cost: that of the rules.
"""

from collections import Counter

import polars as pl

from stages.curation.duplicates.contamination import Reference
from stages.curation.reading.readers import Columns, read_all
from stages.curation.rules.by_language import RULES_LANG, note
from stages.curation.rules.rule_list import DECONTAMINATION
from stages.curation.rules.rule_report import rule_report
from stages.curation.rules.rules import rule_table
from stages.foundation import artefacts
from stages.foundation.errors import InputError
from stages.settings.rules import RuleSettings

COUNTS = (
    "documents_alone",
    "characters_alone",
    "documents_in_order",
    "characters_in_order",
)


class RuleColumns:
    """The rules, with what they read from files, and what they have found so far."""

    def __init__(self, settings: RuleSettings) -> None:
        self.names, self.thresholds, self.asked = (
            settings.rule_names(),
            settings.all_thresholds(),
            settings.decontaminate,
        )
        self.reports: list[pl.DataFrame] = []
        self.languages: Counter[str] = Counter()  # that documents were judged by
        self.reference = None
        if self.asked is not None:
            texts = read_all(
                self.asked.files, "evaluation", columns=Columns(text=self.asked.text)
            )
            self.reference = Reference(
                texts,
                ngram_words=self.asked.ngram_words,
                overlap_share=self.asked.overlap_share,
            )

    def of(self, frame: pl.DataFrame, *, count: bool = True) -> pl.DataFrame:
        """Measures, one `pass_<rule>` a rule, `first_failed`, `rules_pass`: one row a document in
        input order, with its `id`.
        """
        table = rule_table(frame, self.thresholds, self.names)
        report = [rule_report(table, frame, self.thresholds)] if self.names else []
        if self.reference is not None:
            table = _decontaminated(table, self.reference.judge(frame))
            report.append(_row(frame, table, self.reference.overlap_share))
        if count:
            self.reports += report
            self.languages.update(table[RULES_LANG].to_list())
        return table

    def note(self) -> str | None:
        """What to tell a person of documents that only the language-free rules judged."""
        return note(self.languages, "pools") if self.names else None

    def report(self) -> pl.DataFrame:
        """One row a rule, in order, over everything seen."""
        if not self.reports:
            return pl.DataFrame()
        every = pl.concat(self.reports, how="diagonal_relaxed")
        known = [name for name in every.columns if name not in COUNTS]
        return every.group_by(known, maintain_order=True).agg(pl.col(COUNTS).sum())


def address_column(frame: pl.DataFrame, settings: RuleSettings) -> None:
    """Refuse URL lists where the pool was ingested without addresses."""
    if settings.url_lists is not None and "url" not in frame.columns:
        raise InputError(
            f"{artefacts.INGEST} has no column url, which score.url_lists needs; map"
            " ingest.pools.NAME.url and run the ingest stage again"
        )


def _decontaminated(table: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The table of rules with what the evaluation files say of the same documents as its last rule."""
    table = table.with_columns(
        found["overlap"].alias("evaluation_overlap"),
        found["reason"].is_null().alias(f"pass_{DECONTAMINATION}"),
    )
    failed = pl.when(~pl.col(f"pass_{DECONTAMINATION}")).then(pl.lit(DECONTAMINATION))
    table = table.with_columns(first_failed=pl.coalesce("first_failed", failed))
    return table.with_columns(rules_pass=pl.col("first_failed").is_null())


def _row(
    frame: pl.DataFrame, table: pl.DataFrame, overlap_share: float | None
) -> pl.DataFrame:
    """What the evaluation files would drop alone and as the first reason, as `rule_report` has it of a rule."""
    alone, first = (
        ~table[f"pass_{DECONTAMINATION}"],
        (table["first_failed"] == DECONTAMINATION).fill_null(False),
    )
    row = {
        "rule": DECONTAMINATION,
        "source": "Brown et al. 2020, appendix C",
        "measure": "evaluation_overlap",
        "keeps": "below",
        "threshold": overlap_share,
    }
    counts = [
        value
        for mask in (alone, first)
        for value in (int(mask.sum()), int(frame["n_chars"].filter(mask).sum()))
    ]
    return pl.DataFrame([row | dict(zip(COUNTS, counts, strict=True))])
