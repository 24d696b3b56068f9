"""Decisions as the page shows them: the record, its figures as SVG in the page and as PNG beside it."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from stages.decision.at_budgets import Worth
from stages.decision.record import DecisionRecord
from stages.decision.text import headline, worth_shown
from stages.foundation import artefacts
from stages.presentation.inline_svg import inline_svg
from stages.presentation.metric_words import MetricWords, metric_words
from stages.reporting import figures
from stages.reporting.plot_tables import heldout_table, read_curves
from stages.searched.record import SearchedRecord
from stages.searched.words import tier_words
from stages.verification.record import Verification


@dataclass(frozen=True)
class Shown:
    """A decision on the page: the record, the words for its metric, figure name -> <svg>, what was trained after it.

    anchor: the id of its part of the page, which begins the ids of its figures. time: what the run to make next takes.
    """

    record: DecisionRecord | SearchedRecord
    words: MetricWords
    figures: dict[str, str]
    anchor: str
    verification: Verification | None = None
    time: str = ""

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
    drawn: dict[str, Figure],
    folder: Path,
    dpi: int,
    *,
    anchor: str,
    verification: Verification | None = None,
) -> Shown:
    """A record of any kind with its figures, which are also written as PNG."""
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


def draw_searched(decision: SearchedRecord) -> dict[str, Figure]:
    """The figures of a proposal by name."""
    # in here, so that the stage does not depend on it where nothing is searched for
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


def draw_verification(decision: DecisionRecord, after: Verification) -> Figure:
    """Predicted against measured beyond the fitted compute, arms coloured as in the other figures."""
    return figures.verified(
        rows=pl.DataFrame([run.model_dump() for run in after.runs]),
        labels=decision.labels | after.labels,
        words=metric_words(decision.metric.unit),
    )


def draw(decision: DecisionRecord) -> dict[str, Figure]:
    """The figures of one decision by name."""
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


def save_png(figure: Figure, path: Path, dpi: int) -> None:
    figure.savefig(path, dpi=dpi, metadata={"Software": None})
