"""What is worth training after a decision: which arms, to which budgets, at which regularisation."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from stages.decision.worth import keeps_everything
from stages.proxy.specs.shape import whole_batches

# ours: budgets nearer than this factor tell the same
APART = 1.25
# cost a decay each or nothing; the others cost a run from the start or cannot be placed freely
BRANCHING = ("wsd", "power", "constant")
# ours: beyond it the setting of more repeats has taken over
NEAR = 2.0
Setting = tuple[float, float]  # weight decay, dropout


def unfiltered_arm(
    arms: Mapping[str, Mapping[str, Any]], columns: Mapping[str, Mapping[str, float]]
) -> str:
    """The arm that takes the pool as it is, else the one with the most different tokens.

    arms: settings of the arms of the question; columns: what each offers a law.
    """

    def openness(name: str) -> tuple[bool, float]:
        return keeps_everything(arms[name]), columns[name]["n_tokens_unique"]

    return max(arms, key=openness)


def arms_to_train(
    predicted: Mapping[str, float],
    unfiltered: str,
    n_best: int,
    words: tuple[str, str] = ("the unfiltered pool", "the unfiltered"),
) -> dict[str, str]:
    """Arm -> why: the best by prediction at the largest budget, then the unfiltered one or, where it is
    among them, the next. words: for the unfiltered one, alone and in a sentence.
    """
    order = sorted(predicted, key=lambda arm: predicted[arm])
    places = ("best", "second", "third", "fourth")
    chosen = {
        arm: f"{place} by prediction at the largest budget"
        for arm, place in zip(order[:n_best], places, strict=False)
    }
    if unfiltered not in chosen:
        return chosen | {unfiltered: words[0]}
    rest = [arm for arm in order if arm not in chosen]
    return chosen | dict.fromkeys(rest[:1], f"next, {words[1]} is among the best")


def budgets_to_train(
    reach: float, top: float, targets: Sequence[float], schedule: str
) -> list[float]:
    """FLOPs, rising: the top; on a schedule that branches also the decision's own target budgets above
    `reach`, and halves of the top where those leave a gap.
    """
    found = [top]
    if schedule in BRANCHING:
        n_halves = max(0, math.ceil(math.log2(top / reach)) - 1)
        halves = [top / 2**i for i in range(1, n_halves + 1)]
        for budget in [*sorted(targets, reverse=True), *halves]:
            inside = reach < budget < top
            if inside and all(_apart(budget, other) for other in found):
                found.append(budget)
    return sorted(found)


def _apart(one: float, other: float) -> bool:
    return max(one, other) / min(one, other) > APART


def tokens_of(flops: Sequence[float], n_params: int, batch_tokens: int) -> list[int]:
    """Whole batches of tokens for these budgets at 6 N D, doubles dropped."""
    tokens = [whole_batches(budget / 6 / n_params, batch_tokens) for budget in flops]
    return sorted(set(tokens))


def winners(runs: pl.DataFrame) -> pl.DataFrame:
    """arm, n_tokens_seen, epochs, weight_decay, dropout: of each arm and budget the setting with the
    least mean value over the resamples. runs: one metric and size.
    """
    cells = runs.group_by("arm", "n_tokens_seen", "weight_decay", "dropout").agg(
        pl.col("value", "epochs").mean(),
        diverged=(pl.col("diverged") | ~pl.col("value").is_finite()).any(),
    )
    return (
        cells.filter(~pl.col("diverged"))
        .sort("value", "weight_decay", "dropout")
        .unique(["arm", "n_tokens_seen"], keep="first", maintain_order=True)
        .select("arm", "n_tokens_seen", "epochs", "weight_decay", "dropout")
        .sort("arm", "n_tokens_seen")
    )


def setting_for(won: pl.DataFrame, arm: str, epochs: float) -> Setting:
    """The setting that won where documents were repeated about as often, in the arm itself if it was there
    as near, then at the larger budget. won: as `winners` gives it.
    """

    def distance(row: dict[str, Any]) -> tuple[float, bool, int]:
        away = abs(math.log(row["epochs"] / epochs))
        return round(away, 1), row["arm"] != arm, -row["n_tokens_seen"]

    nearest = min(won.iter_rows(named=True), key=distance)
    return nearest["weight_decay"], nearest["dropout"]


def settings_by_budget(
    won: pl.DataFrame, arm: str, tokens: Sequence[int], n_unique: float
) -> dict[Setting, tuple[int, ...]]:
    """Setting -> the budgets in tokens that are trained at it, rising. One or two settings.

    Every budget is trained at the setting that won where documents repeat about as often as they will at the
    largest; those up to twice what was fitted also at the one that won there. n_unique: different tokens of the arm.
    """
    at_the_top = setting_for(won, arm, epochs=max(tokens) / n_unique)
    trained = won.filter(arm=arm).sort("n_tokens_seen")
    if trained.is_empty():  # what a search proposes is in no sweep
        return {at_the_top: tuple(sorted(tokens))}
    own = trained.row(-1, named=True)
    before = (own["weight_decay"], own["dropout"])
    near = [each for each in tokens if each <= NEAR * own["n_tokens_seen"]]
    chosen = {at_the_top: tuple(sorted(tokens))}
    if before != at_the_top and near:
        chosen[before] = tuple(sorted(near))
    return chosen
