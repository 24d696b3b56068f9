"""The `assay` command. It parses, calls and prints; every command also speaks JSON (`--json`).

Exit codes: 0 done, 1 refused on evidence, 2 bad input with a one-line reason; 130 and 143 stopped by
a signal.
"""

import io
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows import environment
from flows.commands.budgets import LARGEST, budget
from stages.foundation.errors import InputError, require_extras, told
from stages.foundation.one_line import one_line
from stages.foundation.processes.stopping import Stopped, leave, obey_signals

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=(
        "Which data to train on, for the compute you will really spend, and how sure"
        " that is."
    ),
)
USAGE: Any = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)  # typer carries its own copy of click


def _here(path: Any) -> Any:
    """A path of this machine, also written as file:///...; BadParameter for another address."""
    text = str(path)
    if text.startswith("file:"):
        return Path("/" + text.removeprefix("file:").lstrip("/"))
    if re.match(r"[a-z0-9+]{2,}:/", text):
        raise typer.BadParameter(f"{text}: must be a path of this machine")
    return path


def _countable(value: Any) -> Any:
    """An amount, or a list of them; BadParameter where one is nan or beyond all that can be."""
    for each in value if isinstance(value, list) else [value]:
        if each is not None and not 0 <= each <= LARGEST:
            raise typer.BadParameter(f"{each:g} is no amount; give 0 to {LARGEST:g}")
    return value


def _flops(context: typer.Context, value: Any) -> Any:
    """A budget, or a list of them, as FLOPs; hours by the option --flops-per-s."""
    rate = context.params.get("flops_per_s")
    try:
        if isinstance(value, str):
            return str(budget(value, rate))
        return value and [str(budget(each, rate)) for each in value]
    except InputError as fault:
        raise typer.BadParameter(str(fault)) from None


FlopsPerS = Annotated[
    float | None,
    typer.Option(
        min=1,
        is_eager=True,
        callback=_countable,
        help="FLOPs (6ND) a second that one accelerator sustains, for a budget in hours",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON in place of tables")]
ParamsFile = Annotated[
    Path,
    typer.Option(
        "--params", callback=_here, metavar="FILE", help="the parameters of every stage"
    ),
]


TargetParams = Annotated[
    float | None,
    typer.Option(
        "--target-params",
        min=1,
        callback=_countable,
        help="parameters of the model that is decided for",
    ),
]
TargetTokens = Annotated[
    float | None,
    typer.Option(
        "--target-tokens", min=1, callback=_countable, help="tokens that it will see"
    ),
]
Hours = Annotated[
    float | None,
    typer.Option(
        "--hours",
        min=0.001,
        max=1e6,
        help="choose proxies that train in so many hours on this machine",
    ),
]


@app.command()
def run(
    params: ParamsFile = Path("params.yaml"),
    target_params: TargetParams = None,
    target_tokens: TargetTokens = None,
    hours: Hours = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="p_best=P",
            help="add the runs that are advised until P(best) at the target is so large",
        ),
    ] = None,
    max_flops: Annotated[
        float | None,
        typer.Option(
            min=0, callback=_countable, help="of all runs that --until adds together"
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=0, help="worker processes; 0: one a core")
    ] = 0,
    executor: Annotated[
        str,
        typer.Option(
            help=(
                "local: workers of the stages; prefect: one task a group of runs;"
                " ray: those on Ray"
            )
        ),
    ] = "local",
    gpus: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="ray: part of a GPU for each group of runs; 0: a whole one on CUDA",
        ),
    ] = 0.0,
) -> None:
    """The whole pipeline through the flow; finished work is never done again."""
    require_extras("pipeline", "train")
    from flows.commands.project.ladder import Dial
    from flows.commands.project.until import until_of
    from flows.main_job import main_job

    dial, goal = Dial(target_params, target_tokens, hours), until_of(until, max_flops)
    code = main_job(params, jobs, executor=executor, gpus=gpus, dial=dial, until=goal)
    raise typer.Exit(code)


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
            callback=_here,
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
            callback=_here,
            metavar="DIR",
            help="drop copies of what earlier runs with this index kept, and add to it",
        ),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            callback=_here,
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


