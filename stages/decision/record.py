"""The decision record: everything that the page, Prefect, MLflow and the command line say about one question.

One frozen model a file `data/decisions/NAME.json`. Its JSON schema is docs/decision.schema.json, written by
`assay schemas`. Fields that end in _nats stand in the unit of the metric: nats, or the share wrong.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from stages.decision.at_budgets import (
    Crossing,
    Flip,
    Status,
    Stretch,
    Target,
    TargetRun,
    Worth,
)
from stages.foundation.record_files import FileRecord, Record, validated
from stages.foundation.sealed import AGAIN, read_sealed
from stages.laws.interface.fitted import Note, RankedLaw, TitledLaw
from stages.runs.judge_record import Judge

VERSION = 1
Cell = str | bool | int | float | None
# one row of a table for a person: heading -> text or number
TableRow = dict[str, Cell]


class Question(Record):
    """What was asked."""

    name: str = Field(description="name of the question under arms.questions")
    title: str = Field(description="the question as a sentence")


class Metric(Record):
    """What decides between arms."""

    name: str = Field(
        description="metric of the runs table, as loss_<domain>, or bpb_suite, the mean of the judges"
    )
    domain: str = Field(description="held-out domain that it is measured on")
    unit: str = Field(
        description="nats/token, nats/image, nats/item, bits/byte, share wrong or squared error"
    )


class SpokenSize(Record):
    """The model size that the answer speaks for."""

    value: int = Field(description="non-embedding parameters")
    why: str = Field(description="who chose this size")
    trained: list[int] = Field(
        description="non-embedding parameters of the sizes that were trained"
    )


class DecisionLaw(TitledLaw):
    """The law that the decision rests on."""

    name: str = Field(description="name of the law, as in `law`")
    chosen_because: str = Field(description="why this law and not the next")


class RunnerUp(Record):
    """What the next-best law says."""

    name: str | None = Field(
        description="name of the law; null if no other could be fitted"
    )
    sequence: list[Stretch] | None = Field(
        description="its best arms by stretch of compute; null without a runner-up"
    )


class ControlEffect(Record):
    """A control arm less the arm it is like: a difference whose answer is known."""

    control: str = Field(description="name of the control arm")
    kind: str = Field(description="same, drop_half or duplicate_half")
    like: str = Field(description="arm that it is compared with")
    difference_nats: float = Field(
        description="control less arm, mean over resamples, unit of the metric"
    )
    half_width_nats: float = Field(
        description="half of the 95 % interval of the difference, unit of the metric"
    )
    smallest_detectable_effect_nats: float = Field(
        description="difference found with 90 % power at the 5 % level, unit of the metric"
    )
    n_draws: int = Field(description="resamples of the pool behind it")


class LrCheck(Record):
    """The winner of one budget against its nearest rival at the usual and at a lower learning rate."""

    flops: float = Field(description="target budget that it is about, FLOPs (6ND)")
    best: str = Field(description="arm of the least value there")
    rival: str = Field(description="arm that does best against it at the lower rate")
    n_tokens_seen: int = Field(description="trained budget that is compared, tokens")
    lead_nats: float = Field(
        description="best less rival at the usual rate, mean over sizes and resamples"
    )
    half_width_nats: float = Field(description="half of the 95 % interval of that")
    lower_lead_nats: float = Field(description="the same at the lower rate")
    lower_half_width_nats: float = Field(
        description="half of the 95 % interval of that"
    )
    flips: bool = Field(
        description="the rival is surely better at the lower rate and was not at the usual one"
    )


class HeldoutRow(Record):
    """One cell of the held-out check, mean over resamples."""

    arm: str = Field(description="arm")
    n_params: float = Field(description="non-embedding parameters")
    n_tokens_seen: float = Field(description="tokens (or images) seen")
    flops: float = Field(description="training compute, FLOPs (6ND)")
    measured: float = Field(description="measured value, unit of the metric")
    predicted: float = Field(description="predicted value, unit of the metric")
    low: float = Field(description="lower end of its interval, unit of the metric")
    high: float = Field(description="upper end of its interval, unit of the metric")


class Heldout(Record):
    """The law fitted below the largest compute, against what was measured there."""

    n: int = Field(description="runs predicted")
    from_flops: float = Field(description="least compute that was held out, FLOPs")
    mape: float = Field(description="mean absolute error over the value, a share")
    rmse: float = Field(description="root mean square error, unit of the metric")
    bias: float = Field(
        description="mean of predicted less measured, unit of the metric"
    )
    coverage: float = Field(description="share of the runs inside their intervals")
    rows: list[HeldoutRow] = Field(description="one row an arm, size and budget")


class HeldoutCheck(Heldout):
    """The held-out check with its sentence."""

    text: str = Field(description="the check as a sentence")


class NextRun(Record):
    """The proxy run to make next: with a target the one that makes its answer surest per FLOP, else the one that
    settles the least settled comparison."""

    arm: str = Field(description="arm to train")
    n_params: float = Field(description="non-embedding parameters")
    n_tokens_seen: float = Field(description="tokens (or images) to train on")
    flops: float = Field(description="cost, of all its runs together, FLOPs (6ND)")
    n_runs: int = Field(
        1, description="runs that it is, one a resample from a further seed"
    )
    weight_decay: float | None = Field(
        None, description="setting to train at; null: as the arm is"
    )
    dropout: float | None = Field(None, description="the same")
    p_best: tuple[float, float] | None = Field(
        None,
        description="P(best) of the leading arm at the target, now and as expected afterwards",
    )
    variance_removed: float = Field(
        description="expected share of the variance of the comparison that it removes"
    )
    settles: tuple[str, str, float] = Field(
        description="arm, arm and budget in FLOPs of the comparison"
    )
    text: str = Field(description="the advice as a sentence")


class Point(Record):
    """Measured runs of one arm and budget at the size that the answer speaks for."""

    arm: str = Field(description="arm")
    flops: float = Field(description="training compute, FLOPs (6ND)")
    n_tokens_seen: int = Field(description="tokens (or images) seen")
    value: float = Field(description="mean over resamples, unit of the metric")
    spread: float | None = Field(
        description="standard deviation over resamples, unit of the metric; null of one"
    )


class Provenance(Record):
    """What the decision stands on."""

    run_ids: list[str] = Field(description="rows of the runs table that were fitted")
    mlflow: str = Field(description="how a run id is found in MLflow")
    data_hashes: list[str] = Field(
        description="hashes of the views that runs trained on"
    )
    code_hash: list[str] = Field(description="hashes of the trainer")
    dvc: dict[str, dict[str, str]] = Field(
        description="stage that the runs were made from -> path -> hash in dvc.lock"
    )
    inputs: dict[str, str] = Field(
        {},
        description="file that the decision was made of -> hash of its bytes; empty in older records",
    )
    params: dict[str, Any] = Field(
        {},
        description="section of the parameters -> its values, as dvc.lock has them for the stages before",
    )
    sources: dict[str, str] = Field(
        {},
        description="file or folder that a stage before read and no stage made -> hash in dvc.lock",
    )
    code: dict[str, str] = Field(
        {}, description="stage before -> one hash of the code that it depends on"
    )
    git_commit: str | None = Field(
        description="commit; + where tracked code differs from it; null outside git"
    )
    versions: dict[str, str] = Field(description="package -> installed version")
    created: str = Field(description="when the record was written, UTC, ISO 8601")


class Tables(Record):
    """The tables of the page: rows for a person, numbers already rounded."""

    targets: list[TableRow] = Field(description="what to train on, by budget")
    judges: list[TableRow] = Field(
        [], description="who judges, and how much each tells"
    )
    judged: list[TableRow] = Field(
        [], description="the best arm by each judge, by budget"
    )
    worth: list[TableRow] = Field(
        [], description="what the best arm is worth, by budget"
    )
    flips: list[TableRow] = Field(description="where the answer flips")
    flips_by_size: list[TableRow] = Field(description="best arms by model size")
    heldout: list[TableRow] = Field(description="the held-out check, one row a cell")
    controls: list[TableRow] = Field(description="controls, whose answer is known")
    laws: list[TableRow] = Field(description="candidate laws, best first")
    parameters: list[TableRow] = Field(description="parameters of the law")
    regularisation: list[TableRow] = Field(
        description="share of the cells in which each setting won"
    )


class TokenFlip(Record):
    """A budget at which the best arm changes, in tokens of the branch."""

    first: str = Field(description="arm that is better below")
    second: str = Field(description="arm that is better above")
    tokens: float = Field(description="where they cross, tokens")
    low: float | None = Field(
        description="lower end of the interval; null: below the searched range"
    )
    high: float | None = Field(
        description="upper end of the interval; null: beyond the searched range"
    )


class TrunkRecord(Record):
    """The trunk that all arms of the question leave; budgets of the record are those of its branches."""

    n_tokens: int | None = Field(
        description="tokens of the trunk where branches leave it; null: not known"
    )
    origin: str = Field(description="trained here, or the file that it comes from")
    base: str = Field(description="arm whose data the trunk was trained on")
    control: str = Field(description="arm that goes on with them: 100 % replay")
    replay: float = Field(description="share of them in every other arm, 0 to 1")
    loss: str = Field(description="all, or answer: prompts are read and not scored")
    n_trunks: int = Field(description="trunks trained, one a size, setting, resample")
    trunk_flops: float = Field(description="of all of them together, FLOPs (6ND)")
    n_branches: int = Field(description="branches trained, twins too, each budget one")
    branch_flops: float = Field(description="of all of them together, FLOPs (6ND)")
    flips: list[TokenFlip] = Field(description="the flips, in tokens of the branch")
    text: str = Field(description="the trunk and what it cost, in words")


class Findings(FileRecord):
    """The decision record without the tables that are made of it."""

    remedy = "decide again with `assay run`"

    version: Literal[1] = Field(description="number of this format")
    question: Question = Field(description="what was asked")
    sentence: str = Field(description="the answer in one sentence")
    status: Status = Field(description="how sure the answer is")
    reason: str = Field(description="why this status")
    target: TargetRun | None = Field(
        None, description="the run that is decided for; null: only the budgets"
    )
    trunk: TrunkRecord | None = Field(
        None,
        exclude_if=lambda trunk: trunk is None,
        description="where all arms leave one trunk, that trunk; not there otherwise",
    )
    metric: Metric = Field(description="what decides between arms")
    level: float = Field(description="coverage of every interval of a budget or flip")
    n_params: SpokenSize = Field(
        description="the model size that the answer speaks for"
    )
    pool_unique_tokens: int = Field(
        description="different tokens (or images) of the largest arm"
    )
    n_draws: int = Field(description="resamples of the pool")
    measured_to_flops: float = Field(
        description="largest measured compute at the size, FLOPs"
    )
    searched_to_flops: float = Field(
        description="compute up to which flips are searched, FLOPs"
    )
    base: str = Field(description="arm that difference curves are taken from")
    labels: dict[str, str] = Field(description="arm -> what it does, in words")
    judges: list[Judge] = Field(
        [], description="whose mean the metric is; empty where one domain decides"
    )
    licences: dict[str, dict[str, int]] = Field(
        {},
        description="arm -> licence -> different documents used, over all resamples",
    )
    targets: list[Target] = Field(description="one comparison a budget")
    worth: list[Worth] = Field(
        [], description="what the best arm of each target budget is worth in compute"
    )
    crossovers: list[Flip] = Field(description="flips of the best arm, by compute")
    crossovers_drawn: list[Flip] = Field(
        description="the flips with open ends at the ends of the searched range"
    )
    crossovers_by_size: dict[str, list[Stretch]] = Field(
        description="non-embedding parameters -> best arms by stretch of compute"
    )
    pairwise: list[Crossing] = Field(
        description="every crossing of any two arms, best-placed or not"
    )
    law: DecisionLaw = Field(description="the law that the decision rests on")
    runner_up: RunnerUp = Field(description="what the next-best law says")
    ranking: list[RankedLaw] = Field(description="candidate laws, best first")
    smallest_detectable_effect_nats: float | None = Field(
        description="smallest difference of arms that the runs could find, unit of the metric"
    )
    chance_lead_nats: list[float | None] = Field(
        description="of each target: lead that equal arms show by chance, unit of the metric"
    )
    controls: list[ControlEffect] = Field(
        description="comparisons whose answer is known"
    )
    lr_checks: list[LrCheck] = Field(
        [], description="the winner of each target at a lower learning rate"
    )
    heldout_check: HeldoutCheck = Field(description="how the law predicts unseen runs")
    regularisation: list[TableRow] = Field(
        description="arm, and the share of its cells in which each setting won"
    )
    next_run: NextRun | None = Field(
        description="the run to make next; null where nothing is open"
    )
    sureness: float | None = Field(
        None,
        description="P(best) of the arm that leads at the target, the smaller of its share of the draws"
        " and 1 less the normal tails of the others; null without a target",
    )
    dropped: dict[str, float] = Field(
        {},
        description="arm that no further run is worth, at the target -> chance that it beats the leading one",
    )
    warnings: list[Note] = Field(description="what to know before acting")
    points: list[Point] = Field(description="what was measured, mean over resamples")
    provenance: Provenance = Field(description="what the decision stands on")


class DecisionRecord(Findings):
    """The answer to one question, with all that it rests on."""

    tables: Tables = Field(description="the same for a person, as tables")


class QuestionFit(Record):
    """What the fit stage says of one question, in data/fit/NAME.json."""

    metric: str = Field(description="metric of the runs table that was fitted")
    reason: str = Field(description="why this law and not the next")
    ranking: list[RankedLaw] = Field(description="candidate laws, best first")
    refused: dict[str, str] = Field(description="law -> why it could not be fitted")
    law: TitledLaw = Field(description="the law chosen, fitted to all runs")
    runner_up: str | None = Field(description="name of the next-best law")
    holdout: Heldout = Field(description="the law against runs it had not seen")
    warnings: list[Note] = Field(description="what to know about the choice")
    regularisation: list[TableRow] = Field(
        description="arm, and the share of its cells in which each setting won"
    )
    judges: list[Judge] = Field(
        [], description="whose mean the metric is; empty where one domain decides"
    )


def read_decision(path: Path | str) -> DecisionRecord:
    """One record from its file. Raises InputError where it is of another format."""
    return DecisionRecord.read(path)


def read_question_fit(path: Path | str) -> QuestionFit:
    """What the fit stage wrote about one question. Raises InputError where it is damaged or of another format."""
    return validated(QuestionFit, path, read_sealed(path, AGAIN), AGAIN)
