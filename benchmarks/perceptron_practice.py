"""The theory of pruning beside a simulation: errors of kept subsets of a perceptron's data, and
where keep-hard overtakes keep-easy.

python benchmarks/perceptron_practice.py. Prints a table and, as its last line, one JSON object. 40
CPU-s on one thread.
"""

import json

import numpy as np
from laws_speed import machine
from scipy.optimize import brentq

from stages.laws.theory.perceptron import saddle
from stages.laws.theory.perceptron_trial import trial, trials

DIMENSION, N_TRIALS = 200, 16
POOLS = (1, 2, 4, 8, 16)
KINDS = (
    (1.0, "hard", "no pruning"),
    (0.5, "hard", "keep 50 % hard"),
    (0.5, "easy", "keep 50 % easy"),
)
CROSSING_POOLS, CROSSING_DIMENSION, CROSSING_TRIALS = (
    (2.5, 3.5, 5.0, 7.0, 10.0),
    150,
    60,
)
N_DRAWS = 4000


def points() -> list[dict]:
    """Theory and simulation at every pool size and kind of pruning."""
    rows = []
    for pool in POOLS:
        for keep, side, name in KINDS:
            theory, found = (
                saddle(keep * pool, keep, hard=side == "hard").error,
                trials(pool, keep, side, N_TRIALS, dimension=DIMENSION),
            )
            rows.append(
                {
                    "pool": pool,
                    "kind": name,
                    "theory": theory,
                    "simulated": found.error,
                    "standard_error": found.standard_error,
                    "off": found.error / theory - 1,
                }
            )
    return rows


def crossing(keep: float) -> dict:
    """Pool size at which keep-hard overtakes keep-easy: theory, and simulation with a 90 % interval over trials.

    Both sides prune the same pools, so differences are paired; a parabola in log pool size goes through their means.
    """
    gaps = np.array(
        [
            [
                trial(pool, keep, "hard", dimension=CROSSING_DIMENSION, seed=seed)
                - trial(pool, keep, "easy", dimension=CROSSING_DIMENSION, seed=seed)
                for seed in range(CROSSING_TRIALS)
            ]
            for pool in CROSSING_POOLS
        ]
    )  # (pools, trials), falls through zero
    log_pool, random = np.log(CROSSING_POOLS), np.random.default_rng(0)

    def root(means: np.ndarray) -> float:
        curve = np.polynomial.Polynomial.fit(log_pool, means, 2)
        ends = curve(log_pool[0]), curve(log_pool[-1])
        return (
            float(np.exp(brentq(curve, log_pool[0], log_pool[-1])))
            if ends[0] > 0 > ends[1]
            else float("nan")
        )

    draws = np.array(
        [
            root(
                np.array(
                    [row[random.integers(0, len(row), len(row))].mean() for row in gaps]
                )
            )
            for _ in range(N_DRAWS)
        ]
    )
    inside = np.isfinite(draws)
    low, high = np.quantile(draws[inside], [0.05, 0.95])
    theory = brentq(
        lambda pool: (
            saddle(pool * keep, keep).error
            - saddle(pool * keep, keep, hard=False).error
        ),
        2,
        20,
    )
    return {
        "keep": keep,
        "theory": theory,
        "simulated": root(gaps.mean(axis=1)),
        "low": float(low),
        "high": float(high),
        "share_of_draws_that_cross": float(inside.mean()),
    }


def main() -> None:
    rows = points()
    print(
        f"{'pool / n':>8s} "
        f" {'kept':16s}{'theory':>8s}{'simulated':>11s}{'+-':>8s}{'off':>8s}"
    )
    for row in rows:
        print(
            f"{row['pool']:8g}  {row['kind']:16s}{row['theory']:8.4f}"
            f"{row['simulated']:11.4f}{row['standard_error']:8.4f}{row['off']:+8.1%}"
        )
    worst = max(abs(row["off"]) for row in rows)
    by = {(row["pool"], row["kind"]): row["simulated"] for row in rows}
    easy_wins = {pool: by[pool, KINDS[2][2]] < by[pool, KINDS[1][2]] for pool in POOLS}
    print(
        f"worst disagreement {worst:.1%}; easy beats hard at pool / n ="
        f" {', '.join(str(pool) for pool in POOLS if easy_wins[pool])}"
    )
    crossings = [crossing(0.5)]
    for found in crossings:
        print(
            f"keep {found['keep']:.0%}: hard overtakes easy at pool / n ="
            f" {found['theory']:.2f} by theory, {found['simulated']:.2f}"
            f" [{found['low']:.2f}, {found['high']:.2f}] simulated"
        )
    print(
        json.dumps(
            {
                "dimension": DIMENSION,
                "trials": N_TRIALS,
                "points": rows,
                "worst": worst,
                "easy_wins": easy_wins,
                "crossings": crossings,
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
