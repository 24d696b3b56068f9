"""`mlflow:NAME` as a table: the finished runs of anybody's experiment."""

import logging
from typing import Any

import polars as pl

from stages.foundation.errors import InputError
from stages.runs.mlflow_store.store import open_client, outages, pages, tracking_uri

log = logging.getLogger("assay")


def read_experiment(name: str) -> pl.DataFrame:
    """One row a finished run of an experiment: its parameters and the last value of each metric.

    Parameters are text in MLflow; a column whose every value is a number becomes one. A metric wins
    over a parameter of its name.
    """
    with outages("cannot be read", "start it, or name another MLFLOW_TRACKING_URI"):
        client = open_client()
        found = client.get_experiment_by_name(name)
        names = (
            []
            if found
            else sorted(e.name for e in client.search_experiments(max_results=20))
        )
        runs = list(pages(client, found.experiment_id)) if found else []
        others = pages(client, found.experiment_id, "!=") if found else []
        n_unfinished = sum(1 for _ in others)
    if not found:
        raise InputError(
            f"mlflow:{name}: no such experiment at {tracking_uri()}; there are:"
            f" {', '.join(names)} (MLFLOW_TRACKING_URI names the store)"
        )
    rows = [
        {"run_id": run.info.run_id, **run.data.params, **run.data.metrics}
        for run in runs
    ]
    rows = [row for row in rows if len(row) > 1]
    for n, what in (
        (n_unfinished, "are not finished"),
        (len(runs) - len(rows), "have neither parameters nor metrics"),
    ):
        if n:
            log.warning("mlflow:%s: %d runs %s and are left out", name, n, what)
    if not rows:
        raise InputError(
            f"mlflow:{name}: no finished run with parameters or metrics at"
            f" {tracking_uri()}; log runs to it or name another experiment"
        )
    columns = {
        key: [row.get(key) for row in rows]
        for key in dict.fromkeys(key for row in rows for key in row)
    }
    return pl.DataFrame([_column(key, values) for key, values in columns.items()])


def _column(name: str, values: list[Any]) -> pl.Series:
    """Numbers where every value that is there is one, else text."""
    try:
        return pl.Series(
            name,
            [None if value is None else float(value) for value in values],
            dtype=pl.Float64,
        )
    except ValueError:
        return pl.Series(
            name,
            [None if value is None else str(value) for value in values],
            dtype=pl.String,
        )