@app.command("dvc-yaml")
def dvc_yaml(params: ParamsFile = Path("params.yaml")) -> None:
    """Write dvc.yaml, and the table of stages in README.md, from the stage declarations."""
    from stages.foundation.dvc_file import write_pipeline_file
    from stages.foundation.readme_table import write_stage_table
    from stages.pipeline import PIPELINE
    from stages.settings.params import load_params

    sections = load_params(params, PIPELINE)
    written = {
        "dvc.yaml": write_pipeline_file(PIPELINE, sections, str(params)),
        "README.md": write_stage_table(PIPELINE),
    }
    changed = [name for name, differs in written.items() if differs]
    print(f"{' and '.join(changed)} written" if changed else "dvc.yaml is up to date")


@app.command()
def schemas() -> None:
    """Write the JSON schemas in docs/ from the models of files, and its map of the folders."""
    from flows.documents.house import PAGE, write_house
    from flows.schemas import write_schemas

    changed = [*write_schemas(), *([PAGE] if write_house() else [])]
    print("\n".join(map(str, changed)) or "docs/ is up to date")


@app.command()
def verify(
    params: ParamsFile = Path("params.yaml"),
    times: Annotated[
        float | None,
        typer.Option(
            min=1, help="compute to train to, times the largest that was fitted"
        ),
    ] = None,
    flops: Annotated[
        float | None,
        typer.Option(min=1, callback=_countable, help="the same in FLOPs (6ND)"),
    ] = None,
    question: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="train for this question; repeat"),
    ] = [],  # noqa: B006
    executor: Annotated[
        str,
        typer.Option(
            metavar="local|prefect|ray", help="who trains the runs, as in `assay run`"
        ),
    ] = "local",
    gpus: Annotated[
        float,
        typer.Option(min=0, max=1, help="ray: part of a GPU for each group of runs"),
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Train the best arms beyond the fitted compute, and set predicted against measured."""
    require_extras("train")
    from flows.commands.project.verify import verify_command

    verify_command(
        params,
        times=times,
        flops=flops,
        questions=question,
        as_json=as_json,
        executor=executor,
        gpus=gpus,
    )


@app.command()
def status(
    track_record: Annotated[
        bool,
        typer.Option(
            "--track-record", help="how all decisions fared that were verified"
        ),
    ] = False,
    verify_files: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="read and hash every file: which are damaged, and what to do",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Fresh and stale stages and decisions, and what made them stale."""
    if track_record:
        from flows.commands.project.verify import track_record_command

        return track_record_command(as_json)
    from flows.commands.show import show

    if verify_files:
        from flows.commands.project.damage import DAMAGED, damage_rows

        rows = damage_rows()
        show(rows, as_json, title="Files")
        raise typer.Exit(any(row["state"] == DAMAGED for row in rows))
    from flows.freshness import freshness

    show(freshness(), as_json, title="Stages and decisions")


@app.command()
def decide(
    record: Annotated[
        Path,
        typer.Option(
            "--from", callback=_here, metavar="RECORD", help="a decision record"
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(callback=_here, metavar="FILE", help="write it there too"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a decision record again from the fit, runs and parameters that it names."""
    from flows.commands.handing_over.lineage import decide_command

    decide_command(record, out, as_json)


@app.command()
def remove(
    entries: Annotated[
        Path,
        typer.Argument(
            callback=_here,
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
            callback=_here, metavar="DIR", help="where shards and manifest.json go"
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
        typer.Option(metavar="NAME", help="default: the arm that was decided"),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            metavar="FLOPS",
            min=1,
            callback=_countable,
            help="which of the decision's budgets names the arm",
        ),
    ] = None,
    tokens: Annotated[
        float | None,
        typer.Option(
            min=1,
            callback=_countable,
            help="write repeats so that there are so many; default each document once",
        ),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            callback=_here,
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
    from flows.commands.handing_over.export import export_command
    from stages.handing_over.export import Request

    export_command(
        params,
        Request(
            question=question,
            out=out,
            format=format_,  # type: ignore[arg-type]
            arm=arm,
            budget=budget,
            tokens=tokens,
            tokenizer=tokenizer,
            eos=eos,
            shard_mb=shard_mb,
            overwrite=overwrite,
        ),
        as_json,
    )


@app.command()
def laws(
    name: Annotated[str | None, typer.Argument()] = None,
    docs: Annotated[
        Path | None,
        typer.Option(
            callback=_here,
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
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="CSV, parquet, or mlflow:EXPERIMENT")
    ],
    map_: Annotated[list[str], typer.Option("--map", metavar="LAW_VAR=COLUMN")] = [],  # noqa: B006
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="rows to use")
    ] = None,
    holdout: Annotated[
        str | None, typer.Option(metavar="SQL", help="rows to predict and not to fit")
    ] = None,
    predict: Annotated[
        Path | None,
        typer.Option(callback=_here, metavar="TABLE2", help="rows to predict"),
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
        typer.Option(callback=_here, metavar="FILE", help="write the fit as JSON"),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            callback=_here, metavar="DIR", help="write the figures there as PNG"
        ),
    ] = None,
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
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="CSV, parquet, or mlflow:EXPERIMENT")
    ],
    arm: Annotated[
        str,
        typer.Option(metavar="COLUMN", help="column that names the data set of a run"),
    ],
    at: Annotated[
        list[str],
        typer.Option(
            metavar="BUDGET",
            callback=_flops,
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
    map_: Annotated[list[str], typer.Option("--map", metavar="LAW_VAR=COLUMN")] = [],  # noqa: B006
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="rows to use")
    ] = None,
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
            callback=_countable,
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
    figures: Annotated[
        Path | None,
        typer.Option(
            callback=_here, metavar="DIR", help="write the figures there as PNG"
        ),
    ] = None,
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
            callback=_here, metavar="FIT", help="a file written by `assay fit --out`"
        ),
    ] = None,
    flops: Annotated[
        str | None,
        typer.Option(
            callback=_flops,
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
        typer.Option(
            min=1, callback=_countable, help="different tokens that there are"
        ),
    ] = None,
    next_run: Annotated[
        bool, typer.Option(help="also the proxy runs that would say most")
    ] = False,
    figures: Annotated[
        Path | None,
        typer.Option(
            callback=_here, metavar="DIR", help="write the figures there as PNG"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute-optimal parameters, tokens and epochs for a budget; the next best proxy run; proxies for a target."""
    from flows.commands.compare import plan_command

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
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="CSV, parquet, or mlflow:EXPERIMENT")
    ],
    map_: Annotated[list[str], typer.Option("--map", metavar="LAW_VAR=COLUMN")] = [],  # noqa: B006
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="rows to use")
    ] = None,
    at: Annotated[
        list[str],
        typer.Option(
            metavar="FLOPS",
            callback=_flops,
            help="a budget to read off the line, FLOPs or hours as 40h; repeat",
        ),
    ] = [],  # noqa: B006
    flops_per_s: FlopsPerS = None,
    as_json: Json = False,
) -> None:
    """Compute-optimal sizes without a law: the least loss of each budget, and how it moves."""
    from flows.commands.theory import isoflop_command

    budgets = [float(each) for each in at]
    isoflop_command(table, map_, where=where, at=budgets, as_json=as_json)


