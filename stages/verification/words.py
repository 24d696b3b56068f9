"""What was trained after a decision, in words: one sentence, and the tables of the page and the terminal."""

from collections.abc import Mapping, Sequence

from stages.decision.record import DecisionRecord, TableRow
from stages.presentation.numbers import flops_text
from stages.searched.record import Decision
from stages.verification.record import Verdict, VerifiedLead, VerifiedRun

Labels = Mapping[str, str]


def outcome(
    runs: Sequence[VerifiedRun],
    leads: Sequence[VerifiedLead],
    verdicts: Sequence[Verdict],
    level: float,
    of: str = "",
) -> str:
    """The outcome in one sentence. of: what was trained, where it is no whole run."""
    if not runs and not leads:
        return "Nothing has been trained after this decision."
    times = [run.times for run in runs] + [lead.times for lead in leads]
    reach = times_text(min(times))
    if times_text(max(times)) != reach:
        reach = f"{reach} to {times_text(max(times))}"
    of_leads = (
        f"{sum(lead.inside for lead in leads)} of {len(leads)} leads lie in their"
    )
    interval = f"{100 * level:.0f} % interval"
    what = f", {of}" if of else ""
    head = f"Trained afterwards at {reach} times the fitted compute{what}:"
    if runs:
        error = sum(abs(run.predicted / run.measured - 1) for run in runs) / len(runs)
        parts = [
            f"{head} {sum(run.inside for run in runs)} of {len(runs)} runs and"
            f" {of_leads} {interval}, the mean error is {100 * error:.2f} %"
        ]
    else:
        parts = [
            f"{head} {of_leads} {interval}; budgets were too few to predict values"
        ]
    judged = [verdict.right for verdict in verdicts if verdict.right is not None]
    if judged:
        parts.append(
            f"of {len(judged)} budgets called decided {sum(judged)} were right"
        )
    return "; ".join(parts) + "."


def trunk_words(decision: Decision) -> str:
    """What carries on a question about branches; empty of whole runs."""
    if not isinstance(decision, DecisionRecord) or decision.trunk is None:
        return ""
    n_tokens = decision.trunk.n_tokens
    length = f"{n_tokens:,} tokens" if n_tokens else "unknown length"
    return f"branches from a trunk of {length}"


def times_text(times: float) -> str:
    """1.84 as 1.8, 8.0 as 8."""
    return f"{times:.2g}"


def run_row(run: VerifiedRun, labels: Labels) -> TableRow:
    """One run against its prediction."""
    return {
        "arm": labels[run.arm],
        "FLOPs": flops_text(run.flops),
        "times fitted": times_text(run.times),
        "epochs": f"{run.epochs:.1f}",
        "measured": round(run.measured, 3),
        "predicted": round(run.predicted, 3),
        "interval": f"[{run.low:.3f}, {run.high:.3f}]",
        "error %": round(100 * (run.predicted / run.measured - 1), 2),
        "inside": "yes" if run.inside else "no",
    }


def lead_row(
    lead: VerifiedLead, verdicts: Sequence[Verdict], labels: Labels
) -> TableRow:
    """One lead, as what the other arm loses: positive is better. Also what the decision said of the budget."""
    said = [verdict for verdict in verdicts if verdict.flops == lead.flops]
    status = said[0].status.replace("_", " ") if said else "-"
    return {
        "arm": labels[lead.arm],
        "against": labels[lead.against],
        "FLOPs": flops_text(lead.flops),
        "times fitted": times_text(lead.times),
        "measured lead": f"{-lead.measured:+.3f}",
        "predicted": f"{-lead.predicted:+.3f} [{-lead.high:+.3f}, {-lead.low:+.3f}]",
        "inside": "yes" if lead.inside else "no",
        "said": status,
    }
