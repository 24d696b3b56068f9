"""`assay fit`: read, call, print."""

import json
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from flows.commands.show import paragraph, show
from flows.commands.tables import load_table
from stages.foundation.errors import InputError
from stages.laws import LAWS
from stages.laws.interface.fitted import parameter_rows
from stages.run_columns.named_law import example_law
from stages.run_tables.fit_file import FitFile
from stages.run_tables.fit_table import fit_table
from stages.runs.schema import COLUMNS
from stages.runs.table import filter_rows, read_table


def parse_map(pairs: list[str], also: tuple[str, ...] = ()) -> dict[str, str]:
    """law_var=column pairs as a dict; a name that no law reads is refused, with the nearest one that a law does.

    also: further names that the command reads.
    """
    known = {
        *also,
        "distance",
        *COLUMNS,
        *(name for law in LAWS.values() for name in law.variable_names),
    }
    mapping: dict[str, str] = {}
    for pair in pairs:
        variable, equals, column = pair.partition("=")
        if not (variable and equals and column):
            raise InputError(
                f"--map {pair}: write LAW_VAR=COLUMN, for example n_params=params_N"
            )
        if variable in mapping:
            raise InputError(
                f"--map {variable} is given twice, as {mapping[variable]!r} and"
                f" {column!r}; keep one"
            )
        if variable not in known and not variable.startswith(("share_", "unique_")):
            near = get_close_matches(
                variable, [*known, *([column] if column in known else [])], 1, 0.5
            )
            raise InputError(
                f"--map {pair}: no law reads {variable!r}"
                + (
                    f"; did you mean {near[0]}={column}?"
                    if near and near[0] != column
                    else ""
                )
                + (
                    f" (LAW_VAR comes first: {column}={variable})"
                    if column in known
                    else ""
                )
            )
        mapping[variable] = column
    for one, other in (
        ("n_params", "n_tokens_seen"),
        *((name, "value") for name in mapping if name != "value"),
    ):
        if mapping.get(one, one) == mapping.get(other):
            raise InputError(
                f"--map {one} and {other} are both {mapping[other]!r}; map each to a"
                " column of its own"
            )
    return mapping


def fit_command(
    law_name: str,
    table: str,
    pairs: list[str],
    where: str | None,
    holdout: str | None,
    predict: Path | None,
    n_draws: int,
    cluster: str | None,
    arm: str | None,
    out: Path | None,
    figures: Path | None,
    as_json: bool,
) -> None:
    """Fit, print parameters with intervals, the held-out check, the predictions and the warnings."""
    mapping = parse_map(pairs)
    if out is not None and out.exists():
        for read in (Path(table), predict):
            if read is not None and read.exists() and out.samefile(read):
                raise InputError(
                    f"--out {out}: is the table that is read; name another"
                )
    if law_name != "auto":
        example_law(law_name)  # an unknown law is refused before the table is read
    rows, held = load_table(table, mapping, where), None
    if holdout is not None:
        held = filter_rows(rows, holdout, str(table))
        rows = filter_rows(rows, f"NOT ({holdout})", str(table))
        if held.is_empty() or rows.is_empty():
            raise InputError(
                f"{table}: --holdout {holdout!r} leaves {len(rows)} rows to fit and"
                f" {len(held)} to predict; change it"
            )
    wanted = (
        read_table(predict, {v: c for v, c in mapping.items() if v != "value"})
        if predict
        else None
    )
    result = fit_table(
        law_name,
        rows,
        str(table),
        holdout=held,
        predict=wanted,
        predict_name=str(predict) if predict else None,
        n_draws=n_draws,
        cluster=cluster,
        arm=arm,
        figures=figures,
        value_label=mapping.get("value", "value"),
    )
    if out is not None:
        result.write(out)
    if as_json:
        shown = result.as_json()
        shown.pop("state", None)
        print(json.dumps(shown, indent=2))
    else:
        print_fit(result, wanted)


def print_fit(result: FitFile, wanted: pl.DataFrame | None) -> None:
    """The fit file for a person."""
    print(paragraph(f"{result.law}: {result.formula}"))
    if result.choice:
        print(paragraph(f"chosen: {result.choice.reason}"))
    starts = result.starts
    said = (
        f"{result.n_points} runs in {result.n_clusters or result.n_points}"
        f" clusters, rms of log residuals {result.rms_log:.4f};"
        f" {starts.same_basin} of {starts.run} starts agree, {starts.failed}"
        f" failed; {result.seconds:.1f} s"
    )
    print(paragraph(said) + "\n")
    show(
        parameter_rows(result.params),
        False,
        title=f"Parameters, {100 * result.level:.0f} % intervals",
    )
    if result.holdout:
        print()
        show([result.holdout.model_dump()], False, title="Runs that were not fitted")
    if result.predictions:
        own = list(wanted.columns if wanted is not None else [])[:3]
        keys = [*own, "value", "low", "high", "extrapolation_decades"]
        keys += [key for key in ("mixture_beyond",) if key in result.predictions[0]]
        print()
        show(
            [{key: row[key] for key in keys} for row in result.predictions],
            False,
            title="Predictions",
        )
    show_warnings([warning.model_dump() for warning in result.warnings])
    show_figures(result.figures)


def show_warnings(warnings: list[dict[str, str]]) -> None:
    """One line a coded warning."""
    for warning in warnings:
        print(
            "\n"
            + paragraph(
                f"{warning['severity']} {warning['code']}: {warning['message']}"
            )
        )


def show_figures(paths: list[str]) -> None:
    """One line a figure that was written."""
    for i, path in enumerate(paths):
        print(("\n" if i == 0 else "") + f"figure {path}")
