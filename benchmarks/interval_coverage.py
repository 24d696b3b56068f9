"""How often 90 % intervals hold the truth, for each core law, on tables like those that the
pipeline makes.

python benchmarks/interval_coverage.py [--tables 60] [--law NAME ...] [--clusters 4 8] [--draws
400]. A table has three arms (unique tokens of 10, 33 and 100 % of a pool), four sizes, five budgets
and 4 or 8 draws of the pool; noise is by draw of the pool (the same for all arms), by arm and draw,
by trunk and by run, the last three twice as large in the third arm. Fit and bootstrap run with the
settings of the pipeline. Prints a table and, as its last line, one JSON object. A parameter counts
in the tables where the fit calls it identified and not at a bound; `flagged` is the share of the
others.
"""

import argparse
import json
import os
import time

# before numpy: figures are for one thread
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from laws_speed import machine

from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.fitting.fit import fit_law

ARMS, POOL, KEPT = ("a", "b", "c"), 1.2e9, np.array([0.1, 0.33, 1.0])
SIZES, TOKENS = np.geomspace(5e6, 5e8, 4), np.geomspace(5e7, 4e9, 5)
# assumed: of the order that the demo's pool draws show
NOISE = {"draw": 0.004, "arm_draw": 0.004, "trunk": 0.003, "run": 0.003}
ARM_NOISE = np.array([1.0, 1.0, 2.0])
SHARED = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.36}
TRUTH = {  # a parameter by arm has three values
    "power_floor": {"E": (1.8, 1.7, 1.75), "A": (30.0, 36.0, 40.0), "alpha": 0.1},
    "chinchilla": SHARED | {"E": (1.8, 1.7, 1.75), "B": (1600.0, 2000.0, 1900.0)},
    "data_constrained": (
        SHARED
        | {
            "E": (1.8, 1.7, 1.75),
            "B": (1600.0, 2000.0, 1900.0),
            "R_D_star": 8.0,
            "R_N_star": 6.0,
        }
    ),
    "half_life": {
        "E": (1.2, 1.1, 1.15),
        "B": 60.0,
        "beta": (0.2, 0.195, 0.19),
        "tau": (6.0, 5.0, 4.0),
    },
    "half_life_sized": (
        SHARED
        | {
            "E": (1.8, 1.7, 1.75),
            "beta": (0.37, 0.36, 0.355),
            "tau": (6.0, 5.0, 4.0),
        }
    ),
    "overfit": (
        SHARED
        | {
            "E": (1.8, 1.7, 1.75),
            "B": (1600.0, 2000.0, 1900.0),
            "P": 0.02,
            "delta": 0.9,
            "kappa": 0.6,
        }
    ),
}
LEVEL = 0.9


def design(n_draws: int) -> dict[str, np.ndarray]:
    """Columns of a table without its values, one row a run, (runs,)."""
    arm, size, tokens, draw = (
        x.ravel()
        for x in np.meshgrid(
            np.arange(3), SIZES, TOKENS, np.arange(n_draws), indexing="ij"
        )
    )
    return columns(arm, size, tokens) | {
        "pool_draw": draw,
        "trunk": (arm * 100 + np.searchsorted(SIZES, size)) * 100 + draw,
    }


def columns(
    arm: np.ndarray, size: np.ndarray, tokens: np.ndarray
) -> dict[str, np.ndarray]:
    """What a law reads, for runs of these arms (positions), sizes and tokens, (runs,)."""
    arm = arm.astype(int)
    unique = np.minimum(POOL * KEPT[arm], tokens)
    return {
        "arm": np.array(ARMS)[arm],
        "n_params": size,
        "n_tokens_seen": tokens,
        "n_tokens_unique": unique,
        "flops": 6 * size * tokens,
    }


def true_value(name: str, rows: dict[str, np.ndarray]) -> np.ndarray:
    """The law at its true parameters, (runs,)."""
    index = np.searchsorted(ARMS, rows["arm"])
    return get_law(name).value(
        {
            k: np.asarray(v)[index] if np.ndim(v) else np.array([v])
            for k, v in TRUTH[name].items()
        },
        rows,
    )


def noise(
    rows: dict[str, np.ndarray], rng: np.random.Generator, cluster: str, scale: float
) -> np.ndarray:
    """Log noise of each run, (runs,): by draw, by arm and draw (unless trunks are the clusters), by trunk, by run."""
    arm = np.searchsorted(ARMS, rows["arm"])
    drawn = float(cluster == "pool_draw")
    own = sum(
        NOISE[part]
        * (drawn if part == "arm_draw" else 1.0)
        * rng.standard_normal(index.max() + 1)[index]
        for part, index in (
            (
                "arm_draw",
                np.unique(arm * 100 + rows["pool_draw"], return_inverse=True)[1],
            ),
            ("trunk", np.unique(rows["trunk"], return_inverse=True)[1]),
            ("run", np.arange(arm.size)),
        )
    )
    shared = (
        drawn
        * NOISE["draw"]
        * rng.standard_normal(rows["pool_draw"].max() + 1)[rows["pool_draw"]]
    )
    return scale * (shared + ARM_NOISE[arm] * own)