@app.command()
def mixture(
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="CSV, parquet, or mlflow:EXPERIMENT")
    ],
    method: Annotated[
        str,
        typer.Option(
            metavar="surface|trees|projektor",
            help="smooth surface, boosted trees, or two sizes and transport distances",
        ),
    ] = "surface",
    map_: Annotated[list[str], typer.Option("--map", metavar="LAW_VAR=COLUMN")] = [],  # noqa: B006
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="rows to use")
    ] = None,
    predict: Annotated[
        Path | None,
        typer.Option(callback=_here, metavar="TABLE2", help="mixtures to predict"),
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
            callback=_here,
            metavar="RATIOS",
            help="CSV or parquet: a column run, then the share of each domain",
        ),
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Argument(
            callback=_here,
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
        typer.Option(min=1, callback=_countable, help="tokens of the run to come"),
    ] = None,
    law: Annotated[
        Path | None,
        typer.Option(
            callback=_here,
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
            callback=lambda pair: tuple(map(_here, pair)) if pair else None,
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
            callback=_here, metavar="CSV", help="file of the design; default printed"
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            callback=_here, metavar="DIR", help="write the figures there as PNG"
        ),
    ] = None,
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
        design_command(asked, (ratios, metrics), given, seed=seed, as_json=as_json)
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


