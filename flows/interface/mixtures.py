"""Commands on many mixtures: the law of one, and the best of a swarm.

They parse, and call what lies in flows/commands.
"""

from pathlib import Path
from typing import Annotated

import typer

from flows.interface.options import (
    Columns,
    Figures,
    Json,
    RunsTable,
    Where,
    app,
    countable,
    here,
)


@app.command()
def mixture(
    table: RunsTable,
    method: Annotated[
        str,
        typer.Option(
            metavar="surface|trees|projektor",
            help="the laws of `assay mix`, boosted trees, or two sizes and transport distances",
        ),
    ] = "surface",
    map_: Columns = [],  # noqa: B006
    where: Where = None,
    predict: Annotated[
        Path | None,
        typer.Option(callback=here, metavar="TABLE2", help="mixtures to predict"),
    ] = None,
    as_json: Json = False,
) -> None:
    """The best mixture from runs on many: columns share_NAME and value, without a formula."""
    from flows.commands.mix import mixture_command

    mixture_command(table, map_, where, method=method, predict=predict, as_json=as_json)


@app.command()
def mix(
    ratios: Annotated[
        Path | None,
        typer.Argument(
            callback=here,
            metavar="RATIOS",
            help="CSV or parquet: a column run, then the share of each domain",
        ),
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Argument(
            callback=here,
            metavar="METRICS",
            help="CSV or parquet: a column run, then metrics; lower is better",
        ),
    ] = None,
    weights: Annotated[
        list[str], typer.Option(metavar="METRIC=W,...", help="default: equal")
    ] = [],  # noqa: B006
    prior: Annotated[
        list[str],
        typer.Option(
            metavar="DOMAIN=SHARE,...",
            help="mixture to compare with; default the mean of the runs",
        ),
    ] = [],  # noqa: B006
    floor: Annotated[
        list[str], typer.Option(metavar="DOMAIN=SHARE", help="least share; repeat")
    ] = [],  # noqa: B006
    cap: Annotated[
        list[str], typer.Option(metavar="DOMAIN=SHARE", help="largest share; repeat")
    ] = [],  # noqa: B006
    veto: Annotated[
        list[str],
        typer.Option(
            metavar="METRIC=MARGIN",
            help="the metric may be worse than the compared mixture by no more",
        ),
    ] = [],  # noqa: B006
    unique_tokens: Annotated[
        list[str],
        typer.Option(
            metavar="DOMAIN=TOKENS,...",
            help="different tokens there are; repeats then cost, with --tokens",
        ),
    ] = [],  # noqa: B006
    tokens: Annotated[
        float | None,
        typer.Option(min=1, callback=countable, help="tokens of the run to come"),
    ] = None,
    law: Annotated[
        Path | None,
        typer.Option(
            callback=here,
            metavar="FIT",
            help="fit of data_constrained for the cost of repeats; default published",
        ),
    ] = None,
    reach: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="part of the mixture that may lie outside of the runs; default measured",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of folds and draws")] = 0,
    reuse: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            callback=lambda pair: tuple(map(here, pair)) if pair else None,
            metavar="RATIOS METRICS",
            help="tables of an earlier swarm, of fewer domains or before a split",
        ),
    ] = None,
    split: Annotated[
        list[str],
        typer.Option(
            metavar="OLD/NEW=PART,...",
            help="what became of a domain of the earlier swarm",
        ),
    ] = [],  # noqa: B006
    design: Annotated[
        list[str],
        typer.Option(
            metavar="DOMAIN,...",
            help="write the mixtures to train, as RATIOS, in place of reading them",
        ),
    ] = [],  # noqa: B006
    runs: Annotated[
        int | None, typer.Option(min=1, help="of the design; default 24")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=here, metavar="CSV", help="file of the design; default printed"
        ),
    ] = None,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """The best mixture of a swarm of runs, with intervals: laws compete and are averaged."""
    from flows.commands.mix import mix_command
    from flows.commands.mix_design import Asked, design_command, swarm_files

    given = {
        "--weights": weights,
        "--prior": prior,
        "--floor": floor,
        "--cap": cap,
        "--veto": veto,
        "--unique-tokens": unique_tokens,
        "--split": split,
    }
    asked = Asked(design, runs=runs, out=out)
    if design:
        others = {
            "--tokens": tokens,
            "--law": law,
            "--reach": reach,
            "--reuse": reuse,
            "--figures": figures,
        }
        design_command(
            asked,
            (ratios, metrics),
            given,
            others=others,
            seed=seed,
            as_json=as_json,
        )
        return
    mix_command(
        *swarm_files(asked, ratios, metrics),
        given=given,
        tokens=tokens,
        law=law,
        reach=reach,
        seed=seed,
        reuse=reuse,
        figures=figures,
        as_json=as_json,
    )
