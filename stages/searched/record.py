"""The record of a question whose answer is searched for: which mixture, with what it rests on.

It lies beside the records of questions over arms, data/decisions/NAME.json, and is told apart by its key `kind`.
Its JSON schema is docs/searched.schema.json, written by `assay schemas`.
"""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from stages.decision.at_budgets import Status
from stages.decision.record import (
    DecisionRecord,
    Provenance,
    Question,
    SpokenSize,
    TableRow,
)
from stages.foundation.record_files import FileRecord, Record, validated
from stages.foundation.sealed import read_sealed
from stages.laws.interface.fitted import Note
from stages.runs.judge_record import Judge

VERSION = 1
Band = tuple[float, float, float]  # value, low, high
# keys of the record that stand for an arm, where one is written or trained
PROPOSAL, REFERENCE, BEST_RUN = "proposal", "reference", "best_run"
SEARCHED_ARMS = (PROPOSAL, REFERENCE, BEST_RUN)


class WeightedMetric(Record):
    """A held-out domain, or scored items, that decide or may speak against an answer."""

    name: str = Field(
        description="metric of the runs table: loss_<domain>, of judges in bits a byte"
    )
    domain: str = Field(description="held-out domain or items that it is measured on")
    unit: str = Field(
        description="nats/token, or that of the metric that the fit stage chose"
    )
    weight: float = Field(
        description="weight in the sum that is minimised, sum 1; 0: only watched"
    )


class Objective(Record):
    """The weighted sum of the answer and of the reference, unit of its metrics."""

    value: Band = Field(description="of the proposal: (value, low, high)")
    reference: float = Field(description="of the reference")
    gain: Band = Field(description="reference less proposal; positive is better")
    p_better: float = Field(
        description="share of the draws in which the proposal is better than the reference"
    )


class BestRun(Record):
    """The run that measured least, beside the proposal."""

    run_id: str = Field(description="row of the runs table; of curves the arm")
    shares: dict[str, float] = Field(
        description="as the proposal: domain -> share, or tier -> uses"
    )
    measured: float | None = Field(
        description="weighted sum, without what its resample shared, unit of its metrics; of curves null"
    )
    gain: Band = Field(
        description="predicted loss of its mixture less that of the proposal"
    )
    p_not_worse: float = Field(
        description="share of the draws in which the proposal is not worse by more than `tolerance`"
    )


class Rung(Record):
    """The answer at another size or budget of the proxies."""

    n_params: int = Field(description="non-embedding parameters")
    n_tokens: int = Field(description="tokens that a run saw")
    flops: float = Field(description="training compute of a run, FLOPs (6ND)")
    proposal: dict[str, float] = Field(description="as that of the answer")
    interval: dict[str, tuple[float, float]] = Field(
        description="domain -> (low, high)"
    )
    moved: float = Field(
        description="part of the mixture that differs from the answer, 0 to 1"
    )


class Veto(Record):
    """A domain that may not lose more than it is allowed."""

    change: Band = Field(
        description="metric of the proposal less that of the reference, its own unit"
    )
    allowed: float = Field(description="largest change, unit of the metric")


class Repeats(Record):
    """How often a domain is passed."""

    target_passes: float | None = Field(
        description="by the proposal at the target; null without one"
    )
    proxy_passes: float = Field(description="by a proxy of the proposal")
    agree: bool = Field(description="alike within 1.5 times, or below one pass in both")


class Aimed(Record):
    """The run that the answer is for."""

    n_params: float = Field(description="non-embedding parameters of the target")
    n_tokens: float = Field(description="tokens that it sees")
    flops: float = Field(description="its compute, FLOPs (6ND)")
    pool_tokens: dict[str, float] = Field(
        description="domain -> different tokens of the target"
    )
    decades: float = Field(
        description="factors of ten of compute beyond the proxies that were fitted"
    )
    text: str = Field(description="the target in words")


class SearchedTables(Record):
    """The tables of the page: rows for a person, numbers already rounded."""

    proposal: list[TableRow] = Field(description="shares, with intervals")
    predicted: list[TableRow] = Field(description="what a run of it would measure")
    rungs: list[TableRow] = Field(description="the answer at other sizes and budgets")


