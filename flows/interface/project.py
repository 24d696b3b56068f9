"""Commands on a project: the pipeline, what stands, and its pages.

They parse, and call what lies in flows/commands.
"""

from pathlib import Path
from typing import Annotated

import typer

from flows.interface.options import (
    Hours,
    Json,
    ParamsFile,
    TargetParams,
    TargetTokens,
    app,
    check_params,
    countable,
    here,
)
from stages.foundation.errors import require_extras


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
            min=0, callback=countable, help="of all runs that --until adds together"
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
        typer.Option(min=1, callback=countable, help="the same in FLOPs (6ND)"),
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
    check_params(params)
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
            "--from", callback=here, metavar="RECORD", help="a decision record"
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(callback=here, metavar="FILE", help="write it there too"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a decision record again from the fit, runs and parameters that it names."""
    from flows.commands.handing_over.lineage import decide_command

    decide_command(record, out, as_json)


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
