"""The numbers of a finished trunk: curve and held-out losses over what was read, log10 axes for compare views.

The last value of a held-out metric is the final one; `best_` is the least over the budgets.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from stages.runs.run_files import rows_of


class Point(NamedTuple):
    """One value of a metric. step: tokens seen, or images."""

    key: str
    value: float
    step: int


def points_of(run: dict[str, Any]) -> list[Point]:
    """Every value that is sent of a finished trunk; what is not finite is left out."""
    own = _image_points(run) if is_image(run) else _text_points(run)
    points = [*own, *_best(own), *_time(run["result"])]
    return [point for point in points if math.isfinite(point.value)]


def is_image(run: dict[str, Any]) -> bool:
    """Whether a trunk was trained on images."""
    return run.get("modality") == "image"


def rows_of_any(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the runs table of a trunk of either modality."""
    if not is_image(run):
        return rows_of(run)
    from stages.images.sweep import rows_of as image_rows_of

    return image_rows_of(run)


def diverged(result: dict[str, Any]) -> bool:
    """Whether its loss says nothing of its data, at any budget."""
    return bool(
        result.get("diverged")
        or any(budget["diverged"] for budget in result["budgets"])
    )


def _text_points(run: dict[str, Any]) -> list[Point]:
    result = run["result"]
    n_params = rows_of(run)[0]["n_params"]
    points = _curve(result["curve"])
    for budget in result["budgets"]:
        step = budget["n_tokens_seen"]
        points += _axes(budget, step, n_params)
        for domain, score in budget["held_out"].items():
            name = f"heldout_{domain}"
            points += [
                Point(f"{name}_loss_nats", score["loss_nats"], step),
                Point(f"{name}_loss_nats_se", score["standard_error_nats"], step),
                Point(f"{name}_bits_per_byte", score["bits_per_byte"], step),
            ]
        items = budget.get("items", {})
        points += [
            Point(f"items_{name}", value, step) for name, (value, _) in items.items()
        ]
    return points


def _curve(curve: dict[str, list[Any]]) -> list[Point]:
    """The trunk alone: points of its decays to a budget are left out."""
    points = zip(
        curve["n_tokens_seen"], curve["budget_tokens"], curve["loss_nats"], strict=True
    )
    return [
        Point("train_loss_nats", loss, step)
        for step, budget, loss in points
        if not budget
    ]


def _image_points(run: dict[str, Any]) -> list[Point]:
    points = []
    budgets = {budget["n_samples_seen"]: budget for budget in run["result"]["budgets"]}
    n_params = run["result"]["n_params"]
    for step, budget in budgets.items():
        points += _axes(budget, step, n_params)
    for row in rows_of_any(run):
        kind, _, domain = row["metric"].partition("_")
        name = f"heldout_{domain}_{'loss_nats' if kind == 'loss' else kind}"
        step = row["n_samples_seen"]
        points.append(Point(name, row["value"], step))
        if row["value_se"] is not None:
            points.append(Point(f"{name}_se", row["value_se"], step))
    return points


def _axes(budget: dict[str, Any], step: int, n_params: int) -> list[Point]:
    return [
        Point("log10_flops", math.log10(budget["flops"]), step),
        Point("log10_tokens", math.log10(step), step),
        Point("log10_n_params", math.log10(n_params), step),
        Point("epochs", budget["epochs"], step),
    ]


def _best(points: list[Point]) -> Iterator[Point]:
    """The least of each held-out loss or error, with the standard error that it has at that budget."""
    errors = {
        (point.key, point.step): point.value
        for point in points
        if point.key.endswith("_se")
    }
    for key in dict.fromkeys(point.key for point in points):
        if not key.startswith("heldout_") or not key.endswith(("_loss_nats", "_error")):
            continue
        own = [p for p in points if p.key == key and math.isfinite(p.value)]
        if not own:
            continue
        best = min(own, key=lambda point: point.value)
        yield best._replace(key=f"best_{key}")
        if (f"{key}_se", best.step) in errors:
            yield Point(f"best_{key}_se", errors[f"{key}_se", best.step], best.step)


def _time(result: dict[str, Any]) -> Iterator[Point]:
    """Its share where runs were stacked; budgets count from the start of the trunk."""
    at_last = max(budget["seconds"] for budget in result["budgets"])
    seconds = result.get("seconds", at_last)
    yield Point("train_seconds", seconds, 0)
    if result["device"].startswith("cuda"):
        yield Point("gpu_hours", seconds / 3600, 0)