@app.command("pruning-theory")
def pruning_theory(
    pool: Annotated[
        list[float],
        typer.Option(
            callback=_countable,
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


@app.command()
def contained(
    folder: Annotated[
        Path,
        typer.Argument(
            callback=_here, metavar="DIR", help="parquet files or folders of them"
        ),
    ],
    as_json: Json = False,
) -> None:
    """Which data sets of a folder lie in others, and which are cheaper to rebuild than to keep."""
    from flows.commands.theory import contained_command

    contained_command(folder, as_json)


@app.command()
def experiments(as_json: Json = False) -> None:
    """What-ifs of `dvc exp run`, a row each: the parameters and metrics that differ."""
    require_extras("pipeline")
    from flows.commands.show import show
    from flows.reporting.experiments import experiment_rows

    show(experiment_rows(), as_json, title="Experiments")


@app.command()
def serve(
    cron: Annotated[
        str, typer.Option(help="when to run, as a cron line")
    ] = "0 3 * * *",
) -> None:
    """Schedule the flow with a Prefect server on this machine."""
    require_extras("pipeline", "train")
    from flows.serve import serve_forever

    serve_forever(cron)


@app.command()
def ui(
    report_port: Annotated[
        int, typer.Option(min=1, max=65535, help="of the report")
    ] = 8000,
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535, help="of MLflow")] = (
        5000
    ),
    prefect_port: Annotated[int, typer.Option(min=1, max=65535, help="of Prefect")] = (
        4200
    ),
    browser: Annotated[
        bool | None,
        typer.Option(help="open the pages; default: where there is a screen"),
    ] = None,
) -> None:
    """Show the report, MLflow and Prefect on the loopback address until Ctrl-C."""
    require_extras("pipeline")
    from flows.pages.start import start_pages

    start_pages(
        report_port=report_port,
        mlflow_port=mlflow_port,
        prefect_port=prefect_port,
        browser=browser,
    )


def main() -> None:
    """Entry point: our own errors and those of the options become one line and an exit code."""
    obey_signals("assay: stopped")
    for stream in (sys.stdout, sys.stderr):  # names of files need not be UTF-8
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        environment.prepare()
        sys.exit(app(standalone_mode=False))
    except Stopped as stop:
        leave(stop.number)
    except typer.Abort:
        sys.exit(130)
    except USAGE as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            command = error.ctx.command_path if getattr(error, "ctx", None) else "assay"
            print(
                f"assay: {one_line(error.format_message(), 200).rstrip('.')};"
                f" `{command.replace('python -m flows.cli', 'assay')} --help` shows the"
                " options",
                file=sys.stderr,
            )
        sys.exit(2)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except BaseException as error:  # a panic of polars is no Exception
        line, code = told(error, "assay")
        print(line, file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
