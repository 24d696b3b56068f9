"""What each rule alone, and what the rules in order, would drop; with documents to look at.

Input: the table of `rules.rule_table` and the documents. Output: one row a rule.
"""

import polars as pl

from stages.curation.rules.rule_list import RULES, Rule, Thresholds


def rule_report(
    table: pl.DataFrame, documents: pl.DataFrame, thresholds: Thresholds = Thresholds()
) -> pl.DataFrame:
    """One row a rule of the table, in order: rule, source, measure, keeps, threshold; the documents and characters that
    it drops alone (`documents_alone`, `characters_alone`) and that no rule before it drops (`.._in_order`).
    """
    judged = table.select("id", "first_failed", "^pass_.*$").join(
        documents.select("id", "n_chars"), on="id"
    )
    names = [
        column.removeprefix("pass_")
        for column in judged.columns
        if column.startswith("pass_")
    ]
    return pl.DataFrame(
        [_report_row(RULES[name], judged, thresholds) for name in names],
        infer_schema_length=None,
    )


def _report_row(rule: Rule, judged: pl.DataFrame, thresholds: Thresholds) -> dict:
    alone, first = (
        judged.filter(~pl.col(f"pass_{rule.name}")),
        judged.filter(first_failed=rule.name),
    )
    limit = getattr(thresholds, rule.threshold)
    return {
        "rule": rule.name,
        "source": rule.source,
        "measure": rule.measure,
        "keeps": rule.keeps,
        "threshold": None if limit is None else float(limit),
        "documents_alone": alone.height,
        "characters_alone": int(alone["n_chars"].sum()),
        "documents_in_order": first.height,
        "characters_in_order": int(first["n_chars"].sum()),
    }


def rule_examples(
    table: pl.DataFrame,
    documents: pl.DataFrame,
    thresholds: Thresholds = Thresholds(),
    *,
    per_rule: int = 3,
    chars: int = 160,
) -> pl.DataFrame:
    """Documents that a rule drops, `per_rule` a rule: those that no earlier rule drops first, then
    by id.

    Columns `rule`, `id`, `value` (what was measured), `threshold`, `in_order` (no earlier rule
    drops it), `starts` (the first `chars` characters, newlines as ⏎).
    """
    texts = documents.select(
        "id",
        starts=pl.col("text")
        .str.slice(0, chars)
        .str.replace_all("\n", "⏎", literal=True),
    )
    names = [
        column.removeprefix("pass_")
        for column in table.columns
        if column.startswith("pass_")
    ]
    parts = [
        _examples(RULES[name], table, thresholds=thresholds, per_rule=per_rule)
        for name in names
    ]
    return pl.concat(parts).join(texts, on="id", how="left", maintain_order="left")


def _examples(
    rule: Rule, table: pl.DataFrame, thresholds: Thresholds, per_rule: int
) -> pl.DataFrame:
    limit = pl.lit(getattr(thresholds, rule.threshold), dtype=pl.Float64)
    return (
        table.filter(~pl.col(f"pass_{rule.name}"))
        .select(
            pl.lit(rule.name).alias("rule"),
            "id",
            value=rule.measure,
            threshold=limit,
            in_order=pl.col("first_failed") == rule.name,
        )
        .sort("in_order", "id", descending=[True, False])
        .head(per_rule)
    )
