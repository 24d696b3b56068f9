"""Does the additive law L = E + A/N^a + B/D^b miss the ladder of proxies because of their tuning,
or because N and D act on each other?

python benchmarks/ladder_tuning.py [--pack FOLDER] [--runs FILE]. Trains every size of the ladder at
several learning rates and two batches (about 14 CPU-minutes; runs in FILE are not trained again),
and fits the laws to the budgets of a million tokens and more under rules of tuning from one rate
for all to the best of everything in each cell. Prints the gain from more tokens by size, a row of
residuals a rule, the residual that no sum of a function of N and one of D can go below, and, as its
last line, one JSON object.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from proxy_science import LAWS, load, machine, rms, spec_of

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.proxy.specs.shape import Shape, whole_batches

BUDGETS = (1_048_576, 1_572_864, 2_097_152, 3_145_728, 4_456_448)
ONE_LR, ONE_BATCH = 0.012, 1024
GRID = {
    ("6k", 1024): (0.006, 0.012, 0.024, 0.048),
    ("25k", 1024): (0.006, 0.012),
    ("147k", 1024): (0.006, 0.012, 0.024),
    ("6k", 512): (0.012, 0.024),
    ("25k", 512): (0.006, 0.012),
    ("147k", 512): (0.006, 0.012),
}
SMALL_BATCH_BUDGETS = BUDGETS[:3]  # where twice the steps could help most
# (size, batch, lr) -> loss of each budget
Rows = dict[tuple[str, int, float], dict[int, float]]


def trained(folder: Path, size: str, batch: int, lrs: list[float]) -> Iterator[dict]:
    """A row a learning rate, all of them as one stack."""
    from stages.proxy.training.train import train_group

    budgets = BUDGETS if batch == ONE_BATCH else SMALL_BATCH_BUDGETS
    specs = [
        spec_of(Shape.named(size), budgets, lr=lr, batch_tokens=batch) for lr in lrs
    ]
    for result in train_group(specs, load(folder), device="cpu"):
        yield {
            "size": size,
            "batch": batch,
            "lr": result.spec.lr,
            "budgets": [budget.budget_tokens for budget in result.budgets],
            "loss": [
                budget.held_out["held_out"].loss_nats for budget in result.budgets
            ],
            "seconds": result.seconds,
        }


def known(file: Path | None) -> Rows:
    lines = (
        [json.loads(line) for line in file.read_text().splitlines()]
        if file and file.is_file()
        else []
    )
    return {
        (row["size"], row["batch"], row["lr"]): dict(
            zip(row["budgets"], row["loss"], strict=True)
        )
        for row in lines
    }


def train_missing(folder: Path, file: Path | None) -> Rows:
    """All runs of the grid; new ones are added to the file."""
    rows = known(file)
    for (size, batch), lrs in GRID.items():
        missing = [lr for lr in lrs if (size, batch, lr) not in rows]
        for row in trained(folder, size, batch, missing) if missing else ():
            rows[size, batch, row["lr"]] = dict(
                zip(row["budgets"], row["loss"], strict=True)
            )
            if file:
                with file.open("a") as lines:
                    lines.write(json.dumps(row) + "\n")
    return rows


def rules(rows: Rows) -> dict[str, dict[tuple[str, int], float]]:
    """Loss of each cell (size, budget) under each rule of tuning."""
    sizes, largest = list(dict.fromkeys(size for size, _ in GRID)), BUDGETS[-1]

    def table(pick) -> dict[tuple[str, int], float]:
        return {
            (size, budget): pick(size, budget)
            for size, budget in product(sizes, BUDGETS)
        }

    def own_lr(size: str, batch: int) -> float:
        return min(
            (lr for each, b, lr in rows if (each, b) == (size, batch)),
            key=lambda lr: rows[size, batch, lr][largest],
        )

    def best(size: str, budget: int, batches: tuple[int, ...]) -> float:
        return min(
            losses[budget]
            for (each, batch, _), losses in rows.items()
            if each == size and batch in batches and budget in losses
        )

    return {
        f"lr {ONE_LR} for all": table(
            lambda size, budget: rows[size, ONE_BATCH, ONE_LR][budget]
        ),
        "each size its lr": table(
            lambda size, budget: rows[size, ONE_BATCH, own_lr(size, ONE_BATCH)][budget]
        ),
        "each cell its lr": table(
            lambda size, budget: best(size, budget, (ONE_BATCH,))
        ),
        "each cell its lr and batch": table(
            lambda size, budget: best(size, budget, (512, ONE_BATCH))
        ),
    }


def least_of_sums(cells: dict[tuple[str, int], float]) -> float:
    """Residual in log loss of the best f(size) + g(budget), any f and g: two-way means, by weighted least squares."""
    sizes, budgets = (
        sorted({size for size, _ in cells}),
        sorted({budget for _, budget in cells}),
    )
    design = np.array(
        [
            [size == each for each in sizes] + [budget == each for each in budgets]
            for size, budget in cells
        ],
        float,
    )
    loss = np.array(list(cells.values()))
    found = np.linalg.lstsq(design / loss[:, None], np.ones(len(loss)), rcond=None)[0]
    return float(np.sqrt(np.mean(np.log(design @ found / loss) ** 2)))


def residuals(cells: dict[tuple[str, int], float]) -> dict[str, float]:
    """Of every law in log loss, and the least of any sum."""
    rows = {
        "n_params": np.array([Shape.named(size).n_params for size, _ in cells], float),
        "n_tokens_seen": np.array(
            [whole_batches(budget, ONE_BATCH) for _, budget in cells], float
        ),
        "value": np.array(list(cells.values())),
    }
    return {
        name: rms(
            fit_law(
                get_law(name),
                rows,
                objective="least_squares_log",
                n_starts=64,
                identify=False,
            ),
            rows,
        )
        for name in LAWS
    } | {"any sum": least_of_sums(cells)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pack", type=Path, default=Path("data/pack"))
    parser.add_argument(
        "--runs", type=Path, help="file of runs, one JSON object a line"
    )
    arguments = parser.parse_args()
    found = {
        name: {"cells": cells, "residuals": residuals(cells)}
        for name, cells in rules(train_missing(arguments.pack, arguments.runs)).items()
    }
    for name, rule in found.items():
        gains = {
            size: rule["cells"][size, BUDGETS[0]] - rule["cells"][size, BUDGETS[-1]]
            for size, _ in GRID
        }
        rule["gains_nats"], rule["cells"] = (
            gains,
            [[*cell, loss] for cell, loss in rule["cells"].items()],
        )
        print(
            f"{name:28} "
            + "  ".join(
                f"{law} {100 * value:.2f} %" for law, value in rule["residuals"].items()
            )
            + "   gain of tokens "
            + ", ".join(f"{size} {gain:.3f}" for size, gain in gains.items())
        )
    print(json.dumps({"rules": found, "budgets": BUDGETS, "machine": machine()}))


if __name__ == "__main__":
    main()
