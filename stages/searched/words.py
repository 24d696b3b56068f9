"""The record of a searched question in words: the sentence, the tables, a short markdown."""

import itertools
from collections.abc import Mapping
from pathlib import Path

from stages.decision.record import DecisionRecord, TableRow
from stages.decision.text import decision_markdown, markdown_table
from stages.foundation import artefacts
from stages.presentation.metric_words import metric_words
from stages.presentation.numbers import listed
from stages.presentation.phase_names import PHASES, of_phase
from stages.searched.record import (
    BEST_RUN,
    PROPOSAL,
    REFERENCE,
    Decision,
    SearchedRecord,
    SearchedTables,
    read_decisions,
    values_of,
)

PICTURES = ("loss", "shares")  # figures that show an answer, of either kind
REFERENCES = {"mixture": "the prior", "upsampling": "using every tier alike"}
SPOKEN = 5e-4  # ours: of a smaller share the others still say 100 %
NO_USE = 0.005  # ours: a tier that is used less is said to be dropped
LEADS = {
    "decided": "",
    "tie": "A tie with {reference}. Nearest: ",
    "insufficient_evidence": "Not settled by these runs. Nearest: ",
    "extrapolating": "Beyond what was measured. Nearest: ",
}


def percent(share: float) -> str:
    """A share as a person says it.

    >>> percent(0.4849), percent(0.004), percent(0.995), percent(0.9996)
    ('48 %', '0.4 %', '99.5 %', '100 %')
    """
    whole = 100 * share
    if 99 < whole < 99.95:  # all of it is said of what leaves nothing else
        return f"{whole:.1f} %"
    # two digits, and never as 1e+02
    return f"{whole:.0f} %" if whole >= 10 else f"{whole:.2g} %"


def sentence(found: SearchedRecord) -> str:
    """The answer: the mixture with the largest shares first, what it is worth, for which run."""
    gain, low, high = found.objective.gain
    reference = REFERENCES[found.kind]
    unit = difference_unit(found.unit)
    head = f"For {found.target.text}: " if found.target else ""
    lead = LEADS[found.status].format(reference=reference)
    start = head + (lead if not head else lead[:1].lower() + lead[1:])
    said = answer_text(found, found.proposal)
    if not start:
        said = said[0].upper() + said[1:]
    return f"{start}{said}: {gain:.3f} {unit} [{low:.3f}, {high:.3f}] better than {reference}."


def difference_unit(unit: str) -> str:
    """How a difference of a metric of this unit is spoken of: `nats`, `bits a byte`."""
    return metric_words(unit).difference_unit


def answer_text(found: SearchedRecord, values: Mapping[str, float]) -> str:
    """A mixture or a curve in words. values: as the proposal of the record."""
    if found.kind == "upsampling":
        return curve_text(values)
    if found.phases is None:
        return mixture_text(values)
    stable, last = (of_phase(values, phase) for phase in PHASES)
    return f"{mixture_text(stable)}, and in the decay on {parts_text(last)}"


def label_of(found: SearchedRecord, name: str) -> str:
    """One of SEARCHED_ARMS in words."""
    whose = {
        PROPOSAL: "the proposal",
        REFERENCE: REFERENCES[found.kind],
        BEST_RUN: f"the best run, {found.best_run.run_id}",
    }
    return f"{whose[name]}: {answer_text(found, values_of(found, name))}"


def mixture_text(shares: Mapping[str, float]) -> str:
    """`train on 60 % web and 40 % code`, the largest share first."""
    return f"train on {parts_text(shares)}"


def parts_text(shares: Mapping[str, float]) -> str:
    """`60 % web and 40 % code`, the largest share first; what is nothing in words is left out.

    >>> parts_text({"code": 0.005, "web": 0.995, "books": 1e-12})
    '99.5 % web and 0.5 % code'
    """
    ordered = sorted(shares.items(), key=lambda pair: -pair[1])
    return listed(
        [f"{percent(share)} {name}" for name, share in ordered if share >= SPOKEN]
    )


def curve_text(by_tier: Mapping[str, float]) -> str:
    """`use the best 10 % 4 times, 10 to 30 % 1.5 times, and drop the rest`; tiers used alike are one."""
    shown = [
        (tier, "0" if uses < NO_USE else f"{uses:.2g}")
        for tier, uses in by_tier.items()
    ]
    parts, rest = [], ""
    for uses, group in itertools.groupby(shown, key=lambda pair: pair[1]):
        tiers = [tier for tier, _ in group]
        if uses == "0":
            rest = ", and drop the rest"
            continue
        whole = f"{tiers[0].partition('_')[0]}_{tiers[-1].partition('_')[2]}"
        parts.append(f"{tier_words(whole)} {uses} times")
    return f"use {listed(parts)}{rest}"


