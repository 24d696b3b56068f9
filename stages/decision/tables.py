"""The tables of a decision as rows for a person: the page, the markdown and the terminal show the same ones."""

from stages.decision.at_budgets import Flip, Stretch, Target, Worth
from stages.decision.record import ControlEffect, Findings, HeldoutRow, TableRow, Tables
from stages.laws.interface.cost import SIX, Cost
from stages.laws.interface.fitted import Parameters, RankedLaw, parameter_rows
from stages.presentation.metric_words import MetricWords, metric_words
from stages.presentation.numbers import flops_text, interval_text
from stages.presentation.worth_words import interval_of
from stages.runs.judge_record import Judge, JudgedLoss

CONTROLS = {
    "same": "same data, other seeds: only noise",
    "drop_half": "a random half of the documents dropped",
    "duplicate_half": "a random half of the documents used twice a pass",
}
Labels = dict[str, str]


def tables(found: Findings, cost: Cost = SIX) -> Tables:
    """Every table of the page. cost: of the runs that were fitted."""
    words = metric_words(found.metric.unit)
    labels = found.labels
    return Tables(
        targets=[target_row(target, labels, words) for target in found.targets],
        judges=[judge_row(judge) for judge in found.judges],
        judged=[
            judged_row(each, target, labels)
            for target in found.targets
            for each in target.judged
            if each.arm == target.best
        ],
        worth=[worth_row(worth, labels) for worth in found.worth],
        flips=[flip_row(flip, labels) for flip in found.crossovers],
        flips_by_size=[
            row
            for size, path in found.crossovers_by_size.items()
            for row in size_rows(int(size), path, labels=labels, words=words, cost=cost)
        ],
        heldout=[heldout_row(row, labels, words) for row in found.heldout_check.rows],
        controls=[control_row(row, words) for row in found.controls],
        laws=[law_row(row) for row in found.ranking],
        parameters=shown_parameters(found.law.params),
        regularisation=found.regularisation,
    )


def target_row(target: Target, labels: Labels, words: MetricWords) -> TableRow:
    """One budget. The lead is shown as what the next arm loses, so positive is better."""
    best = target.best
    value, low, high = target.values[best]
    lead, lead_low, lead_high = target.lead
    rival = target.runner_up_best
    return {
        "FLOPs": flops_text(target.flops),
        "train on": labels[best],
        "P(best)": round(target.p_best[best], 3),
        words.value: f"{value:.3f} [{low:.3f}, {high:.3f}]",
        "lead over the next": f"{-lead:.3f} [{-lead_high:.3f}, {-lead_low:.3f}]",
        "next": labels[target.second] if target.second is not None else "",
        "regret": round(target.regret[best], 4),
        "other law says": labels[rival] if rival is not None else "",
        "status": target.status.replace("_", " "),
        "_best": target.status == "decided",
    }


def judge_row(judge: Judge) -> TableRow:
    """One judge: its weight and how far it tells the arms apart."""
    return {
        "judge": judge.name,
        "weight": round(judge.weight, 3),
        "arms differ by": f"{judge.signal:.3g}",
        "noise of a run": f"{judge.noise:.2g}",
        "what of it": judge.reason,
    }


def judged_row(judged: JudgedLoss, target: Target, labels: Labels) -> TableRow:
    """The best arm of a budget by one judge."""
    value, low, high = judged.excess
    may, over = judged.may_lose, judged.p_over
    return {
        "FLOPs": flops_text(target.flops),
        "judge": judged.judge,
        "arm": labels[judged.arm],
        "less": labels[judged.against],
        "bits a byte": f"{value:+.3f} [{low:+.3f}, {high:+.3f}]",
        "may lose": "" if may is None else f"{may:g}",
        "P(loses more)": "" if over is None else f"{over:.2f}",
    }


def worth_row(worth: Worth, labels: Labels) -> TableRow:
    """What the best arm is worth at one budget."""
    until = worth.until
    return {
        "FLOPs": flops_text(worth.flops),
        "train on": labels[worth.best],
        "in place of": labels[worth.baseline],
        "times the compute": interval_of(
            worth.times, worth.low, worth.high, never=worth.never
        ),
        "nothing above": "" if until is None else interval_text(until),
    }


def flip_row(flip: Flip, labels: Labels) -> TableRow:
    """One change of the best arm."""
    return {
        "from": labels[flip.first],
        "to": labels[flip.second],
        "at": interval_text(flip),
        "draws with a flip": round(flip.share, 3),
        "beyond what was measured": "yes" if flip.extrapolated else "no",
    }


def size_rows(
    size: int,
    path: list[Stretch],
    labels: Labels,
    words: MetricWords,
    cost: Cost = SIX,
) -> list[TableRow]:
    """The best arms at one model size, one row a stretch of compute."""
    rows: list[TableRow] = []
    for stretch in path:
        end = stretch.up_to
        n_tokens = "" if end is None else f"{cost.tokens(end.flops, size):,.0f}"
        rows.append(
            {
                "parameters": f"{size:,}",
                "best": labels[stretch.arm],
                "up to": "the end of the range" if end is None else interval_text(end),
                f"{words.counted} there": n_tokens,
            }
        )
    return rows


def heldout_row(row: HeldoutRow, labels: Labels, words: MetricWords) -> TableRow:
    """One cell of the held-out check."""
    return {
        "arm": labels[row.arm],
        "parameters": f"{row.n_params:,.0f}",
        words.counted: f"{row.n_tokens_seen:,.0f}",
        "measured": round(row.measured, 3),
        "predicted": round(row.predicted, 3),
        "interval": f"[{row.low:.3f}, {row.high:.3f}]",
        "error %": round(100 * (row.predicted / row.measured - 1), 2),
    }


def control_row(row: ControlEffect, words: MetricWords) -> TableRow:
    """One control with the interval of its difference."""
    mean, half = row.difference_nats, row.half_width_nats
    return {
        "control": CONTROLS[row.kind],
        "against": row.like,
        f"difference ({words.difference_unit})": (
            f"{mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}]"
        ),
        "could detect": round(row.smallest_detectable_effect_nats, 4),
        "resamples": row.n_draws,
    }


def law_row(row: RankedLaw) -> TableRow:
    """One candidate law."""
    return {
        "law": row.law,
        "unknowns": counted(row.n_unknowns),
        "held-out error %": round(100 * row.mape, 2),
        "bias %": round(100 * row.bias, 2),
        "weight %": round(100 * row.share, 1),
        "why here": row.reason,
    }


def counted(value: float) -> int | float:
    """A count without idle decimals: 5, not 5.0; priors leave fractions of an unknown, such as 4.3."""
    rounded = round(float(value), 1)
    return int(rounded) if rounded.is_integer() else rounded


def shown_parameters(params: Parameters) -> list[TableRow]:
    """One row a parameter, or a parameter and arm."""
    return [
        {key: row[key] for key in ("parameter", "value", "low", "high", "unit")}
        | {"notes": _notes(row)}
        for row in parameter_rows(params)
    ]


def _notes(row: TableRow) -> str:
    """What makes a parameter no number to quote."""
    notes = []
    if row["at_bound"]:
        notes.append("at a bound")
    if not row["identified"]:
        notes.append("not identified")
    return ", ".join(notes)