def targets() -> dict[str, dict[str, np.ndarray]]:
    """Rows to predict, one an arm: inside the design, and at three times the largest compute."""
    arm = np.arange(3)
    inside, above = (
        (SIZES[2] * 0.7, TOKENS[2] * 1.5),
        (SIZES[-1] * 3**0.5, TOKENS[-1] * 3**0.5),
    )
    return {
        where: columns(arm, np.full(3, size), np.full(3, tokens))
        for where, (size, tokens) in (("in range", inside), ("at 3x", above))
    }


def hits(
    name: str, rows: dict[str, np.ndarray], options: argparse.Namespace, seed: int
) -> dict[str, np.ndarray]:
    """1 where an interval holds the truth, 0 where not, NaN where the parameter is flagged; (arms,)
    or (1,) by quantity.
    """
    law, rng, found = get_law(name), np.random.default_rng(seed), {}
    table = rows | {
        "value": (
            true_value(name, rows)
            * np.exp(noise(rows, rng, options.cluster, options.noise))
        )
    }
    fit = fit_law(
        law,
        table,
        by_arm=law.arm_parameters,
        n_starts=options.starts,
        delta=None,
        seed=seed,
    )
    boot = bootstrap(
        fit, table, clusters=options.cluster, n_draws=options.draws, seed=seed
    )
    for parameter, limits in boot.params(LEVEL).items():
        by_arm = parameter in fit.by_arm
        pairs = np.array(list(limits.values()) if by_arm else [limits])
        usable = np.array(
            list(fit.identified[parameter].values())
            if by_arm
            else [fit.identified[parameter]]
        )
        found[parameter] = np.where(
            usable,
            (pairs[:, 0] <= TRUTH[name][parameter])
            & (TRUTH[name][parameter] <= pairs[:, 1]),
            np.nan,
        )
    for where, wanted in targets().items():
        truth = true_value(name, wanted)
        fresh = wanted | {"pool_draw": np.zeros(3, int), "trunk": np.arange(3)}
        new = truth * np.exp(noise(fresh, rng, options.cluster, options.noise))
        draws = boot.predict(wanted)
        lead = np.log(draws) - np.log(draws[:, [1, 2, 0]])
        found[f"mean {where}"] = inside(np.quantile(draws, [0.05, 0.95], axis=0), truth)
        found[f"lead {where}"] = inside(
            np.quantile(lead, [0.05, 0.95], axis=0), np.log(truth / truth[[1, 2, 0]])
        )
        found[f"new run {where}"] = inside(
            boot.interval(wanted, new_run=True, level=LEVEL), new
        )
    return found


def inside(limits, truth: np.ndarray) -> np.ndarray:
    return ((limits[0] <= truth) & (truth <= limits[1])).astype(float)


def summary(found: list[dict[str, np.ndarray]]) -> dict[str, dict[str, float | None]]:
    """By quantity: coverage, its Monte Carlo standard error over tables, share flagged."""
    result = {}
    for quantity in found[0]:
        per = np.array([one[quantity] for one in found])  # (tables, arms or 1)
        counted = ~np.isnan(per)
        kept = per[counted.any(axis=1)]
        share = float(np.nanmean(per)) if counted.any() else None
        # ratio estimate: tables are independent, arms of one table are not
        off = np.nansum(kept - share, axis=1) if counted.any() else np.zeros(0)
        error = float(np.sqrt(np.sum(off**2)) / counted.sum()) if off.size > 1 else None
        result[quantity] = {
            "coverage": share,
            "se": error,
            "flagged": float(1 - counted.mean()),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--tables",
        type=int,
        default=60,
        help="simulated tables for each law and number of clusters",
    )
    parser.add_argument("--law", nargs="+", default=list(TRUTH), choices=list(TRUTH))
    parser.add_argument(
        "--clusters", type=int, nargs="+", default=[4, 8], help="draws of the pool"
    )
    parser.add_argument(
        "--cluster",
        default="pool_draw",
        choices=["pool_draw", "trunk"],
        help="what noise and weights are shared by",
    )
    parser.add_argument("--noise", type=float, default=1.0, help="all noise times this")
    parser.add_argument("--draws", type=int, default=400, help="bootstrap refits")
    parser.add_argument("--starts", type=int, default=128, help="starts of a fit")
    options = parser.parse_args()
    results = []
    for name in options.law:
        for n_clusters in options.clusters:
            rows, start = design(n_clusters), time.process_time()
            found = [hits(name, rows, options, seed) for seed in range(options.tables)]
            seconds = time.process_time() - start
            results.append(
                {
                    "law": name,
                    "clusters": n_clusters,
                    "runs": rows["flops"].size,
                    "cpu_seconds": seconds,
                    "found": summary(found),
                }
            )
            print(
                f"\n{name}, {n_clusters} draws of the pool, {rows['flops'].size} runs,"
                f" {options.tables} tables, {seconds:.0f} CPU s"
            )
            for quantity, row in results[-1]["found"].items():
                share, error = (
                    "   -" if row[key] is None else f"{row[key]:.3f}"
                    for key in ("coverage", "se")
                )
                print(
                    f"  {quantity:18s}{share:>8s} +- {error:>6s}   flagged"
                    f" {row['flagged']:.2f}",
                    flush=True,
                )
    print(
        json.dumps(
            {
                "level": LEVEL,
                "tables": options.tables,
                "draws": options.draws,
                "noise": NOISE,
                "results": results,
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
