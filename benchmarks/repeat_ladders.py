"""Proxies of three pools carried to eight times the compute that was fitted: which law predicts them, and the engine.

benchmarks/ladders/NAME.parquet holds our own runs: 6k, 25k and 55k parameters, .2 to 60 epochs, four draws of the
pool, weight decay .1 and 1, dropout 0 and .1; and 55k parameters at 2, 4 and 8 times the largest compute, up to 270
epochs, one or two draws. Each arm stands at the best of its settings. Laws are fitted to the first and judged on the
second: mean error over arms, share of runs in their 90 % interval, pairs of arms in the right order, leads in their
interval.

    python benchmarks/repeat_ladders.py [--laws]
"""

import argparse
import json
import platform
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl

from stages.laws import get_law
from stages.laws.choosing.averaged import Mixture, mixture
from stages.laws.choosing.choose import choose_law
from stages.laws.choosing.eligible import eligible_laws
from stages.laws.fitting.variant import with_variants
from stages.laws.interface import table
from stages.runs.study import best_regularised

LADDERS = Path(__file__).parent / "ladders"
FITTED_TOKENS = 327_680
TIMES = (2, 4, 8)
LAWS = (
    "data_constrained",
    "half_life_sized",
    "overfit",
    "overfit_one",
    "overfit_two",
    "overfit_data_constrained",
    "overfit_log",
    "overfit_log_one",
    "overfit_log_two",
    "bracket_log",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--laws", action="store_true", help="every form alone, too")
    options = parser.parse_args()
    found = {}
    for path in sorted(LADDERS.glob("*.parquet")):
        runs = pl.read_parquet(path)
        for metric in runs["metric"].unique().sort():
            below, above = halves(runs.filter(metric=metric))
            found[f"{path.stem} {metric}"] = engine(
                f"{path.stem} {metric}", below, above
            )
            if options.laws:
                for name in LAWS:
                    alone(name, below, above)
    rows = [row for by_times in found.values() for row in by_times]
    for times in TIMES:
        own = [row for row in rows if row["times"] == times]
        print(
            f"{times} times: error {100 * np.mean([row['error'] for row in own]):.2f} %,"
            f" runs inside {np.mean([row['inside'] for row in own]):.2f},"
            f" pairs {np.mean([row['pairs'] for row in own]):.2f},"
            f" leads inside {np.mean([row['leads'] for row in own]):.2f}"
        )
    print(json.dumps({"ladders": found, "machine": platform.machine()}))


def halves(runs: pl.DataFrame) -> tuple[dict, dict]:
    """The runs that are fitted, and those beyond, each arm at its best setting."""
    small = pl.col("n_tokens_seen") <= FITTED_TOKENS
    return rows_of(runs.filter(small)), rows_of(runs.filter(~small))


def rows_of(runs: pl.DataFrame) -> dict[str, np.ndarray]:
    """Columns as arrays (rows,), of the best setting of each cell."""
    best = best_regularised(runs)
    text = {"arm", "pool_draw"}
    numbers = [
        name
        for name in best.columns
        if name not in {*text, "metric", "diverged", "weight_decay", "dropout"}
    ]
    rows = {
        name: best[name].cast(pl.Float64).fill_null(0).to_numpy() for name in numbers
    }
    return rows | {name: best[name].cast(pl.String).to_numpy() for name in text}


def engine(name: str, below: dict, above: dict) -> list[dict]:
    """The weighted mean of laws against the runs beyond, a line by distance."""
    choice = choose_law(
        with_variants(eligible_laws(below)), below, delta=None, n_starts=32
    )
    mixed = mixture(choice, below, clusters="pool_draw", n_draws=400)
    rows = [judged(mixed, above, times) for times in TIMES]
    print(
        f"{name:26s}"
        + " | ".join(
            f"{row['times']}x {100 * row['error']:5.2f} % inside {row['inside']:.2f}"
            f" pairs {row['pairs']:.2f} leads {row['leads']:.2f}"
            for row in rows
        ),
        flush=True,
    )
    return rows


def judged(mixed: Mixture, above: dict, times: int) -> dict:
    """One distance: error of the arms' means, runs and leads inside, pairs in order."""
    at = np.isclose(above["n_tokens_seen"], times * FITTED_TOKENS)
    rows = {key: column[at] for key, column in above.items()}
    low, high = mixed.interval(rows, new_run=True)
    central, draws = mixed.central(rows), mixed.predict(rows)
    arms = sorted(set(rows["arm"]))
    own = {arm: rows["arm"] == arm for arm in arms}
    said = {arm: central[own[arm]].mean() for arm in arms}
    seen = {arm: rows["value"][own[arm]].mean() for arm in arms}
    drawn = {arm: draws[:, own[arm]].mean(axis=1) for arm in arms}
    pairs, leads = [], []
    for one, other in combinations(arms, 2):
        pairs.append((said[one] < said[other]) == (seen[one] < seen[other]))
        ends = np.quantile(drawn[one] - drawn[other], [0.05, 0.95])
        leads.append(ends[0] <= seen[one] - seen[other] <= ends[1])
    return {
        "times": times,
        "error": float(np.mean([abs(said[arm] / seen[arm] - 1) for arm in arms])),
        "inside": float(np.mean((low <= rows["value"]) & (rows["value"] <= high))),
        "pairs": float(np.mean(pairs)),
        "leads": float(np.mean(leads)),
    }


def alone(name: str, below: dict, above: dict) -> None:
    """One law by itself, arms separate in what the law says describes the data."""
    law = get_law(name)
    fit = choose_law([law], below, delta=None, n_starts=32).fit
    errors = []
    for times in TIMES:
        at = np.isclose(above["n_tokens_seen"], times * FITTED_TOKENS)
        rows = {key: column[at] for key, column in above.items()}
        said = fit.predict(rows)
        arms = [rows["arm"] == arm for arm in sorted(set(rows["arm"]))]
        errors.append(
            np.mean(
                [abs(said[arm].mean() / rows["value"][arm].mean() - 1) for arm in arms]
            )
        )
    epochs = (below["n_tokens_seen"] / table.unique_tokens(below)).max()
    print(
        f"    {name:26s}"
        + " ".join(f"{100 * error:8.2f} %" for error in errors)
        + f"   fitted to {epochs:.0f} epochs",
        flush=True,
    )


if __name__ == "__main__":
    main()
