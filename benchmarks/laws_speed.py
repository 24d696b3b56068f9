"""How fast the law fits are: a multi-start refit with its bootstrap, beside a plain scipy loop to
the same objective.

python benchmarks/laws_speed.py [TABLE.csv]. The table has params_N, tokens_D, loss_nats (and
in_fit240); without one, 217 runs are simulated from the published Chinchilla constants. Prints a
table and, as its last line, one JSON object.
"""

import csv
import json
import platform
import sys
import time

import numpy as np
from scipy.optimize import minimize

from stages.laws import get_law
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.fitting.fit import fit_law

LAW = get_law("chinchilla")
N_STARTS, N_DRAWS, N_SCIPY = 1000, 4000, 40
DELTA = 1e-3


def machine() -> dict[str, object]:
    """What the figures hold for."""
    try:
        with open("/proc/cpuinfo") as file:
            model = next(
                line.split(":")[1].strip()
                for line in file
                if line.startswith("model name")
            )
    except (OSError, StopIteration):
        model = platform.processor() or "unknown"
    return {
        "cpu": model,
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def read(path: str | None) -> dict[str, np.ndarray]:
    """The rows of a table, or simulated ones of the same number."""
    if path is None:
        rng = np.random.default_rng(0)
        n, d = (
            np.exp(rng.uniform(np.log(5e7), np.log(1e10), 217)),
            np.exp(rng.uniform(np.log(5e8), np.log(2e11), 217)),
        )
        loss = (1.8172 + 477.8 / n**0.3473 + 2143 / d**0.3672) * np.exp(
            0.006 * rng.standard_normal(217)
        )
        return {"n_params": n, "n_tokens_seen": d, "value": loss}
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("in_fit240", "1") == "1"]
    return {
        ours: np.array([float(row[theirs]) for row in rows])
        for ours, theirs in (
            ("n_params", "params_N"),
            ("n_tokens_seen", "tokens_D"),
            ("value", "loss_nats"),
        )
    }


def scipy_objective(rows):
    """Sum of Huber of the log residuals over (log A, log B, log E, alpha, beta), and its gradient."""
    log_n, log_d, log_y = (
        np.log(rows["n_params"]),
        np.log(rows["n_tokens_seen"]),
        np.log(rows["value"]),
    )

    def of(p):
        parts = np.stack(
            [p[0] - p[3] * log_n, p[1] - p[4] * log_d, np.full_like(log_n, p[2])]
        )
        top = parts.max(axis=0)
        predicted = top + np.log(np.exp(parts - top).sum(axis=0))
        share, r = np.exp(parts - predicted), predicted - log_y
        size = np.abs(r)
        value = np.where(size <= DELTA, 0.5 * r * r, DELTA * (size - 0.5 * DELTA)).sum()
        slope = np.clip(r, -DELTA, DELTA)
        by_part = share @ slope
        return value, np.array(
            [*by_part, -(share[0] * slope) @ log_n, -(share[1] * slope) @ log_d]
        )

    return of


def scipy_starts(n: int) -> np.ndarray:
    """Starts over the ranges of the literature's grid: a, b in 0..25, e in -1..1, exponents in 0..2. (n, 5)"""
    return np.random.default_rng(0).uniform([0, 0, -1, 0, 0], [25, 25, 1, 2, 2], (n, 5))


def timed(function):
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def scipy_loop(rows, with_gradient: bool) -> tuple[float, float, float]:
    """(seconds a start, best objective, share of starts within 0.1 % of it) of L-BFGS-B one start
    at a time.

    with_gradient=False is the plain call, in which scipy takes differences; the tolerances are
    those that reach the objective.
    """
    both = scipy_objective(rows)
    objective = both if with_gradient else lambda p: both(p)[0]

    def run():
        return np.array(
            [
                minimize(
                    objective,
                    start,
                    jac=with_gradient,
                    method="L-BFGS-B",
                    options={
                        "maxiter": 5000,
                        "maxfun": 50000,
                        "ftol": 1e-13,
                        "gtol": 1e-10,
                    },
                ).fun
                for start in scipy_starts(N_SCIPY)
            ]
        )

    values, seconds = timed(run)
    return (
        seconds / N_SCIPY,
        float(values.min()),
        float(np.mean(values <= values.min() * 1.001)),
    )


