"""The run that a decision is for: what the arms have there, how far it is from the proxies, how often data repeat."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from stages.curation.selecting.recipes import recipes
from stages.decision.at_budgets import Repetition, TargetRun
from stages.decision.at_budgets import Target as Compared
from stages.foundation.one_line import told_apart
from stages.laws.deciding.objections import are_covered, part_passes, whole_passes
from stages.laws.deciding.path import ArmColumns
from stages.laws.mixing.repeats import PUBLISHED
from stages.laws.repetition.data_constrained import effective_tokens
from stages.runs.study import law_rows
from stages.target.target import Target, is_budget_of

SAME_POOLS = 0.05  # assumed: resamples of a small pool differ by less


def columns_at(
    target: Target,
    views: pl.DataFrame,
    names: Sequence[str],
    arms: Mapping[str, Any],
) -> dict[str, dict[str, float]]:
    """What each arm offers a law at the target: the kept fraction of each pool, of the pools that the target has.

    arms: data/arms/arms.json; names: arms and their twins. Pools of the size of a resample are the resample.
    """
    settings = {
        name: arms["arms"][arms["controls"].get(name, {}).get("like", name)]
        for name in names
    }
    generated = {
        name: generated_flops(target, arms["pool_tokens"], arm)
        for name, arm in settings.items()
        if target.generation_flops_per_token
    }
    if are_drawn(target, arms):
        return recipes(views, names, arms["tiers"], generated=generated)
    fixed = [
        name
        for name, arm in settings.items()
        if arm["mixture"] or arm["upweight"] or arm.get("uses")
    ]
    return recipes(
        views,
        names,
        arms["tiers"],
        times=times_of(target, arms),
        fixed=fixed,
        generated=generated,
    )


def generated_flops(
    target: Target, ingested: Mapping[str, float], arm: Mapping[str, Any]
) -> dict[str, float]:
    """Pool -> FLOPs of generating what an arm chooses from: all of it, unless it takes documents at random.

    ingested: pool -> tokens, duplicates removed; arm: its settings.
    """
    pools = target.pools(ingested)
    part = arm["keep"] if arm["take"] == "random" else 1.0
    return {
        pool: price * part * pools.get(pool, 0.0)
        for pool, price in target.generation_flops_per_token.items()
    }


def times_of(target: Target, arms: Mapping[str, Any]) -> dict[str, float]:
    """pool -> its tokens at the target over those of one resample; a pool that no resample holds is left out."""
    pools, drawn = target.pools(arms["pool_tokens"]), arms["draw_tokens"]
    return {name: pools[name] / drawn[name] for name in pools if drawn[name]}


def are_drawn(target: Target, arms: Mapping[str, Any]) -> bool:
    """Whether the target's pools are those of a resample, but for the few documents by which resamples differ."""
    pools, drawn = target.pools(arms["pool_tokens"]), arms["draw_tokens"]
    apart = sum(abs(pools[name] - drawn[name]) for name in pools)
    return apart < SAME_POOLS * sum(drawn.values())


def is_trained(target: Target, rows: pl.DataFrame, arms: Mapping[str, Any]) -> bool:
    """Whether the proxies have the target's size and pools, so that their curves are its own."""
    sizes = rows["n_params"].unique().to_list()
    return round(target.params) in sizes and are_drawn(target, arms)


def target_run(
    target: Target,
    *,
    compared: Sequence[Compared],
    columns: ArmColumns,
    rows: pl.DataFrame,
    arms: Mapping[str, Any],
    labels: Mapping[str, str],
) -> TargetRun:
    """The record of the target. compared: every budget, the target's among them; columns: of the arms there."""
    answer = answer_of(target, compared)
    largest = {
        name: float(rows[name].max()) for name in ("flops", "n_params", "n_tokens_seen")
    }
    decades = float(np.log10(target.n_flops / largest["flops"]))
    pools = target.pools(arms["pool_tokens"])
    return TargetRun(
        n_params=target.params,
        n_tokens=target.n_tokens,
        flops=target.n_flops,
        pool_tokens=pools,
        decades=decades,
        decades_params=float(np.log10(target.params / largest["n_params"])),
        decades_tokens=float(np.log10(target.n_tokens / largest["n_tokens_seen"])),
        best=answer.best,
        status=answer.status,
        repetition=[
            repetition(
                arm,
                target,
                columns[arm],
                rows=rows,
                label=labels[arm],
                n_tokens=answer.n_tokens[arm]
                if arm in answer.generation_flops
                else None,
            )
            for arm in answer.values
        ],
        text=(
            f"{count_text(target.params)} parameters and {count_text(target.n_tokens)}"
            f" {'images' if rows['modality'][0] == 'image' else 'tokens'} from a pool of"
            f" {count_text(sum(pools.values()))}"
        ),
    )


