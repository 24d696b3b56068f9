"""Question: what does a person need to see to act on the decisions, and to distrust them?
Input: decision records, curves, runs, ledger, manifest. Output: one self-contained HTML page, PNG figures,
and the tables behind `dvc plots`. The page shows what the records hold and computes nothing of its own but how long
the next run takes.
Cost: seconds.
"""

from dataclasses import replace
from pathlib import Path

import polars as pl

from stages.decision.controls import CONTROL_LEVEL
from stages.decision.record import DecisionRecord
from stages.declarations.report import ReportParams
from stages.foundation import artefacts
from stages.foundation.files import read_json, whole_folder
from stages.reporting.page import render
from stages.reporting.plot_tables import write_plot_tables
from stages.reporting.rows import (
    counted_runs,
    ledger_rows,
    pool_rows,
    training_time,
)
from stages.searched.record import Decision, SearchedRecord, read_decisions
from stages.verification.record import Verification, read_verification


def run(params: ReportParams) -> None:
    """Draw every figure once, as SVG in the page and as PNG beside it, and write the plot tables."""
    # matplotlib takes 0.9 s to import, which every stage would wait for: the list of stages imports this file
    from stages.presentation.inline_svg import inline_svg
    from stages.presentation.plot_style import plt
    from stages.reporting import figures
    from stages.reporting.shown import draw_searched, save_png, show, show_figures

    every = read_decisions(artefacts.DECISIONS)
    decisions = [each for each in every if isinstance(each, DecisionRecord)]
    searched = [each for each in every if isinstance(each, SearchedRecord)]
    runs = pl.read_parquet(artefacts.RUNS)
    ledger = ledger_rows(pl.read_csv(artefacts.LEDGER))
    with whole_folder(artefacts.REPORT) as folder:
        after = verifications(every)
        shown = [
            replace(
                show(
                    decision,
                    folder,
                    params.png_dpi,
                    anchor=f"question{number}",
                    verification=after.get(decision.question.name),
                ),
                time=training_time(decision, runs),
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