class SearchedRecord(FileRecord):
    """The answer to a question that was searched for, with all that it rests on: a mixture, or a curve over tiers."""

    remedy: ClassVar[str] = DecisionRecord.remedy

    version: Literal[1] = Field(description="number of this format")
    kind: Literal["mixture", "upsampling"] = Field(description="what was searched for")
    question: Question = Field(description="what was asked")
    sentence: str = Field(description="the answer in one sentence")
    status: Status = Field(description="how sure the answer is")
    reason: str = Field(description="why this status")
    target: Aimed | None = Field(
        description="the run that is decided for; null: the largest proxies"
    )
    metrics: list[WeightedMetric] = Field(description="what is minimised, weighted")
    judges: list[Judge] = Field(
        [], description="whose mean is minimised; empty where losses are"
    )
    level: float = Field(description="coverage of every interval, 0 to 1")
    n_params: SpokenSize = Field(description="size of the proxies that were fitted")
    n_tokens: int = Field(description="tokens that each of them saw")
    n_runs: int = Field(description="proxies that were fitted")
    n_draws: int = Field(description="resamples of the pool")
    phases: dict[str, float] | None = Field(
        None,
        description="of a mixture for each phase of the schedule: phase -> its part of the tokens; null: one mixture",
    )
    proposal: dict[str, float] = Field(
        description=(
            "domain -> share of training tokens, with phases `stable NAME` and `decay"
            " NAME` -> share of that phase; of curves tier -> times that a document is used"
        )
    )
    interval: dict[str, tuple[float, float]] = Field(
        description="as the proposal -> (low, high): where the best may lie"
    )
    reference: dict[str, float] = Field(
        description="what the proposal is held against, as the proposal: the prior, or all tiers alike"
    )
    predicted: dict[str, Band] = Field(
        description="metric -> what a run of the proposal would measure, noise included"
    )
    trade_off: dict[str, Band] = Field(
        description="metric -> its change from the reference to the proposal"
    )
    objective: Objective = Field(description="the weighted loss")
    tolerance: float = Field(
        description="difference below which mixtures tie, unit of the sum"
    )
    best_run: BestRun = Field(description="the best of the runs, for comparison")
    vetoes: dict[str, Veto] = Field(description="metric -> what it loses and may lose")
    repetition: dict[str, Repeats] = Field(description="domain -> how often it is read")
    repetition_law: dict[str, float] | None = Field(
        description="R_D_star, B and beta by which repeats cost; null: they cost nothing extra"
    )
    by_rung: list[Rung] = Field(description="the answer at other sizes and budgets")
    laws: dict[str, dict[str, float]] = Field(
        description="metric -> law -> weight by what it predicts of runs left out"
    )
    check: dict[str, dict[str, float]] = Field(
        description="metric -> rmse, of_spread and rank_correlation over runs left out"
    )
    reach: float = Field(
        description="part of a mixture that may lie beyond those trained"
    )
    beyond: float = Field(
        description="part of the proposal that lies beyond those trained"
    )
    warnings: list[Note] = Field(description="what to know before acting")
    provenance: Provenance = Field(description="what the answer stands on")
    tables: SearchedTables = Field(description="the same for a person, as tables")

    @property
    def unit(self) -> str:
        """Of the sum that is minimised."""
        return next(each.unit for each in self.metrics if each.weight > 0)


Decision = DecisionRecord | SearchedRecord


def values_of(record: SearchedRecord, name: str) -> dict[str, float]:
    """Domain -> share, or tier -> uses, of one of SEARCHED_ARMS."""
    return {
        PROPOSAL: record.proposal,
        REFERENCE: record.reference,
        BEST_RUN: record.best_run.shares,
    }[name]


def arm_name(question: str, name: str) -> str:
    """What one of SEARCHED_ARMS is called where it is trained; no arm of a person's has a colon in its name."""
    return f"{question}:{name}"


def law_name(decision: Decision) -> str:
    """What a decision rests on, in a word or two."""
    if isinstance(decision, SearchedRecord):
        return f"{decision.kind} laws, averaged"
    return decision.law.name


def read_any_decision(path: Path | str) -> Decision:
    """A record of either kind from its file. Raises InputError where it is of another format."""
    value = read_sealed(path, DecisionRecord.remedy)
    searched = isinstance(value, dict) and "kind" in value
    model: type[FileRecord] = SearchedRecord if searched else DecisionRecord
    return validated(model, path, value, DecisionRecord.remedy)  # type: ignore[return-value]


def read_decisions(folder: Path | str) -> list[Decision]:
    """Every record of a folder, by name of the question."""
    return [read_any_decision(file) for file in sorted(Path(folder).glob("*.json"))]
