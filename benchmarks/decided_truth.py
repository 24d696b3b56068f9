"""Simulated studies whose truth is known: how often a verdict is wrong, how much of an oracle's verdicts it keeps.

Two arms, four sizes, six token counts, four draws of the pool, noise of .3 % a draw and .3 % a run. The truth is a
law of the library, or a law with a slow wave in log compute that no law has, or an arm whose value turns. The budget
lies three times above the largest run at the largest size, and where runs repeat their data the target's pool is as
much larger, so that it repeats as often as the runs did. The oracle is told the law and fits it (where no law is true,
the law without the wave or the turn). Printed: share of new runs at the budget in their 90 % interval, of true leads
in theirs, verdicts that are wrong, and of the leads that the oracle decides rightly those that the engine decides too;
and why the others are not decided.

    python benchmarks/decided_truth.py [--tables 20] [--first-seed 0]
"""

import argparse
import json
import platform
from collections import defaultdict

import numpy as np

from stages.laws import get_law
from stages.laws.choosing.averaged import mixture
from stages.laws.choosing.bootstrap import bootstrap
from stages.laws.choosing.choose import choose_law
from stages.laws.choosing.eligible import eligible_laws
from stages.laws.deciding.compare import compare
from stages.laws.deciding.objections import withheld
from stages.laws.fitting.fit import fit_law
from stages.laws.fitting.variant import with_variants

SIZES = np.geomspace(1e7, 3e8, 4)
TOKENS = np.geomspace(3e8, 1e10, 6)
TIMES = 3.0
UNIQUE = 5e8  # different tokens of a pool that is repeated
BASE = {"A": 400.0, "alpha": 0.34, "beta": 0.36}
TRUTHS = {
    "chinchilla": ("chinchilla", BASE),
    "coupled": ("coupled", {**BASE, "B": 3.0, "beta": 0.4, "gamma": 0.07}),
    "bracket": ("bracket", {**BASE, "q": 0.5}),
    "repeats, bending": ("overfit_log", {**BASE, "P": 0.02, "delta": 1.4, "S": 0.2}),
    "repeats, decaying": (
        "data_constrained",
        {**BASE, "R_D_star": 12.0, "R_N_star": 20.0},
    ),
    "wave": ("chinchilla", BASE),
    "turning": ("chinchilla", BASE),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=20, help="of each truth")
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    totals: dict[str, dict[str, float]] = {}
    lost: list[str] = []
    seeds = range(options.first_seed, options.first_seed + options.tables)
    print(
        f"{'truth':20s}{'tables':>7s}{'runs in':>9s}{'leads in':>9s}{'decided':>9s}"
        f"{'wrong':>7s}{'oracle':>8s}{'kept':>6s}"
    )
    for kind in TRUTHS:
        found = defaultdict(list)
        for seed in seeds:
            counts, reason = studied(kind, seed)
            for key, value in counts.items():
                found[key].append(value)
            if counts["oracle"] and not counts["kept"]:
                lost.append(f"{kind} {seed}: {reason}")
        totals[kind] = total = summary(found)
        print(line(kind, total), flush=True)
    everything = {
        key: float(np.nansum([each[key] for each in totals.values()]))
        for key in ("tables", "decided", "wrong", "oracle", "kept")
    }
    for key in ("runs_in", "leads_in"):
        everything[key] = float(np.mean([each[key] for each in totals.values()]))
    print(line("all", everything))
    print("\n".join(["", "decided by the oracle alone:", *lost]))
    print(
        json.dumps(
            {
                "truths": totals,
                "all": everything,
                "lost": lost,
                "machine": platform.machine(),
            }
        )
    )


