"""The columns of the runs table, each declared once: what it holds and where a run file has it.

Text and images, MLflow and the tests follow from SCHEMA; a new column is its line here and, where a run
file lacks the value, the code that puts it there. share_<group> and unique_<group> follow for every pool
and quality tier, and what experts and growth add for the runs that have them.

`python -m` of this module prints the columns as a table of markdown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from stages.foundation.errors import InputError

Modality = Literal["text", "image"]
ORDER = (
    "arm",
    "n_params",
    "pool_draw",
    "weight_decay",
    "dropout",
    "seed",
    "n_tokens_seen",
    "metric",
)


@dataclass(frozen=True)
class Constant:
    """A value that every run of a modality has."""

    value: Any


@dataclass(frozen=True, kw_only=True)
class Column:
    """`text` and `image` say where a run file of that modality has the value: `part.key`, with part one of
    run (the header), spec, result, shape, budget and metric; None where the modality has no such column.
    `decides`: it tells runs apart, and is a parameter in MLflow.
    """

    name: str
    kind: type[pl.DataType]
    unit: str
    meaning: str
    text: str | Constant | None
    image: str | Constant | None
    decides: bool = False

    def of(self, modality: Modality) -> str | Constant | None:
        return self.text if modality == "text" else self.image


SCHEMA = (
    Column(
        name="run_id",
        kind=pl.String,
        unit="",
        meaning="content hash of spec, data and trainer, with the budget",
        text="budget.run_id",
        image="budget.run_id",
    ),
    Column(
        name="trunk_id",
        kind=pl.String,
        unit="",
        meaning="runs that branch off one trunk are correlated",
        text="run.trunk_id",
        image="run.trunk_id",
    ),
    Column(
        name="arm",
        kind=pl.String,
        unit="",
        meaning="the data that it trains on",
        text="run.arm",
        image="run.arm",
        decides=True,
    ),
    Column(
        name="control",
        kind=pl.String,
        unit="",
        meaning="same, drop_half or duplicate_half; empty for an arm",
        text="run.control",
        image="run.control",
    ),
    Column(
        name="modality",
        kind=pl.String,
        unit="",
        meaning="text or image",
        text=Constant("text"),
        image=Constant("image"),
    ),
    Column(
        name="n_params",
        kind=pl.Int64,
        unit="parameters",
        meaning="without embeddings",
        text="shape.n_params",
        image="result.n_params",
        decides=True,
    ),
    Column(
        name="n_params_total",
        kind=pl.Int64,
        unit="parameters",
        meaning="with embeddings and every expert",
        text="shape.n_params_total",
        image="result.n_params",
    ),
    Column(
        name="n_tokens_seen",
        kind=pl.Int64,
        unit="tokens",
        meaning="trained on, repeats counted; of images samples",
        text="budget.n_tokens_seen",
        image="budget.n_samples_seen",
    ),
    Column(
        name="n_tokens_unique",
        kind=pl.Int64,
        unit="tokens",
        meaning="different ones among them; of images samples",
        text="budget.n_tokens_unique",
        image="budget.n_samples_unique",
    ),
    Column(
        name="epochs",
        kind=pl.Float64,
        unit="passes",
        meaning="over the different tokens of the arm",
        text="budget.epochs",
        image="budget.epochs",
    ),
    Column(
        name="flops",
        kind=pl.Float64,
        unit="FLOPs",
        meaning="6 N D",
        text="budget.flops",
        image="budget.flops",
    ),
    Column(
        name="flops_exact",
        kind=pl.Float64,
        unit="FLOPs",
        meaning="every matrix product, attention and head included",
        text="budget.flops_exact",
        image="budget.flops_exact",
    ),
    Column(
        name="seed",
        kind=pl.Int64,
        unit="",
        meaning="of the initial weights",
        text="spec.seed",
        image="spec.seed",
        decides=True,
    ),
    Column(
        name="metric",
        kind=pl.String,
        unit="",
        meaning="what `value` is: loss_<domain>, bpb_<domain>, error_<domain> or one of items",
        text="metric.name",
        image="metric.name",
    ),
    Column(
        name="value",
        kind=pl.Float64,
        unit="by metric",
        meaning="of a loss nats a token, of an image loss nats an image",
        text="metric.value",
        image="metric.value",
    ),
    Column(
        name="value_se",
        kind=pl.Float64,
        unit="as value",
        meaning="sampling error over held-out documents or images",
        text="metric.standard_error",
        image="metric.standard_error",
    ),
    Column(
        name="lr",
        kind=pl.Float64,
        unit="",
        meaning="peak learning rate",
        text="spec.lr",
        image="spec.lr",
        decides=True,
    ),
    Column(
        name="batch_tokens",
        kind=pl.Int64,
        unit="tokens",
        meaning="a step; of images samples",
        text="spec.batch_tokens",
        image="spec.batch_samples",
        decides=True,
    ),
    Column(
        name="weight_decay",
        kind=pl.Float64,
        unit="",
        meaning="of AdamW",
        text="spec.weight_decay",
        image="spec.weight_decay",
        decides=True,
    ),
    Column(
        name="dropout",
        kind=pl.Float64,
        unit="fraction",
        meaning="of activations that are dropped",
        text="spec.dropout",
        image=Constant(0.0),
        decides=True,
    ),
    Column(
        name="pool_draw",
        kind=pl.Int64,
        unit="",
        meaning="which resample of the pool",
        text="spec.pool_draw",
        image="run.pool_draw",
        decides=True,
    ),
    Column(
        name="diverged",
        kind=pl.Boolean,
        unit="",
        meaning="its loss says nothing of its data",
        text="budget.diverged",
        image="budget.diverged",
    ),
    Column(
        name="device",
        kind=pl.String,
        unit="",
        meaning="that it was trained on",
        text="result.device",
        image="result.device",
    ),
    Column(
        name="seconds",
        kind=pl.Float64,
        unit="s",
        meaning="of this run alone: its share where runs were stacked",
        text="budget.seconds",
        image="budget.seconds",
    ),
    Column(
        name="data_hash",
        kind=pl.String,
        unit="",
        meaning="of what it read and was judged on",
        text="run.data_hash",
        image="run.data_hash",
    ),
    Column(
        name="code_hash",
        kind=pl.String,
        unit="",
        meaning="of the trainer",
        text="run.code_hash",
        image="run.code_hash",
    ),
    Column(
        name="n_samples_seen",
        kind=pl.Int64,
        unit="images",
        meaning="n_tokens_seen by its own name",
        text=None,
        image="budget.n_samples_seen",
    ),
    Column(
        name="n_samples_unique",
        kind=pl.Int64,
        unit="images",
        meaning="n_tokens_unique by its own name",
        text=None,
        image="budget.n_samples_unique",
    ),
    Column(
        name="batch_samples",
        kind=pl.Int64,
        unit="images",
        meaning="batch_tokens by its own name",
        text=None,
        image="spec.batch_samples",
    ),
)
DECISION_VARIABLES = tuple(column.name for column in SCHEMA if column.decides)


def columns_of(modality: Modality) -> dict[str, type[pl.DataType]]:
    """Name -> type of every column that a runs table of this modality has."""
    return {
        column.name: column.kind for column in SCHEMA if column.of(modality) is not None
    }


COLUMNS = columns_of("text")


def keys_of(modality: Modality, part: str) -> list[str]:
    """The keys that a part of a run file must hold, in the order of the columns."""
    paths = [column.of(modality) for column in SCHEMA]
    keys = [
        path.removeprefix(f"{part}.")
        for path in paths
        if isinstance(path, str) and path.startswith(f"{part}.")
    ]
    return list(dict.fromkeys(keys))


def row_of(modality: Modality, parts: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the runs table; `parts` are mappings or objects, by the names that paths begin with.

    Raises InputError naming the column and the place where a part lacks its value.
    """
    return {
        column.name: _value(column, path, parts)
        for column in SCHEMA
        if (path := column.of(modality)) is not None
    }