def tier_words(tier: str) -> str:
    """The name of a tier for a person.

    >>> tier_words("q000_010"), tier_words("q010_030")
    ('the best 10 %', '10 to 30 %')
    """
    low, high = (int(part) for part in tier.removeprefix("q").split("_"))
    if (low, high) == (0, 100):
        return "everything"
    return f"{low} to {high} %" if low else f"the best {high} %"


def tables(found: SearchedRecord) -> SearchedTables:
    """Every table of the page."""
    return SearchedTables(
        proposal=proposal_rows(found),
        predicted=predicted_rows(found),
        rungs=rung_rows(found),
    )


def proposal_rows(found: SearchedRecord) -> list[TableRow]:
    """One row a domain or tier."""
    if found.kind == "upsampling":
        return curve_rows(found)
    rows: list[TableRow] = []
    for name, share in found.proposal.items():
        low, high = found.interval[name]
        phase, _, pool = name.partition(" ") if found.phases else ("", "", name)
        repeats = found.repetition[pool]
        row: TableRow = {
            "train on": pool,
            **({"phase": phase} if phase else {}),
            "share": round(share, 3),
            "interval": f"[{low:.3f}, {high:.3f}]",
            "prior": round(found.reference[name], 3),
            "passes in the proxies": round(repeats.proxy_passes, 2),
        }
        if repeats.target_passes is not None:
            row["passes at the target"] = round(repeats.target_passes, 2)
        rows.append(row)
    return rows


def curve_rows(found: SearchedRecord) -> list[TableRow]:
    """One row a tier."""
    rows: list[TableRow] = []
    for tier, uses in found.proposal.items():
        low, high = found.interval[tier]
        rows.append(
            {
                "tier of quality": tier_words(tier),
                "uses": round(uses, 2),
                "interval": f"[{low:.2f}, {high:.2f}]",
                "alike": round(found.reference[tier], 2),
                "most in the proxies": round(found.repetition[tier].proxy_passes, 2),
            }
        )
    return rows


def predicted_rows(found: SearchedRecord) -> list[TableRow]:
    """One row a metric."""
    rows: list[TableRow] = []
    for metric in found.metrics:
        value, low, high = found.predicted[metric.name]
        change, least, most = found.trade_off[metric.name]
        laws = sorted(
            found.laws.get(metric.name, {}).items(), key=lambda pair: -pair[1]
        )
        check = found.check.get(metric.name)
        row: TableRow = {
            "held-out domain": metric.domain,
            "weight": round(metric.weight, 3),
            "loss": f"{value:.3f} [{low:.3f}, {high:.3f}]",
            f"against {REFERENCES[found.kind]}": f"{change:+.3f} [{least:+.3f}, {most:+.3f}]",
            "rank of runs left out": round(check["rank_correlation"], 3)
            if check
            else "-",
            "laws": ", ".join(f"{name} {weight:.2f}" for name, weight in laws[:2])
            or "-",
        }
        if found.vetoes:
            veto = found.vetoes.get(metric.name)
            row["may lose"] = round(veto.allowed, 4) if veto else "-"
        rows.append(row)
    return rows


def rung_rows(found: SearchedRecord) -> list[TableRow]:
    """One row a size and budget other than that of the answer."""
    return [
        {
            "parameters": f"{rung.n_params:,}",
            "tokens": f"{rung.n_tokens:,}",
            **{name: round(share, 3) for name, share in rung.proposal.items()},
            "differs by": percent(rung.moved),
        }
        for rung in found.by_rung
    ]


def any_markdown(found: Decision) -> str:
    """A record of either kind as markdown for the Prefect page."""
    if isinstance(found, DecisionRecord):
        return decision_markdown(found)
    return "\n".join(
        [
            f"## {found.question.title}",
            f"**{found.sentence}**",
            f"Status: {found.status}. {found.reason}",
            "",
            *markdown_table(found.tables.proposal),
            "",
            *markdown_table(found.tables.predicted),
        ]
    )


def printed_decisions() -> str:
    """Every decision's title, sentence and status."""
    return "\n".join(
        f"\n{decision.question.title}\n  {decision.sentence}\n  status:"
        f" {decision.status}. {decision.reason}"
        for decision in read_decisions(artefacts.DECISIONS)
    )


def picture_of(question: str) -> Path | None:
    """The figure of the answer, where the report has drawn it."""
    for name in PICTURES:
        file = Path(artefacts.REPORT) / f"{question}-{name}.png"
        if file.is_file():
            return file
    return None
