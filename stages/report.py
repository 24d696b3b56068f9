"""Question: what does a person need to see to act on the decisions, and to distrust them?
Input: decision records, curves, runs, ledger, manifest. Output: one self-contained HTML page, PNG figures,
and the tables behind `dvc plots`. The page shows what the records hold and computes nothing of its own.
Cost: seconds.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import Field

from stages.decision.controls import CONTROL_LEVEL
from stages.decision.record import DecisionRecord, HeldoutRow, TableRow, Worth
from stages.decision.text import headline, worth_shown
from stages.foundation import artefacts
from stages.foundation.files import read_json, whole_file, whole_folder
from stages.foundation.stage import ROOT, Section, Stage
from stages.presentation.metric_words import MetricWords, metric_words
from stages.searched.kinds import unused_without_searches
from stages.searched.record import Decision, SearchedRecord, read_decisions
from stages.searched.words import tier_words
from stages.verification.record import Verification, read_verification

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# matplotlib takes 0.9 s to import, which every stage would wait for: the list of stages imports this file
TEMPLATE = "stages/decision/page.html.j2"
STYLE, SCRIPT = "stages/decision/page.css", "stages/decision/page.js"
CURVE = ("kind", "arm", "flops", "value", "low", "high")
SEARCHED_TEMPLATE = "stages/searched/section.html.j2"


class ReportParams(Section):
    png_dpi: int = Field(
        140, ge=50, le=400, description="resolution of the PNG figures"
    )


@dataclass(frozen=True)
class Shown:
    """A decision on the page: the record, the words for its metric, figure name -> <svg>, what was trained after it.

    anchor: the id of its part of the page, which begins the ids of its figures.
    """

    record: DecisionRecord | SearchedRecord
    words: MetricWords
    figures: dict[str, str]
    anchor: str
    verification: Verification | None = None

    @property
    def headline(self) -> str:
        if isinstance(self.record, SearchedRecord):
            return self.record.sentence
        return headline(self.record)

    @property
    def worth(self) -> Worth | None:
        if isinstance(self.record, SearchedRecord):
            return None
        return worth_shown(self.record)


def run(params: ReportParams) -> None:
    """Draw every figure once, as SVG in the page and as PNG beside it, and write the plot tables."""
    from stages.decision import figures
    from stages.presentation.inline_svg import inline_svg
    from stages.presentation.plot_style import plt

    every = read_decisions(artefacts.DECISIONS)
    decisions = [each for each in every if isinstance(each, DecisionRecord)]
    searched = [each for each in every if isinstance(each, SearchedRecord)]
    runs = pl.read_parquet(artefacts.RUNS)
    ledger = ledger_rows(pl.read_csv(artefacts.LEDGER))
    with whole_folder(artefacts.REPORT) as folder:
        after = verifications(every)
        shown = [
            show(
                decision,
                folder,
                params.png_dpi,
                anchor=f"question{number}",
                verification=after.get(decision.question.name),
            )
            for number, decision in enumerate(decisions, start=1)
        ]
        found = [
            show_figures(
                each,
                draw_searched(each),
                folder,
                params.png_dpi,
                anchor=f"search{number}",
                verification=after.get(each.question.name),
            )
            for number, each in enumerate(searched, start=1)
        ]
        retention = figures.retention(
            pl.DataFrame(ledger).select("step", tokens_out="tokens kept")
        )
        save_png(retention, folder / "retention.png", params.png_dpi)
        page = render(
            title=every[0].question.title if every else "",
            decisions=shown,
            searched=found,
            ledger=ledger,
            ledger_figure=inline_svg(retention, "retention"),
            pools=pool_rows(read_json(artefacts.MANIFEST)),
            runs=counted_runs(runs),
            n_unrecorded=read_json(artefacts.SWEEP_METRICS).get("unrecorded_trunks", 0),
            control_level=CONTROL_LEVEL,
        )
        (folder / "index.html").write_text(page, "utf-8")
    write_plot_tables(decisions, ledger)
    plt.close("all")


def verifications(decisions: list[Decision]) -> dict[str, Verification]:
    """Question -> what was trained after its decision; questions of which nothing is written are left out."""
    names = [decision.question.name for decision in decisions]
    files = {name: Path(artefacts.verification(name)) for name in names}
    return {
        name: read_verification(file) for name, file in files.items() if file.is_file()
    }


def show(
    decision: DecisionRecord,
    folder: Path,
    dpi: int,
    anchor: str,
    verification: Verification | None = None,
) -> Shown:
    """A decision with its figures, which are also written as PNG."""
    drawn = dict(draw(decision))
    if verification and verification.runs:
        drawn["verified"] = draw_verification(decision, verification)
    return show_figures(
        decision, drawn, folder, dpi, anchor=anchor, verification=verification
    )


def show_figures(
    decision: DecisionRecord | SearchedRecord,
    drawn: "dict[str, Figure]",
    folder: Path,
    dpi: int,
    *,
    anchor: str,
    verification: Verification | None = None,
) -> Shown:
    """A record of any kind with its figures, which are also written as PNG."""
    from stages.presentation.inline_svg import inline_svg

    # before the PNG, whose resolution would change the names inside the SVG
    images = {
        name: inline_svg(figure, f"{anchor}-{name}") for name, figure in drawn.items()
    }
    for name, figure in drawn.items():
        save_png(figure, folder / f"{decision.question.name}-{name}.png", dpi)
    unit = (
        decision.metric.unit if isinstance(decision, DecisionRecord) else decision.unit
    )
    return Shown(
        record=decision,
        words=metric_words(unit),
        figures=images,
        anchor=anchor,
        verification=verification,
    )


def draw_searched(decision: SearchedRecord) -> "dict[str, Figure]":
    """The figures of a proposal by name."""
    from stages.mixtures.mix_figures import draw_mix, draw_uses

    if decision.kind == "upsampling":
        return draw_uses(
            {tier_words(tier): uses for tier, uses in decision.proposal.items()},
            {tier_words(tier): ends for tier, ends in decision.interval.items()},
            {tier_words(tier): uses for tier, uses in decision.reference.items()},
            level=decision.level,
        )
    return draw_mix(
        pl.read_parquet(artefacts.curves(decision.question.name)),
        proposal=decision.proposal,
        interval=decision.interval,
        reference=decision.reference,
        level=decision.level,
    )


def draw_verification(decision: DecisionRecord, after: Verification) -> "Figure":
    """Predicted against measured beyond the fitted compute, arms coloured as in the other figures."""
    from stages.decision import figures

    return figures.verified(
        rows=pl.DataFrame([run.model_dump() for run in after.runs]),
        labels=decision.labels | after.labels,
        words=metric_words(decision.metric.unit),
    )


def draw(decision: DecisionRecord) -> "dict[str, Figure]":
    """The figures of one decision by name."""
    from stages.decision import figures

    curves = read_curves(decision)
    words = metric_words(decision.metric.unit)
    loss = figures.loss_by_flops(
        points=pl.DataFrame([point.model_dump() for point in decision.points]),
        curves=curves.filter(kind="loss"),
        flips=decision.crossovers_drawn,
        labels=decision.labels,
        measured_to=decision.measured_to_flops,
        words=words,
    )
    advantage = figures.advantage(
        differences=curves.filter(kind="difference"),
        flips=decision.crossovers_drawn,
        labels=decision.labels,
        base=decision.base,
        measured_to=decision.measured_to_flops,
        words=words,
    )
    heldout = figures.heldout_check(
        rows=heldout_table(decision), labels=decision.labels, words=words
    )
    return {"loss": loss, "advantage": advantage, "heldout": heldout}


def read_curves(decision: DecisionRecord) -> pl.DataFrame:
    """kind, arm, flops, value, low, high of a question."""
    return pl.read_parquet(artefacts.curves(decision.question.name))


def heldout_table(decision: DecisionRecord) -> pl.DataFrame:
    """The held-out check, one row a cell."""
    return pl.DataFrame([row.model_dump() for row in decision.heldout_check.rows])


def save_png(figure: "Figure", path: Path, dpi: int) -> None:
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


def pool_rows(manifest: dict[str, Any]) -> list[TableRow]:
    """One row a pool: how many documents it has and what they are for, where it comes from."""
    return [_pool_row(name, entry) for name, entry in manifest["pools"].items()]


def _pool_row(name: str, entry: dict[str, Any]) -> TableRow:
    roles, origin = entry["roles"], entry["origin"]
    if not isinstance(origin, str):
        origin = ", ".join(package.split(" ")[0] for package in origin)
    return {
        "pool": name,
        "documents": entry["documents"],
        "characters": entry["characters"],
        "to train on": roles["pool"]["documents"],
        "reference": roles["reference"]["documents"],
        "held out": roles["heldout"]["documents"],
        "content hash": entry["content_hash"],
        "from": origin,
        "licence": entry["licence"],
    }


@dataclass(frozen=True)
class CountedRuns:
    """What the page says of the runs table."""

    n_trunks: int
    n_rows: int
    n_sizes: int
    n_budgets: int
    n_draws: int
    device: str


def counted_runs(runs: pl.DataFrame) -> CountedRuns:
    """How many trunks, checkpointed budgets, sizes, budgets and resamples there are, and what trained them."""
    return CountedRuns(
        n_trunks=runs["trunk_id"].n_unique(),
        n_rows=runs["run_id"].n_unique(),
        n_sizes=runs["n_params"].n_unique(),
        n_budgets=runs["n_tokens_seen"].n_unique(),
        n_draws=runs["pool_draw"].n_unique(),
        device=", ".join(runs["device"].unique().sort()),
    )


def render(**values: Any) -> str:
    """The page."""
    from jinja2 import Environment, FileSystemLoader

    from stages.presentation.plot_style import COLOURS

    environment = Environment(
        loader=FileSystemLoader([ROOT / "stages/decision", ROOT / "stages/searched"]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    script = (ROOT / SCRIPT).read_text("utf-8")
    return environment.get_template("page.html.j2").render(
        **values, script=script, script_hash=csp_hash(script), colours=COLOURS
    )


def csp_hash(script: str) -> str:
    """How a Content-Security-Policy names the one script that may run.

    >>> csp_hash("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def number(value: Any) -> str:
    """Four significant digits for a person; large numbers as powers of ten or with separators."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3e}" if abs(value) >= 1e6 else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if value is None else str(value)


def _of_questions(
    decisions: list[DecisionRecord],
    table_of: Callable[[DecisionRecord], pl.DataFrame],
    columns: Sequence[str],
) -> pl.DataFrame:
    """The tables of all questions with a column `question`; of none a table without rows."""
    tables = [
        table_of(decision).with_columns(question=pl.lit(decision.question.name))
        for decision in decisions
    ]
    empty = pl.DataFrame(schema=dict.fromkeys([*columns, "question"], pl.String))
    return pl.concat(tables) if tables else empty


def write_plot_tables(
    decisions: list[DecisionRecord], ledger: list[dict[str, Any]]
) -> None:
    """The tables that dvc.yaml's plots read, one row a point."""
    curves = _of_questions(decisions, read_curves, columns=CURVE)
    checked = _of_questions(
        decisions, heldout_table, columns=tuple(HeldoutRow.model_fields)
    )
    tables = {
        "loss_by_flops": curves.filter(kind="loss").select(
            "question", "arm", "flops", loss_nats="value", low="low", high="high"
        ),
        "advantage": curves.filter(kind="difference").select(
            "question",
            "arm",
            "flops",
            loss_difference_nats="value",
            low="low",
            high="high",
        ),
        "heldout_check": checked,
        "retention": pl.DataFrame(ledger).select("step", tokens="tokens kept"),
    }
    for name, table in tables.items():
        with whole_file(artefacts.plot_table(name)) as temporary:
            table.write_csv(temporary, float_precision=6)


stage = Stage(
    run=run,
    params=ReportParams,
    unused=unused_without_searches,
    question=(
        "What does a person need to see to act on the decisions, and to distrust them?"
    ),
    deps=(
        TEMPLATE,
        STYLE,
        SCRIPT,
        SEARCHED_TEMPLATE,
        artefacts.DECISIONS,
        artefacts.VERIFICATIONS,
        artefacts.CURVES,
        artefacts.RUNS,
        artefacts.SWEEP_METRICS,
        artefacts.LEDGER,
        artefacts.MANIFEST,
    ),
    outs=(artefacts.REPORT,),
    tracked=(artefacts.PLOTS,),
    shown=f"`{artefacts.PAGE}`",
)