def growth(fit) -> list[dict[str, float]]:
    """Seconds of bootstrap refits as points and draws grow by turns."""
    rows, columns = [], {**fit.problem.columns, "value": fit.problem.observed}
    for times, draws in ((1, 500), (1, 1000), (1, 2000), (2, 1000), (4, 1000)):
        more = {name: np.tile(column, times) for name, column in columns.items()}
        larger = fit_law(LAW, more, n_starts=16, identify=False)
        _, seconds = timed(
            lambda larger=larger, more=more, draws=draws: bootstrap(
                larger, more, n_draws=draws
            )
        )
        rows.append(
            {
                "points": more["value"].size,
                "draws": draws,
                "seconds": seconds,
                "us_per_point_draw": 1e6 * seconds / draws / more["value"].size,
            }
        )
    return rows


def main(path: str | None) -> None:
    rows = read(path)
    fit, fit_seconds = timed(
        lambda: fit_law(LAW, rows, n_starts=N_STARTS, delta=DELTA, identify=False)
    )
    _boot, boot_seconds = timed(lambda: bootstrap(fit, rows, n_draws=N_DRAWS))
    ours = fit_seconds + boot_seconds
    print(f"{'':42s}{'seconds':>10s}{'objective':>14s}")
    print(f"{f'ours: {N_STARTS} starts':42s}{fit_seconds:10.2f}{fit.objective:14.7g}")
    print(f"{f'ours: {N_DRAWS} bootstrap refits':42s}{boot_seconds:10.2f}")
    print(f"{'ours: together':42s}{ours:10.2f}")
    loops = {}
    for name, with_gradient in (("plain", False), ("gradient", True)):
        a_start, best, share = scipy_loop(rows, with_gradient)
        loops[name] = {
            "seconds_a_start": a_start,
            "objective": best,
            "share_in_best_basin": share,
            "ratio_starts": a_start * N_STARTS / fit_seconds,
            "ratio_all": a_start * (N_STARTS + N_DRAWS) / ours,
            "starts_timed": N_SCIPY,
        }
        print(
            f"{f'scipy L-BFGS-B, {name}: {N_STARTS} starts':42s}{a_start * N_STARTS:10.2f}{best:14.7g}"
            f"   {loops[name]['ratio_starts']:.0f} times slower"
        )
        print(
            f"{f'scipy L-BFGS-B, {name}: and {N_DRAWS} refits':42s}{a_start * (N_STARTS + N_DRAWS):10.2f}{'':14s}"
            f"   {loops[name]['ratio_all']:.0f} times slower"
        )
    print(
        f"scipy: {N_SCIPY} starts timed, the rest in proportion, a refit as a start;"
        " plain: differences, gradient: exact gradients"
    )
    print(
        f"starts in the best basin: ours {fit.starts['same_basin']} of"
        f" {fit.starts['run']}, scipy {loops['gradient']['share_in_best_basin']:.0%}\n"
    )
    grown = growth(fit)
    print(f"{'points':>8s}{'draws':>8s}{'seconds':>10s}{'us/(point draw)':>18s}")
    for row in grown:
        print(
            f"{row['points']:8d}{row['draws']:8d}{row['seconds']:10.2f}{row['us_per_point_draw']:18.2f}"
        )
    print(
        json.dumps(
            {
                "points": rows["value"].size,
                "starts": N_STARTS,
                "draws": N_DRAWS,
                "fit_seconds": fit_seconds,
                "bootstrap_seconds": boot_seconds,
                "seconds": ours,
                "objective": fit.objective,
                "scipy": loops,
                "growth": grown,
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
