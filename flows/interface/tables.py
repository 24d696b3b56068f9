"""Commands on a table of runs: laws, fits, comparisons, plans.

They parse, and call what lies in flows/commands.
"""

from pathlib import Path
from typing import Annotated

import typer

from flows.interface.options import (
    Columns,
    Figures,
    FlopsPerS,
    Hours,
    Json,
    ParamsFile,
    RunsTable,
    TargetParams,
    TargetTokens,
    Where,
    app,
    as_flops,
    budget_to,
    countable,
    here,
)
from stages.foundation.errors import require_extras


@app.command()
def laws(
    name: Annotated[str | None, typer.Argument()] = None,
    docs: Annotated[
        Path | None,
        typer.Option(
            callback=here,
            metavar="DIR",
            help="write all as Markdown pages with a figure each",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """The laws: formula, variables with units, parameters, source."""
    if docs is not None:
        from flows.documents.law_pages import write_law_pages

        print("\n".join(map(str, write_law_pages(docs))))
        return
    from flows.commands.laws import describe_laws

    describe_laws(name, as_json)


@app.command()
def fit(
    law: Annotated[
        str,
        typer.Argument(
            metavar="LAW|auto",
            help="auto: chosen by what it predicts above the compute it saw",
        ),
    ],
    table: RunsTable,
    map_: Columns = [],  # noqa: B006
    where: Where = None,
    holdout: Annotated[
        str | None, typer.Option(metavar="SQL", help="rows to predict and not to fit")
    ] = None,
    predict: Annotated[
        Path | None,
        typer.Option(callback=here, metavar="TABLE2", help="rows to predict"),
    ] = None,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="refits for the intervals; 0 for none")
    ] = 500,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="rows of one cluster are resampled together"
        ),
    ] = None,
    arm: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="column that names the data set of a run; fitted jointly",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(callback=here, metavar="FILE", help="write the fit as JSON"),
    ] = None,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Fit a law to a table of runs, with intervals, a held-out check and predictions."""
    from flows.commands.fit import fit_command

    fit_command(
        law,
        table,
        pairs=map_,
        where=where,
        holdout=holdout,
        predict=predict,
        n_draws=bootstrap,
        cluster=cluster,
        arm=arm,
        out=out,
        figures=figures,
        as_json=as_json,
    )


@app.command()
def compare(
    table: RunsTable,
    arm: Annotated[
        str,
        typer.Option(metavar="COLUMN", help="column that names the data set of a run"),
    ],
    at: Annotated[
        list[str],
        typer.Option(
            metavar="BUDGET",
            callback=as_flops,
            help="FLOPs, or tokens of a table without them, or accelerator-hours as 40h"
            " (with --flops-per-s); repeat for several",
        ),
    ],
    flops_per_s: FlopsPerS = None,
    law: Annotated[
        str,
        typer.Option(
            metavar="LAW|auto",
            help="auto: chosen by what it predicts above the compute it saw",
        ),
    ] = "auto",
    map_: Columns = [],  # noqa: B006
    where: Where = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="rows of one cluster are resampled together, paired over arms",
        ),
    ] = None,
    n_params: Annotated[
        float | None,
        typer.Option(
            min=1,
            callback=countable,
            help="model size; default the best of each arm within the measured sizes",
        ),
    ] = None,
    share: Annotated[
        str,
        typer.Option(
            metavar="auto|all|none|NAMES",
            help="parameters that the arms share, e.g. alpha,beta",
        ),
    ] = "auto",
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="ARM",
            help="arm that keeps everything, against whose compute the best is worth so much",
        ),
    ] = None,
    bootstrap: Annotated[
        int, typer.Option(min=50, help="refits for the intervals")
    ] = 500,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Which data set wins at a budget, P(best), and where the answer flips."""
    from flows.commands.compare import compare_command

    compare_command(
        table,
        arm,
        at=[float(each) for each in at],
        in_hours=flops_per_s is not None,
        law=law,
        pairs=map_,
        where=where,
        cluster=cluster,
        n_params=n_params,
        n_draws=bootstrap,
        figures=figures,
        as_json=as_json,
        share=share,
        baseline=baseline,
    )


