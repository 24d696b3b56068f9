"""Question: what does a person need to see to act on the decisions, and to distrust them?
Input: decision records, curves, runs, ledger, manifest. Output: one self-contained HTML page, PNG figures,
and the tables behind `dvc plots`. The page shows what the records hold and computes nothing of its own.
Cost: seconds.
"""

from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader
from matplotlib.figure import Figure
from pydantic import Field

from stages.decision import figures
from stages.foundation import artefacts
from stages.foundation.files import read_json, whole_file, whole_folder
from stages.foundation.stage import ROOT, Section, Stage
from stages.presentation.metric_words import metric_words
from stages.presentation.plot_style import plt, svg

TEMPLATE = "stages/decision/page.html.j2"


class ReportParams(Section):
    png_dpi: int = Field(
        140, ge=50, le=400, description="resolution of the PNG figures"
    )


def run(params: ReportParams) -> None:
    """Draw every figure once, as SVG in the page and as PNG beside it, and write the plot tables."""
    decisions = [
        read_json(file) for file in sorted(Path(artefacts.DECISIONS).glob("*.json"))
    ]
    runs = pl.read_parquet(artefacts.RUNS)
    with whole_folder(artefacts.REPORT) as folder:
        for decision in decisions:
            drawn = draw(decision)
            decision["words"] = metric_words(decision["metric"])
            decision["figures"] = {name: svg(figure) for name, figure in drawn.items()}
            for name, figure in drawn.items():
                save_png(
                    figure,
                    folder / f"{decision['question']['name']}-{name}.png",
                    params.png_dpi,
                )
        ledger = ledger_rows(pl.read_csv(artefacts.LEDGER))
        shown = figures.retention(
            pl.DataFrame(ledger).select("step", tokens_out="tokens kept")
        )
        save_png(shown, folder / "retention.png", params.png_dpi)
        page = render(
            decisions=decisions,
            ledger=ledger,
            ledger_figure=svg(shown),
            pools=pool_rows(read_json(artefacts.MANIFEST)),
            provenance=provenance(runs),
        )
        (folder / "index.html").write_text(page, "utf-8")
    write_plot_tables(decisions, ledger)
    plt.close("all")


def draw(decision: dict[str, Any]) -> dict[str, Figure]:
    """The figures of one decision by name."""
    name, labels = decision["question"]["name"], decision["labels"]
    curves = pl.read_parquet(artefacts.curves(name))
    points = pl.DataFrame(decision["points"])
    flips, reach, words = (
        decision["crossovers_drawn"],
        decision["measured_to_flops"],
        metric_words(decision["metric"]),
    )
    return {
        "loss": figures.loss_by_flops(
            points, curves.filter(kind="loss"), flips, labels, reach, words
        ),
        "advantage": figures.advantage(
            curves.filter(kind="difference"),
            flips,
            labels,
            decision["base"],
            reach,
            words,
        ),
        "heldout": figures.heldout_check(
            pl.DataFrame(decision["heldout_check"]["rows"]), labels, words
        ),
    }


def save_png(figure: Figure, path: Path, dpi: int) -> None:
    figure.savefig(path, dpi=dpi, metadata={"Software": None})


def ledger_rows(ledger: pl.DataFrame) -> list[dict[str, Any]]:
    """All pools together: documents, characters and tokens kept after each step, and what left by reason."""
    sums = ledger.group_by(
        "position", "step", "status", "reason", maintain_order=True
    ).agg(pl.col("documents", "characters", "tokens").sum())
    rows = [
        _ledger_row(
            "read",
            sums.filter((pl.col("position") == 0) & (pl.col("status") == "in")),
            "",
        )
    ]
    for (_, step), part in sums.sort("position", maintain_order=True).group_by(
        "position", "step", maintain_order=True
    ):
        gone = part.filter(pl.col("status") == "dropped").sort(
            "tokens", descending=True
        )
        reasons = ", ".join(
            f"{reason} {documents:,} ({tokens:,} tokens)"
            for reason, documents, tokens in gone.select(
                "reason", "documents", "tokens"
            ).iter_rows()
        )
        rows.append(_ledger_row(step, part.filter(pl.col("status") == "kept"), reasons))
    return rows


def _ledger_row(step: str, kept: pl.DataFrame, reasons: str) -> dict[str, Any]:
    row = kept.row(0, named=True)
    return {
        "step": step,
        "documents kept": row["documents"],
        "characters kept": row["characters"],
        "tokens kept": row["tokens"],
        "left out, by reason": reasons,
    }


def pool_rows(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "pool": name,
            "documents": entry["documents"],
            "characters": entry["characters"],
            **{
                role: entry["roles"][role]["documents"]
                for role in ("pool", "reference", "heldout")
            },
            "content hash": entry["content_hash"],
            "from": ", ".join(
                [entry["origin"]]
                if isinstance(entry["origin"], str)
                else [o.split(" ")[0] for o in entry["origin"]]
            ),
            "licence": entry["licence"],
        }
        for name, entry in manifest["pools"].items()
    ]


def provenance(runs: pl.DataFrame) -> dict[str, Any]:
    return {
        "n_trunks": runs["trunk_id"].n_unique(),
        "n_rows": runs["run_id"].n_unique(),
        "sizes": runs["n_params"].n_unique(),
        "budgets": runs["n_tokens_seen"].n_unique(),
        "draws": runs["pool_draw"].n_unique(),
        "device": ", ".join(runs["device"].unique().sort()),
    }


def render(**values: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(ROOT / "stages/decision"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    return environment.get_template("page.html.j2").render(**values)


def number(value: Any) -> str:
    """Four significant digits for a person; large numbers as powers of ten or with separators."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3e}" if abs(value) >= 1e6 else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if value is None else str(value)


def write_plot_tables(
    decisions: list[dict[str, Any]], ledger: list[dict[str, Any]]
) -> None:
    """The tables that dvc.yaml's plots read, one row a point."""
    loss, difference, checked = [], [], []
    for decision in decisions:
        name = decision["question"]["name"]
        curves = pl.read_parquet(artefacts.curves(name)).with_columns(
            question=pl.lit(name)
        )
        loss.append(
            curves.filter(kind="loss").select(
                "question", "arm", "flops", loss_nats="value", low="low", high="high"
            )
        )
        difference.append(
            curves.filter(kind="difference").select(
                "question",
                "arm",
                "flops",
                loss_difference_nats="value",
                low="low",
                high="high",
            )
        )
        checked.append(
            pl.DataFrame(decision["heldout_check"]["rows"]).with_columns(
                question=pl.lit(name)
            )
        )
    tables = {
        "loss_by_flops": pl.concat(loss),
        "advantage": pl.concat(difference),
        "heldout_check": pl.concat(checked),
        "retention": pl.DataFrame(ledger).select("step", tokens="tokens kept"),
    }
    for name, table in tables.items():
        with whole_file(artefacts.plot_table(name)) as temporary:
            table.write_csv(temporary, float_precision=6)


stage = Stage(
    run=run,
    params=ReportParams,
    question=(
        "What does a person need to see to act on the decisions, and to distrust them?"
    ),
    deps=(
        TEMPLATE,
        artefacts.DECISIONS,
        artefacts.CURVES,
        artefacts.RUNS,
        artefacts.LEDGER,
        artefacts.MANIFEST,
    ),
    outs=(artefacts.REPORT,),
    tracked=(artefacts.PLOTS,),
)
