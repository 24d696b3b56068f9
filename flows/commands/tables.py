"""The TABLE argument of the command line: a CSV or parquet file, or `mlflow:EXPERIMENT`."""

from pathlib import Path

import polars as pl

from stages.runs.table import mapped, read_table

MLFLOW = "mlflow:"


def load_table(
    source: str | Path, mapping: dict[str, str] | None = None, where: str | None = None
) -> pl.DataFrame:
    """The runs table behind the argument, mapped and filtered as read_table does."""
    source = str(source).removeprefix("file://")
    if not source.startswith(MLFLOW):
        return read_table(source, mapping, where)
    from stages.runs.mlflow_store.experiment_table import read_experiment

    return mapped(
        read_experiment(str(source).removeprefix(MLFLOW)),
        str(source),
        mapping=mapping,
        where=where,
    )