@app.command()
def plan(
    law: Annotated[
        Path | None,
        typer.Option(
            callback=here, metavar="FIT", help="a file written by `assay fit --out`"
        ),
    ] = None,
    flops: Annotated[
        str | None,
        typer.Option(
            callback=as_flops,
            metavar="BUDGET",
            help="FLOPs as the table counts them, or accelerator-hours as 40h (with"
            " --flops-per-s)",
        ),
    ] = None,
    flops_per_s: FlopsPerS = None,
    ladder: Annotated[
        bool,
        typer.Option(help="the proxies of `assay run --hours`, printed and not run"),
    ] = False,
    params: ParamsFile = Path("params.yaml"),
    target_params: TargetParams = None,
    target_tokens: TargetTokens = None,
    hours: Hours = None,
    unique_tokens: Annotated[
        float | None,
        typer.Option(min=1, callback=countable, help="different tokens that there are"),
    ] = None,
    next_run: Annotated[
        bool, typer.Option(help="also the proxy runs that would say most")
    ] = False,
    figures: Figures = None,
    as_json: Json = False,
) -> None:
    """Compute-optimal parameters, tokens and epochs for a budget; the next best proxy run; proxies for a target."""

    if ladder:
        require_extras("train")
        from flows.commands.project.ladder import Dial, ladder_command

        dial = Dial(target_params, target_tokens, hours)
        return ladder_command(params, dial, as_json)
    if law is None or flops is None:
        raise typer.BadParameter(
            "give --law FIT and --flops C, or --ladder for the proxies of a target"
        )
    if float(flops) < 1:
        raise typer.BadParameter(f"--flops {flops}: a budget is at least 1 FLOP")
    from flows.commands.plan import plan_command

    plan_command(
        law,
        float(flops),
        unique_tokens=unique_tokens,
        next_run=next_run,
        figures=figures,
        as_json=as_json,
    )


@app.command()
def isoflop(
    table: RunsTable,
    map_: Columns = [],  # noqa: B006
    where: Where = None,
    at: Annotated[list[str], budget_to("read off the line")] = [],  # noqa: B006
    flops_per_s: FlopsPerS = None,
    as_json: Json = False,
) -> None:
    """Compute-optimal sizes without a law: the least loss of each budget, and how it moves."""
    from flows.commands.theory import isoflop_command

    budgets = [float(each) for each in at]
    isoflop_command(table, map_, where=where, at=budgets, as_json=as_json)


@app.command()
def items(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE", help="CSV or parquet with item, flops, value; maybe tries"
        ),
    ],
    map_: Columns = [],  # noqa: B006
    where: Where = None,
    at: Annotated[list[str], budget_to("foretell the score at")] = [],  # noqa: B006
    flops_per_s: FlopsPerS = None,
    clusters: Annotated[
        int | None,
        typer.Option(min=1, help="clusters of items; as many as they bear by default"),
    ] = None,
    held_out: Annotated[
        int, typer.Option(min=0, help="largest budgets that are foretold from below")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Score of a task at a budget, by clusters of its items that become easy at the same compute."""
    from flows.commands.theory import items_command

    items_command(
        table,
        map_,
        where=where,
        at=[float(each) for each in at],
        n_clusters=clusters,
        n_held=held_out,
        as_json=as_json,
    )


@app.command("pruning-theory")
def pruning_theory(
    pool: Annotated[
        list[float],
        typer.Option(
            callback=countable,
            help="examples a dimension before pruning; repeat for several",
        ),
    ],
    keep: Annotated[
        float, typer.Option(min=0.01, max=1, help="fraction that is kept")
    ] = 0.5,
    theta: Annotated[
        float,
        typer.Option(min=0, max=89, help="degrees between the probe and the truth"),
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Whether hard or easy examples are worth keeping, by the theory of a perceptron."""
    from flows.commands.theory import pruning_theory_command

    pruning_theory_command(pool, keep, theta=theta, as_json=as_json)
