"""Commands on documents and tables of them.

They parse, and call what lies in flows/commands.
"""

from pathlib import Path
from typing import Annotated

import typer

from flows.interface.options import Json, app, here, named


@app.command()
def curate(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help=(
                "files, folders, quoted globs or URLs: parquet, jsonl, WET, text; .gz,"
                " .zst"
            ),
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            metavar="DIR",
            help=(
                "where kept/, dropped/, report.md and manifest.json go; a folder or URL"
            ),
        ),
    ],
    params: Annotated[
        Path | None,
        typer.Option(
            "--params",
            callback=here,
            metavar="FILE",
            help="YAML with a section `curate`; default: FineWeb's rules",
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="column or key that holds the text"),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", metavar="COLUMN", help="column or key with a unique name"),
    ] = None,
    lang: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="column or key that holds the language"),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="worker processes")] = 1,
    executor: Annotated[
        str, typer.Option(metavar="local|ray", help="who runs the shards")
    ] = "local",
    index: Annotated[
        Path | None,
        typer.Option(
            parser=named,
            callback=here,
            metavar="DIR",
            help="drop copies of what earlier runs with this index kept, and add to it",
        ),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            parser=named,
            callback=here,
            metavar="DIR",
            help="folder for unfinished work; default inside --out",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="stop at the first row that cannot be read; default: set it aside",
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="replace the result of another run in --out"),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="only estimate the cost, from one sampled shard"
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Only the curation steps, on your own files: rules, quality, decontamination, duplicates."""
    if params is not None:
        from stages.settings.params import load_curate

        load_curate(params)  # a fault is told before polars is imported
    from flows.commands.curate import curate_command

    columns = {
        name: value
        for name, value in (("text", text), ("id", id_), ("lang", lang))
        if value is not None
    }
    curate_command(
        inputs,
        out,
        params=params,
        columns=columns,
        workers=workers,
        executor=executor,
        index=index,
        work=work,
        strict=strict,
        overwrite=overwrite,
        dry_run=dry_run,
        as_json=as_json,
    )


@app.command()
def contained(
    folder: Annotated[
        Path,
        typer.Argument(
            callback=here, metavar="DIR", help="parquet files or folders of them"
        ),
    ],
    as_json: Json = False,
) -> None:
    """Which data sets of a folder lie in others, and which are cheaper to rebuild than to keep."""
    from flows.commands.theory import contained_command

    contained_command(folder, as_json)
