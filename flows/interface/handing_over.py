"""Commands that take documents out, or hand the decided ones over.

They parse, and call what lies in flows/commands.
"""

from pathlib import Path
from typing import Annotated

import typer

from flows.interface.options import Json, ParamsFile, app, check_params, countable, here


@app.command()
def remove(
    entries: Annotated[
        Path,
        typer.Argument(
            callback=here,
            metavar="IDS_OR_URLS",
            help="a text file: ids, addresses or sources, one a line",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only name who held the documents")
    ] = False,
    params: ParamsFile = Path("params.yaml"),
    as_json: Json = False,
) -> None:
    """Leave documents out from now on, and name the arms, runs and decisions that held each."""
    check_params(params)
    from flows.commands.handing_over.lineage import remove_command

    remove_command(params, entries, dry_run=dry_run, as_json=as_json)


@app.command()
def export(
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="name of a decided question")
    ],
    out: Annotated[
        Path,
        typer.Option(
            callback=here, metavar="DIR", help="where shards and manifest.json go"
        ),
    ],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="text|megatron|olmo|nanochat|hf",
            help="text: JSON lines; the others as these trainers read them",
        ),
    ],
    arm: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="default: the arm that was decided; of a search proposal, reference or best_run",
        ),
    ] = None,
    phase: Annotated[
        str | None,
        typer.Option(
            metavar="stable|decay|N",
            help="of a search with a mixture for each phase, or of a curriculum's stages",
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            metavar="FLOPS",
            min=1,
            callback=countable,
            help="which of the decision's budgets names the arm",
        ),
    ] = None,
    tokens: Annotated[
        float | None,
        typer.Option(
            min=1,
            callback=countable,
            help=(
                "write repeats so that there are so many; default each document once, of a"
                " search as often as it says"
            ),
        ),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            callback=here,
            metavar="FILE",
            help="tokenizer.json; default the pipeline's own",
        ),
    ] = None,
    eos: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="what ends a document; default: looked for"),
    ] = None,
    shard_mb: Annotated[
        float, typer.Option(min=1, max=2000, help="content of a shard, MB")
    ] = 128.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace another export in --out")
    ] = False,
    params: ParamsFile = Path("params.yaml"),
    as_json: Json = False,
) -> None:
    """The winning arm over the whole pools, in shards that your trainer reads."""
    check_params(params)
    from flows.commands.handing_over.export import export_command
    from stages.handing_over.handover import Request

    export_command(
        params,
        Request(
            question=question,
            out=out,
            format=format_,  # type: ignore[arg-type]
            arm=arm,
            phase=phase,
            budget=budget,
            tokens=tokens,
            tokenizer=tokenizer,
            eos=eos,
            shard_mb=shard_mb,
            overwrite=overwrite,
        ),
        as_json,
    )
