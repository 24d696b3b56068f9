"""One metric of several judges: the weighted mean of their bits a byte.

Bits a UTF-8 byte do not depend on how a tokenizer cuts a domain, so domains may be added up. A judge whose arms differ
by less than the noise of one run cannot tell them apart and only adds its noise: it is left out, with its numbers
(signal over noise as in Heineman et al. 2025, "Signal and Noise", arXiv:2508.13144).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from stages.foundation.errors import ParamsError
from stages.presentation.metric_words import SUITE
from stages.runs.judge_record import Judge
from stages.runs.study import best_regularised

BITS = ("bpb_", "correct_bpb_")  # metrics in bits a byte: of domains, of items


def judges_of(
    weights: Mapping[str, float], runs: pl.DataFrame, least_ratio: float
) -> list[Judge]:
    """The judges named, with what each can tell of these runs. Empty without names.

    weights: name -> weight, any scale; a name is a held-out domain or a metric in bits a byte. runs: rows of the runs
    table, all metrics, the arms of one question. least_ratio: of signal to noise, below which a judge is left out;
    where all are below, all stay. Raises ParamsError for a name that no run was judged by.
    """
    found = [
        _measured(name, _metric(name, runs), weight=weight, runs=runs)
        for name, weight in weights.items()
    ]
    telling = {each.name for each in found if each.signal >= least_ratio * each.noise}
    kept = telling or set(weights)
    total = sum(weights[name] for name in kept)
    return [
        each.model_copy(
            update={
                "weight": weights[each.name] / total if each.name in kept else 0.0,
                "used": each.name in kept,
                "reason": _reason(each, least_ratio, kept=each.name in kept),
            }
        )
        for each in found
    ]


def with_suite(runs: pl.DataFrame, judges: Sequence[Judge]) -> pl.DataFrame:
    """The runs table with rows of SUITE added, one a run that every judge in use has judged."""
    weights = {each.metric: each.weight for each in judges if each.used}
    return with_weighted(runs, weights, SUITE) if weights else runs


def with_weighted(
    runs: pl.DataFrame, weights: Mapping[str, float], name: str
) -> pl.DataFrame:
    """The runs table with rows of a metric `name` added: the weighted sum of others, one a run that has all of them.

    weights: metric -> weight. A metric that is there under this very name stays as it is.
    """
    if list(weights) == [name]:
        return runs
    weight = pl.col("metric").replace_strict(weights, return_dtype=pl.Float64)
    own = runs.filter(pl.col("metric").is_in(list(weights))).unique(
        ["run_id", "metric"], keep="first", maintain_order=True
    )
    sums = (
        own.with_columns(weight=weight)
        .group_by("run_id", maintain_order=True)
        .agg(
            value=(pl.col("weight") * pl.col("value")).sum(),
            value_se=((pl.col("weight") * pl.col("value_se")) ** 2).sum().sqrt(),
            judged=pl.len(),
        )
        .filter(judged=len(weights))
        .drop("judged")
    )
    added = (
        own.filter(metric=next(iter(weights)))
        .drop("value", "value_se")
        .join(sums, on="run_id", how="inner", maintain_order="left")
        .with_columns(metric=pl.lit(name))
        .select(runs.columns)
    )
    return pl.concat([runs, added])


def judged_rows(best: pl.DataFrame, runs: pl.DataFrame, judge: Judge) -> pl.DataFrame:
    """The runs that were fitted, `best`, with the value and standard error that one judge gave them."""
    own = (
        runs.filter(metric=judge.metric)
        .unique("run_id", keep="first")
        .select("run_id", "value", "value_se")
    )
    return (
        best.drop("value", "value_se")
        .join(own, on="run_id", how="left", maintain_order="left")
        .with_columns(metric=pl.lit(judge.metric))
        .select(best.columns)
    )


def _metric(name: str, runs: pl.DataFrame) -> str:
    """`bpb_<domain>`, or the metric of that very name. ParamsError where no run has it."""
    there = {
        metric
        for metric in runs["metric"].unique()
        if metric.startswith(BITS) and metric != SUITE
    }
    for metric in (f"bpb_{name}", name):
        if metric in there:
            return metric
    choices = sorted(metric.removeprefix("bpb_") for metric in there)
    raise ParamsError(
        f"fit.judges: no held-out domain or items {name!r} in bits a byte; there are"
        f" {', '.join(choices) or 'none'}"
    )


def _measured(name: str, metric: str, *, weight: float, runs: pl.DataFrame) -> Judge:
    """Signal and noise at the largest size and budget that every arm was trained at."""
    best = best_regularised(runs.filter(metric=metric))
    cells = best.group_by("n_params", "n_tokens_seen").agg(
        arms=pl.col("arm").n_unique()
    )
    largest = (
        cells.filter(pl.col("arms") == pl.col("arms").max())
        .sort("n_params", "n_tokens_seen")
        .select("n_params", "n_tokens_seen")
        .tail(1)
    )
    arms = (
        best.join(largest, on=["n_params", "n_tokens_seen"], how="semi")
        .group_by("arm")
        .agg(
            mean=pl.col("value").mean(),
            variance=pl.col("value").var(),
            error=pl.col("value_se").mean(),
        )
    )
    variance = arms["variance"].drop_nulls()
    noise = (
        float(variance.mean()) ** 0.5 if len(variance) else float(arms["error"].mean())
    )
    signal = float(arms["mean"].max() - arms["mean"].min())
    return Judge(
        name=name,
        metric=metric,
        weight=weight,
        signal=signal,
        noise=noise,
        used=True,
        reason="",
    )


def _reason(judge: Judge, least_ratio: float, *, kept: bool) -> str:
    ratio = judge.signal / judge.noise if judge.noise else np.inf
    said = (
        f"arms differ by {judge.signal:.3g} bits a byte, {ratio:.2g} times the noise of"
        " one run"
    )
    if ratio >= least_ratio:
        return said
    if kept:
        return f"{said}, less than {least_ratio:g}, but no judge has more"
    return f"left out: {said}, less than fit.least_signal_to_noise {least_ratio:g}"
