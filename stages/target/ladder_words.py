"""A ladder as rows for JSON and as a table of at most 100 columns with its reasons."""

from typing import Any

from stages.presentation.si import si
from stages.proxy.specs.shape import Shape
from stages.target.ladder import Ladder
from stages.target.target import PER_PARAM_TOKEN, Target


def ladder_rows(found: Ladder) -> list[dict[str, Any]]:
    """One row a size: parameters, runs, tokens, FLOPs of its largest budget, expected seconds."""
    least, most = found.budgets_tokens[0], found.budgets_tokens[-1]
    rows = []
    for size in found.sizes:
        n_params = Shape.named(size).n_params
        rows.append(
            {
                "size": size,
                "n_params": n_params,
                "runs": found.size_runs[size],
                "least_tokens": least,
                "most_tokens": most,
                "most_flops": PER_PARAM_TOKEN * n_params * most,
                "seconds": round(found.size_seconds[size], 1),
            }
        )
    return rows


def shown_ladder(found: Ladder) -> list[dict[str, Any]]:
    """The rows for a person."""
    return [
        {
            "size": row["size"],
            "parameters": f"{row['n_params']:,}",
            "runs": row["runs"],
            "tokens": f"{si(row['least_tokens'])} to {si(row['most_tokens'])}",
            "tokens/parameter": f"{row['most_tokens'] / row['n_params']:.1f}",
            "FLOPs of the longest": f"{row['most_flops']:.1e}",
            "expected": minutes(row["seconds"]),
        }
        for row in ladder_rows(found)
    ]


def reason_lines(found: Ladder, target: Target, machine: str) -> list[str]:
    """What was chosen, and why; the cost last."""
    tokens = ", ".join(si(each) for each in found.budgets_tokens)
    largest = PER_PARAM_TOKEN * Shape.named(found.sizes[-1]).n_params
    far = target.n_flops / largest / found.budgets_tokens[-1]
    settings = "; ".join(
        ", ".join(f"{key} {value:g}" for key, value in each.items())
        for each in found.regularisations
    )
    lines = [
        f"sizes {', '.join(found.sizes)}: {found.reasons['sizes']}",
        f"budgets {tokens} tokens: {found.reasons['budgets_tokens']}",
        f"settings {settings}: {found.reasons['regularisations']}",
        f"draws {found.draws}: {found.reasons['draws']}",
        f"the target's compute is {far:.1e} times that of the longest run",
        f"cost: about {minutes(found.seconds)} of training ({machine})",
    ]
    return lines if found.fits else [*lines, "this does not fit the time"]


def minutes(seconds: float) -> str:
    """Seconds for a person.

    >>> minutes(42), minutes(600), minutes(4000)
    ('42 s', '10 min', '1.1 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
