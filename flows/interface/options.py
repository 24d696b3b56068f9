"""The app that commands belong to, and the options that several of them have."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.budgets import LARGEST, budget
from stages.foundation.errors import InputError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=(
        "Which data to train on, for the compute you will really spend, and how sure"
        " that is."
    ),
)


def here(path: Any) -> Any:
    """A path of this machine, also written as file:///...; BadParameter for another address."""
    text = str(path)
    if text.startswith("file:"):
        return Path("/" + text.removeprefix("file:").lstrip("/"))
    if re.match(r"[a-z0-9+]{2,}:/", text):
        raise typer.BadParameter(f"{text}: must be a path of this machine")
    return path


def named(text: str) -> Path:
    """A path with a name; BadParameter for an empty one, which Path takes for this folder."""
    if not text.strip():
        raise typer.BadParameter(f"{text!r} names no folder; give the name of one")
    return Path(text)


def countable(value: Any) -> Any:
    """An amount, or a list of them; BadParameter where one is nan or beyond all that can be."""
    for each in value if isinstance(value, list) else [value]:
        if each is not None and not 0 <= each <= LARGEST:
            raise typer.BadParameter(f"{each:g} is no amount; give 0 to {LARGEST:g}")
    return value


def as_flops(context: typer.Context, value: Any) -> Any:
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
        callback=countable,
        help="FLOPs (6ND) a second that one accelerator sustains, for a budget in hours",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON in place of tables")]
ParamsFile = Annotated[
    Path,
    typer.Option(
        "--params", callback=here, metavar="FILE", help="the parameters of every stage"
    ),
]
TargetParams = Annotated[
    float | None,
    typer.Option(
        "--target-params",
        min=1,
        callback=countable,
        help="parameters of the model that is decided for",
    ),
]
TargetTokens = Annotated[
    float | None,
    typer.Option(
        "--target-tokens", min=1, callback=countable, help="tokens that it will see"
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
RunsTable = Annotated[
    str, typer.Argument(metavar="TABLE", help="CSV, parquet, or mlflow:EXPERIMENT")
]
Columns = Annotated[list[str], typer.Option("--map", metavar="LAW_VAR=COLUMN")]
Where = Annotated[str | None, typer.Option(metavar="SQL", help="rows to use")]
Figures = Annotated[
    Path | None,
    typer.Option(callback=here, metavar="DIR", help="write the figures there as PNG"),
]


def budget_to(purpose: str) -> Any:
    """The option that names budgets of a table of FLOPs, each to some purpose."""
    words = f"a budget to {purpose}, FLOPs or hours as 40h; repeat"
    return typer.Option(metavar="FLOPS", callback=as_flops, help=words)


def check_params(params: Path) -> None:
    """InputError with one line for a fault of the parameters, before the command imports what it works with."""
    from stages.pipeline import PIPELINE
    from stages.settings.params import load_params

    load_params(params, PIPELINE)