def _value(column: Column, path: str | Constant, parts: Mapping[str, Any]) -> Any:
    if isinstance(path, Constant):
        return path.value
    name, _, key = path.partition(".")
    part = parts[name]
    try:
        return part[key] if isinstance(part, Mapping) else getattr(part, key)
    except (KeyError, AttributeError):
        run = parts["run"]["trunk_id"]
        raise InputError(
            f"run {run}: no {path}, which the column {column.name} of the runs table"
            " holds; remove its file from data/sweep/runs and sweep again"
        ) from None


def table_of(modality: Modality, rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """The runs table of these rows: columns of the schema first, others by name; in ORDER."""
    kinds = columns_of(modality)
    table = pl.from_dicts(list(rows), infer_schema_length=None).with_columns(
        pl.col(name).cast(kind) for name, kind in kinds.items()
    )
    others = sorted(set(table.columns) - set(kinds))
    return table.select(*kinds, *others).sort(ORDER)


def markdown() -> str:
    """The columns for people: name, type, unit, meaning, and the modalities that have it."""
    lines = ["| column | type | unit | meaning | of |", "|---|---|---|---|---|"]
    for column in SCHEMA:
        has = [name for name in ("text", "image") if column.of(name) is not None]
        cells = (column.name, column.kind.__name__, column.unit, column.meaning)
        lines.append(f"| {' | '.join(cells)} | {', '.join(has)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())
