"""What was trained after a decision against what the decision predicted: data/verify/NAME.json, one file a question.

The JSON schema is docs/verification.schema.json, written by `assay schemas`. Values and leads stand in the unit of
the metric. Nothing is fitted to these runs.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from stages.decision.at_budgets import Status
from stages.decision.record import TableRow
from stages.foundation.record_files import FileRecord, Record

VERSION = 1


class VerifiedRun(Record):
    """One run beyond the fitted compute against its prediction."""

    run_id: str = Field(description="trunk and budget, as in the runs table")
    arm: str = Field(description="arm")
    flops: float = Field(description="training compute, FLOPs (6ND)")
    times: float = Field(description="of the largest fitted compute at the size")
    n_tokens_seen: int = Field(description="tokens seen")
    epochs: float = Field(description="passes over the arm")
    pool_draw: int = Field(description="resample of the pool")
    weight_decay: float = Field(description="of the run that is best of its settings")
    dropout: float = Field(description="of the run that is best of its settings")
    measured: float = Field(description="measured value, unit of the metric")
    predicted: float = Field(description="predicted value, unit of the metric")
    low: float = Field(description="lower end of the interval of a new run")
    high: float = Field(description="upper end of the interval of a new run")
    inside: bool = Field(description="the measured value lies in the interval")


class VerifiedLead(Record):
    """One difference of two arms at one budget, mean over the resamples that both were trained on."""

    arm: str = Field(description="arm that was said to be best at the budget")
    against: str = Field(description="arm that it is compared with")
    flops: float = Field(description="training compute, FLOPs (6ND)")
    times: float = Field(description="of the largest fitted compute at the size")
    run_ids: list[str] = Field(description="the runs that it is measured on")
    measured: float = Field(description="arm less against, unit of the metric")
    predicted: float = Field(description="the same, predicted; negative is better")
    low: float = Field(description="lower end of its interval, with the noise of runs")
    high: float = Field(description="upper end of its interval, with the noise of runs")
    inside: bool = Field(description="the measured lead lies in the interval")


class Verdict(Record):
    """What the decision said at one of its budgets, and which arm was measured best there."""

    flops: float = Field(description="training compute, FLOPs (6ND)")
    times: float = Field(description="of the largest fitted compute at the size")
    status: Status = Field(description="what the decision said at this budget")
    best: str = Field(description="arm that it named")
    measured_best: str = Field(description="best of the arms that were trained")
    right: bool | None = Field(
        description="the arm named is the one measured; null where nothing was decided"
    )


class Verification(FileRecord):
    """Predicted against measured for one question, with all that was trained after its decision."""

    remedy = "verify again with `assay verify`"

    version: Literal[1] = Field(description="number of this format")
    question: str = Field(description="name of the question under arms.questions")
    decision: str = Field(
        description="hash of the decision: question, fitted runs and law"
    )
    metric: str = Field(description="metric of the runs table")
    level: float = Field(description="coverage of every interval")
    n_params: int = Field(description="non-embedding parameters of the runs")
    fitted_to_flops: float = Field(description="largest fitted compute at the size")
    labels: dict[str, str] = Field(description="arm -> what it does, in words")
    arms: dict[str, str] = Field(description="arm that was trained -> why")
    runs: list[VerifiedRun] = Field(description="one row an arm, budget and resample")
    leads: list[VerifiedLead] = Field(description="one row a budget and other arm")
    verdicts: list[Verdict] = Field(description="one row a budget that it spoke of")
    coverage: float | None = Field(
        description="share of the runs inside their intervals; null without runs"
    )
    mean_error: float | None = Field(
        description="mean absolute error over the value, a share; null without runs"
    )
    lead_coverage: float | None = Field(
        description="share of the leads inside their intervals; null without leads"
    )
    decided_right: int = Field(description="budgets called decided, and rightly")
    decided_wrong: int = Field(description="budgets called decided, and wrongly")
    sentence: str = Field(description="the outcome in one sentence")
    table: list[TableRow] = Field(description="the runs for a person")
    lead_table: list[TableRow] = Field(description="the leads for a person")


def read_verification(path: Path | str) -> Verification:
    """One record from its file. Raises InputError where it is of another format."""
    return Verification.read(path)