def studied(kind: str, seed: int) -> tuple[dict[str, float], str]:
    """One table: what the engine and the oracle say of it, and the reason of the engine."""
    rng = np.random.default_rng([seed, len(kind)])
    law, amplitudes = truth_of(kind, rng)
    rows = table(kind, law, amplitudes, rng)
    size, tokens = SIZES[-1], TOKENS[-1] * TIMES
    flops = 6 * size * tokens
    unique = {"n_tokens_unique": TIMES * UNIQUE} if "n_tokens_unique" in rows else {}
    columns = {"a": unique, "b": unique}
    choice = choose_law(
        with_variants(eligible_laws(rows)), rows, delta=None, n_starts=32
    )
    mixed = mixture(choice, rows, clusters="pool_draw", n_draws=300)
    rival = bootstrap(choice.runner_up, rows, clusters="pool_draw", n_draws=100)
    [said] = compare(mixed, [flops], columns, n_params=size, runner_up=rival)
    said = withheld(said, rows, columns)
    oracle_fit = fit_law(
        get_law(law), rows, by_arm=("E", "B"), delta=None, n_starts=32, identify=False
    )
    oracle = bootstrap(oracle_fit, rows, clusters="pool_draw", n_draws=200)
    [told] = compare(oracle, [flops], columns, n_params=size)
    at = {"n_params": np.array([size]), "n_tokens_seen": np.array([tokens])}
    at |= {"flops": np.array([flops])} | {k: np.array([v]) for k, v in unique.items()}
    truth = {arm: value(kind, law, amplitudes[arm], at, arm)[0] for arm in "ab"}
    best = min(truth, key=lambda arm: truth[arm])
    drawn = {arm: mixed.predict(at, arm)[:, 0] for arm in "ab"}
    low, high = np.quantile(drawn["a"] - drawn["b"], [0.05, 0.95])
    inside = []
    for arm in "ab":
        ends = mixed.interval(at, arm, new_run=True)
        run = truth[arm] * np.exp(0.0042 * rng.standard_normal())
        inside.append(ends[0][0] <= run <= ends[1][0])
    right = told.status == "decided" and told.best == best
    counts = {
        "runs_in": float(np.mean(inside)),
        "leads_in": float(low <= truth["a"] - truth["b"] <= high),
        "decided": float(said.status == "decided"),
        "wrong": float(said.status == "decided" and said.best != best),
        "oracle": float(right),
        "kept": float(right and said.status == "decided"),
    }
    return counts, f"{said.status} {said.code}, {said.reason}"


def truth_of(kind: str, rng) -> tuple[str, dict[str, dict[str, float]]]:
    """The law and the parameters of both arms: floor and data term differ."""
    law, shared = TRUTHS[kind]
    amplitude = shared.get("B", 2000.0)
    arms = {
        arm: {**shared, "E": 1.8 + 0.04 * rng.standard_normal(), "B": amplitude * scale}
        for arm, scale in zip("ab", np.exp(0.1 * rng.standard_normal(2)), strict=True)
    }
    return law, arms


def table(kind: str, law: str, arms: dict, rng) -> dict[str, np.ndarray]:
    """The runs of one study."""
    arm, size, tokens, draw = (
        axis.ravel()
        for axis in np.meshgrid(["a", "b"], SIZES, TOKENS, [0, 1, 2, 3], indexing="ij")
    )
    rows = {"arm": arm, "n_params": size, "n_tokens_seen": tokens}
    rows |= {"flops": 6 * size * tokens, "pool_draw": draw.astype(str)}
    if "repeats" in kind:
        rows["n_tokens_unique"] = np.minimum(UNIQUE, tokens)
    values = np.empty(arm.size)
    for name in "ab":
        own = arm == name
        part = {key: column[own] for key, column in rows.items()}
        values[own] = value(kind, law, arms[name], part, name)
    noise = 0.003 * rng.standard_normal((2, 4))[(arm == "b").astype(int), draw]
    noise = noise + 0.003 * rng.standard_normal(arm.size)
    return rows | {"value": values * np.exp(noise)}


def value(kind: str, law: str, p: dict, rows: dict, arm: str) -> np.ndarray:
    """The truth at each row, (rows,)."""
    clean = get_law(law).value(p, rows)
    compute = np.log10(rows["flops"] / 1e17)
    if kind == "wave":
        return clean * np.exp(0.006 * np.sin(2.0 * compute + (arm == "a")))
    if kind == "turning" and arm == "a":
        return clean * np.exp(0.02 * np.maximum(0, compute - 0.8) ** 2)
    return clean


def summary(found: dict[str, list[float]]) -> dict[str, float]:
    counts = {
        key: float(np.sum(found[key])) for key in ("decided", "wrong", "oracle", "kept")
    }
    shares = {key: float(np.mean(found[key])) for key in ("runs_in", "leads_in")}
    return {"tables": float(len(found["wrong"]))} | counts | shares


def line(kind: str, total: dict[str, float]) -> str:
    return (
        f"{kind:20s}{total['tables']:7.0f}{total['runs_in']:9.2f}{total['leads_in']:9.2f}"
        f"{total['decided']:9.0f}{total['wrong']:7.0f}{total['oracle']:8.0f}{total['kept']:6.0f}"
    )


if __name__ == "__main__":
    main()
