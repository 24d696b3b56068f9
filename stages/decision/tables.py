"""The tables of a decision as rows for a person: the page, the markdown and the terminal show the same ones."""

from typing import Any

from stages.presentation.metric_words import MetricWords, metric_words
from stages.presentation.numbers import flops_text, interval_text
from stages.presentation.parameters import parameter_rows


def tables(decision: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Every table of the page by name."""
    words = metric_words(decision["metric"])
    return {
        "targets": [
            target_row(target, decision["labels"], words)
            for target in decision["targets"]
        ],
        "flips": [
            flip_row(flip, decision["labels"]) for flip in decision["crossovers"]
        ],
        "flips_by_size": [
            row
            for size, path in decision["crossovers_by_size"].items()
            for row in size_rows(int(size), path, decision["labels"], words)
        ],
        "heldout": [
            heldout_row(row, decision["labels"], words)
            for row in decision["heldout_check"]["rows"]
        ],
        "controls": [control_row(row, words) for row in decision["controls"]],
        "laws": [law_row(row) for row in decision["ranking"]],
        "parameters": shown_parameters(decision["law"]["params"]),
        "regularisation": decision["regularisation"],
    }


def target_row(
    target: dict[str, Any], labels: dict[str, str], words: MetricWords
) -> dict[str, Any]:
    value, low, high = target["values"][target["best"]]
    lead = target["lead"]
    return {
        "FLOPs": flops_text(target["flops"]),
        "train on": labels[target["best"]],
        "P(best)": round(target["p_best"][target["best"]], 3),
        words.value: f"{value:.3f} [{low:.3f}, {high:.3f}]",
        "lead over the next": f"{-lead[0]:.3f} [{-lead[2]:.3f}, {-lead[1]:.3f}]",
        "next": labels[target["second"]] if target["second"] else "",
        "regret": round(target["regret"][target["best"]], 4),
        "other law says": (
            labels[target["runner_up_best"]] if target["runner_up_best"] else ""
        ),
        "status": target["status"].replace("_", " "),
        "_best": target["status"] == "decided",
    }


def flip_row(flip: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    return {
        "from": labels[flip["first"]],
        "to": labels[flip["second"]],
        "at": interval_text(flip),
        "draws with a flip": round(flip["share"], 3),
        "beyond what was measured": "yes" if flip["extrapolated"] else "no",
    }


def size_rows(
    size: int, path: list[dict[str, Any]], labels: dict[str, str], words: MetricWords
) -> list[dict[str, Any]]:
    return [
        {
            "parameters": f"{size:,}",
            "best": labels[step["arm"]],
            "up to": (
                interval_text(step["up_to"])
                if step["up_to"]
                else "the end of the range"
            ),
            f"{words.counted} there": (
                f"{step['up_to']['flops'] / 6 / size:,.0f}" if step["up_to"] else ""
            ),
        }
        for step in path
    ]


def heldout_row(
    row: dict[str, Any], labels: dict[str, str], words: MetricWords
) -> dict[str, Any]:
    return {
        "arm": labels[row["arm"]],
        "parameters": f"{row['n_params']:,.0f}",
        words.counted: f"{row['n_tokens_seen']:,.0f}",
        "measured": round(row["measured"], 3),
        "predicted": round(row["predicted"], 3),
        "interval": f"[{row['low']:.3f}, {row['high']:.3f}]",
        "error %": round(100 * (row["predicted"] / row["measured"] - 1), 2),
    }


def control_row(row: dict[str, Any], words: MetricWords) -> dict[str, Any]:
    says = {
        "same": "same data, other seeds: only noise",
        "drop_half": "a random half of the documents dropped",
        "duplicate_half": "a random half of the documents used twice a pass",
    }
    half, mean = row["half_width_nats"], row["difference_nats"]
    return {
        "control": says[row["kind"]],
        "against": row["like"],
        f"difference ({words.difference_unit})": (
            f"{mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}]"
        ),
        "could detect": round(row["smallest_detectable_effect_nats"], 4),
        "resamples": row["n_draws"],
    }


def law_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "law": row["law"],
        "unknowns": counted(row["n_unknowns"]),
        "held-out error %": round(100 * row["mape"], 2),
        "bias %": round(100 * row["bias"], 2),
        "coverage %": round(100 * row["coverage"]),
        "why here": row["reason"],
    }


def counted(value: float) -> int | float:
    """A count without idle decimals: 5, not 5.0; priors leave fractions of an unknown, such as 4.3."""
    rounded = round(float(value), 1)
    return int(rounded) if rounded.is_integer() else rounded


def shown_parameters(params: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a parameter, or a parameter and arm."""
    flags = (("at a bound", "at_bound"), ("identified", "identified"))
    return [
        {key: row[key] for key in ("parameter", "value", "low", "high", "unit")}
        | {
            "notes": ", ".join(
                text if name == "at_bound" else "not identified"
                for text, name in flags
                if row[name] == (name == "at_bound")
            )
        }
        for row in parameter_rows(params)
    ]