def answer_of(target: Target, compared: Sequence[Compared]) -> Compared:
    """The comparison at the target's budget."""
    return next(each for each in compared if is_budget_of(target, each.flops))


def repetition(
    arm: str,
    target: Target,
    columns: Mapping[str, float],
    *,
    rows: pl.DataFrame,
    label: str,
    n_tokens: float | None = None,
) -> Repetition:
    """Passes of one arm at the target beside those of its runs. rows: the runs that were fitted, of all arms; n_tokens:
    that it sees there, where generating its text leaves fewer than the target has.
    """
    every, own = law_rows(rows), law_rows(rows.filter(pl.col("arm") == arm))
    asked = {**columns, "n_tokens_seen": n_tokens or target.n_tokens}
    whole = {"there": _passes(asked), "own": _passes(own), "every": _passes(every)}
    part = {
        "there": _passes(asked, parts=True),
        "own": _passes(own, parts=True),
        "every": _passes(every, parts=True),
    }
    covered = all(
        are_covered(float(each["there"][0]), each["every"]) for each in (whole, part)
    )
    wanted = float(part["there"][0])
    agree = are_covered(wanted, part["own"])
    least, most = float(part["own"].min()), float(part["own"].max())
    text = (
        ""
        if agree
        else f"{label} passes {wanted:.3g} times over its most repeated part at the"
        f" target, {least:.3g} to {most:.3g} times in its proxies;"
        + (
            " runs of other arms repeat as often, and the law carries it"
            if covered
            else " no run repeats as often, so nothing is decided"
        )
    )
    return Repetition(
        arm=arm,
        unique_tokens=float(columns["n_tokens_unique"]),
        target_passes=float(whole["there"][0]),
        target_passes_most=wanted,
        effective_tokens=(
            None
            if rows["modality"][0] == "image"
            else float(effective_tokens(PUBLISHED, asked))
        ),
        proxy_passes=(float(whole["own"].min()), float(whole["own"].max())),
        proxy_passes_most=(least, most),
        covered=covered,
        text=text,
    )


def _passes(rows: Mapping[str, Any], parts: bool = False) -> np.ndarray:
    """Passes of each row, of its whole data or its most repeated part where that is known."""
    whole = whole_passes(rows)
    assert whole is not None  # runs of the pipeline have their unique tokens
    found = part_passes(rows) if parts else None
    return whole if found is None else np.maximum(found, whole)


def headline(
    run: TargetRun, answer: Compared, labels: Mapping[str, str], unit: str
) -> str:
    """The answer for the target in one sentence, with how far it lies and how sure it is."""
    value, low, high = answer.values[answer.best]
    where = (
        f"{told_apart(run.decades, 0, digits=1)} decades beyond the largest proxy"
        if run.decades > 0
        else "within the compute of the proxies"
    )
    lead = {
        "decided": "",
        "tie": "a tie, nearest: ",
        "insufficient_evidence": "not settled, nearest: ",
        "extrapolating": "extrapolating, nearest: ",
    }[answer.status]
    return (
        f"For {run.text}, {where}: {lead}{labels[answer.best]}"
        f" (P(best) {told_apart(answer.p_best[answer.best], 0, 1, digits=2)},"
        f" {value:.3f} [{low:.3f}, {high:.3f}] {unit})."
    )


def generation_text(answer: Compared, labels: Mapping[str, str]) -> str:
    """What generating takes of the compute, arm by arm; empty where nothing is generated."""
    if not answer.generation_flops:
        return ""
    parts = [
        f"{100 * flops / answer.flops:.2g} % of the compute of {labels[arm]}"
        for arm, flops in answer.generation_flops.items()
    ]
    return f" Generating text takes {', '.join(parts)}."


def count_text(number: float) -> str:
    """A number of parameters or tokens as one would write it.

    >>> count_text(1e9), count_text(2e10), count_text(55296.0), count_text(1.31e6)
    ('1e9', '2e10', '55,296', '1.31e6')
    """
    if number < 1e6:
        return f"{number:,.0f}"
    mantissa, exponent = f"{number:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"
