"""The tables that dvc.yaml's plots read, and what they are made of: curves and held-out checks of the decisions."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from stages.decision.record import DecisionRecord, HeldoutRow
from stages.foundation import artefacts
from stages.foundation.files import whole_file

CURVE = ("kind", "arm", "flops", "value", "low", "high")


def read_curves(decision: DecisionRecord) -> pl.DataFrame:
    """kind, arm, flops, value, low, high of a question."""
    return pl.read_parquet(artefacts.curves(decision.question.name))


def heldout_table(decision: DecisionRecord) -> pl.DataFrame:
    """The held-out check, one row a cell."""
    return pl.DataFrame([row.model_dump() for row in decision.heldout_check.rows])


def write_plot_tables(
    decisions: list[DecisionRecord], ledger: list[dict[str, Any]]
) -> None:
    """The tables that dvc.yaml's plots read, one row a point."""
    curves = _of_questions(decisions, read_curves, columns=CURVE)
    checked = _of_questions(
        decisions, heldout_table, columns=tuple(HeldoutRow.model_fields)
    )
    tables = {
        "loss_by_flops": curves.filter(kind="loss").select(
            "question", "arm", "flops", loss_nats="value", low="low", high="high"
        ),
        "advantage": curves.filter(kind="difference").select(
            "question",
            "arm",
            "flops",
            loss_difference_nats="value",
            low="low",
            high="high",
        ),
        "heldout_check": checked,
        "retention": pl.DataFrame(ledger).select("step", tokens="tokens kept"),
    }
    for name, table in tables.items():
        with whole_file(artefacts.plot_table(name)) as temporary:
            table.write_csv(temporary, float_precision=6)


def _of_questions(
    decisions: list[DecisionRecord],
    table_of: Callable[[DecisionRecord], pl.DataFrame],
    columns: Sequence[str],
) -> pl.DataFrame:
    """The tables of all questions with a column `question`; of none a table without rows."""
    tables = [
        table_of(decision).with_columns(question=pl.lit(decision.question.name))
        for decision in decisions
    ]
    empty = pl.DataFrame(schema=dict.fromkeys([*columns, "question"], pl.String))
    return pl.concat(tables) if tables else empty
