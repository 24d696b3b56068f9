"""What a decision record says of the arms by compute: at each budget, at the target, and where the best arm changes.

Fields stand in the unit of the metric unless they say otherwise.
"""

from typing import Literal

from pydantic import Field

from stages.foundation.record_files import Record
from stages.runs.judge_record import JudgedLoss

Status = Literal["decided", "tie", "insufficient_evidence", "extrapolating"]


class Target(Record):
    """The comparison of the arms at one budget."""

    flops: float = Field(description="training compute asked about, FLOPs (6ND)")
    best: str = Field(description="arm of the least value")
    second: str | None = Field(
        description="arm of the next value; null if there is one arm"
    )
    status: Status = Field(description="what may be said at this budget")
    reason: str = Field(description="why this status, with its numbers")
    values: dict[str, tuple[float, float, float]] = Field(
        description="arm -> (value, low, high) in the unit of the metric"
    )
    p_best: dict[str, float] = Field(
        description="arm -> share of the draws in which it is best"
    )
    regret: dict[str, float] = Field(
        description="arm -> mean excess over the best arm of each draw, unit of the metric"
    )
    lead: tuple[float, float, float] = Field(
        description="best less second: (value, low, high), unit of the metric, negative is better"
    )
    n_params: dict[str, float] = Field(
        description="arm -> non-embedding parameters compared"
    )
    n_tokens: dict[str, float] = Field(
        description="arm -> tokens (or images) seen at this budget"
    )
    extrapolation_decades: float = Field(
        description="factors of ten above the largest measured compute, negative within it"
    )
    runner_up_best: str | None = Field(
        description="best arm by the next-best law; null without one"
    )
    tolerance: float = Field(
        description="lead below which arms tie, unit of the metric"
    )
    smallest_detectable_effect: float | None = Field(
        description="lead that equal arms show by chance, unit of the metric; null without a twin"
    )
    p_best_rivals: dict[str, float] = Field(
        description="rival reading of the runs -> share of its draws in which `best` is best"
    )
    code: str = Field(
        "",
        description="what the runs say against the law here: runs_contradict, turns,"
        " repeats_beyond, mixture_beyond or onset; lr_flips where"
        " the winner falls behind at a lower learning rate; veto where a judge speaks against it; empty"
        " for nothing",
    )
    generation_flops: dict[str, float] = Field(
        {},
        exclude_if=lambda flops: not flops,
        description="arm -> part of the compute that goes into generating its text, FLOPs",
    )
    judged: list[JudgedLoss] = Field(
        [],
        description="how each arm stands against the baseline by each judge; empty without",
    )


class Repetition(Record):
    """How often an arm repeats its data at the target, and how often the proxies did."""

    arm: str = Field(description="arm")
    unique_tokens: float = Field(
        description="different tokens (or images) that the arm has at the target"
    )
    target_passes: float = Field(
        description="tokens over different tokens at the target; below 1 nothing repeats"
    )
    target_passes_most: float = Field(
        description="the same of the part of the arm that is repeated most"
    )
    effective_tokens: float | None = Field(
        None,
        description="different tokens that those seen at the target are worth (N_eff): repeats fade by the"
        " published constant of text (Muennighoff et al. 2023); null of images",
    )
    proxy_passes: tuple[float, float] = Field(
        description="the least and the most of the arm's own runs"
    )
    proxy_passes_most: tuple[float, float] = Field(
        description="the least and the most of its runs, of the part that is repeated most"
    )
    covered: bool = Field(
        description="a run of any arm repeats about as often, within 1.5 times"
    )
    text: str = Field(
        description="where arm and proxies disagree, both numbers; empty where they agree"
    )


class TargetRun(Record):
    """The run that the answer is for, and the answer there."""

    n_params: float = Field(description="non-embedding parameters of the target")
    n_tokens: float = Field(description="tokens (or images) that it sees")
    flops: float = Field(description="its compute, FLOPs (6ND)")
    pool_tokens: dict[str, float] = Field(
        description="pool -> different tokens of the target, duplicates removed"
    )
    decades: float = Field(
        description="factors of ten of compute beyond the largest proxy"
    )
    decades_params: float = Field(
        description="factors of ten of parameters beyond the largest proxy"
    )
    decades_tokens: float = Field(
        description="factors of ten of tokens beyond the longest proxy"
    )
    best: str = Field(description="leading arm, whatever the status")
    status: Status = Field(description="what may be said at the target")
    repetition: list[Repetition] = Field(
        description="how often each arm repeats, there and in the proxies"
    )
    text: str = Field(description="the target in words")


class Crossing(Record):
    """A budget at which one arm stops being better than another."""

    first: str = Field(description="arm that is better below")
    second: str = Field(description="arm that is better above")
    flops: float = Field(description="where they cross, FLOPs")
    low: float | None = Field(
        description="lower end of the interval, FLOPs; null: below the searched range"
    )
    high: float | None = Field(
        description="upper end of the interval, FLOPs; null: beyond the searched range"
    )
    share: float = Field(
        description="share of the draws that cross within the searched range"
    )
    level: float = Field(description="coverage of the interval, 0 to 1")


class Flip(Crossing):
    """A budget at which the best arm changes."""

    extrapolated: bool = Field(description="the flip lies above the measured compute")


class Worth(Record):
    """What the best arm is worth at one budget: the law of the baseline inverted, paired by draw."""

    flops: float = Field(description="training compute asked about, FLOPs (6ND)")
    best: str = Field(description="arm of the least value there")
    baseline: str = Field(
        description="arm that keeps everything; where that is the best, or there is none, the second"
    )
    level: float = Field(description="coverage of the intervals, 0 to 1")
    times: float | None = Field(
        description="compute at which the baseline reaches the best arm's value, over flops; null:"
        " not within 10,000 times"
    )
    low: float | None = Field(
        description="lower end of the interval of times; null: below 0.01; at most 10,000"
    )
    high: float | None = Field(
        description="upper end of the interval of times; null: above 10,000; at least 0.01"
    )
    tokens_times: float | None = Field(
        description="the same in tokens at the size of the best arm; null as in times, or where the"
        " law knows no tokens"
    )
    tokens_low: float | None = Field(description="lower end, as low")
    tokens_high: float | None = Field(description="upper end, as high")
    never: bool = Field(
        description="the baseline never reaches the value, in the law's limit"
    )
    until: Crossing | None = Field(
        description="where the best arm falls behind the baseline; null: not in the searched range"
    )
    text: str = Field(description="the same as a sentence")


class Stretch(Record):
    """A stretch of compute with the arm that is best on it."""

    arm: str = Field(description="best arm")
    up_to: Crossing | None = Field(
        description="the flip that ends the stretch; null: the end of the range"
    )
