"""Simulated questions whose best arm is known: what it costs to be sure of it, by who chooses the runs.

Three to six arms that differ in floor, data term and, where data repeat, in their different tokens; in half of the
problems a low floor goes with a large data term, so that arms cross. Sizes and budgets of the demo, four resamples,
noise of .3 % an arm and resample and .3 % a run. The target is the largest size at three times the largest budget. All
policies begin with the six cheapest cells of every arm and look at P(best) there after every step, from refits that are
clustered by resample, of the law that made the runs (a choice among laws takes seconds a look). They stop at .95 at the
first look and at .975 at later ones (hopeless.py, `enough`), or when the grid is used up.

    advisor   the runs of stages/laws/deciding/advisor.py, in steps of about 4 % of the grid
    uniform   cell after cell, the cheapest first, of all arms
    halving   budget after budget, of the better half of the arms by their loss at the last (two stay to the end)

Printed: part of the problems in which a policy stopped, of those the part that named the best arm, median and mean of
FLOPs over those of the grid (1 where it did not stop), looks, and the part of the problems whose best arm was once
called hopeless. Constants were chosen on seeds below 1,000.

P(best) is the smaller of two readings (hopeless.py, `sureness`), with --stop share the share of the draws alone.

    python benchmarks/advisor_truth.py [--seeds 1000 1200] [--measure doubt] [--policy advisor] [--stop both]
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.laws import get_law
from stages.laws.choosing.bootstrap import Bootstrap, bootstrap, residual_noise
from stages.laws.deciding.advisor import MEASURE, Outlook, chances, ranked
from stages.laws.deciding.hopeless import enough, hopeless, sureness
from stages.laws.fitting.fit import fit_law

SIZES = (6_144, 24_576, 55_296)
BUDGETS = (16_384, 49_152, 131_072, 327_680)
DRAWS = 4
TARGET = (SIZES[-1], 3 * BUDGETS[-1])
POOL = 98_304  # tokens of a resample
NOISE = (
    0.003  # of an arm's resample, and of a run: as benchmarks/decided_truth.py has it
)
SURE = 0.95
N_DRAWS = 120  # refits a look; a decision has 400
STEP = 0.04  # of the FLOPs of the grid
LAWS = ("chinchilla", "data_constrained")
Cell = tuple[str, int, int]  # arm, parameters, tokens


@dataclass
class Problem:
    """A truth: value of an arm at a size and tokens, and what was trained so far."""

    law: str
    params: dict[str, dict[str, float]]
    unique: dict[str, float]
    seed: int
    cells: list[Cell] = field(default_factory=list)

    @property
    def arms(self) -> list[str]:
        return list(self.params)

    def columns(self, arm: str, n_params, n_tokens) -> dict[str, np.ndarray]:
        sizes, tokens = np.atleast_1d(n_params, n_tokens)
        columns = {"n_params": sizes * 1.0, "n_tokens_seen": tokens * 1.0}
        if self.law == "data_constrained":
            columns["n_tokens_unique"] = np.minimum(tokens * 1.0, self.unique[arm])
        return columns

    def truth(self, arm: str, n_params, n_tokens) -> np.ndarray:
        law = get_law(self.law)
        return law.value(self.params[arm], self.columns(arm, n_params, n_tokens))

    @property
    def best(self) -> str:
        return min(self.arms, key=lambda arm: float(self.truth(arm, *TARGET)[0]))

    def runs(self, cell: Cell) -> np.ndarray:
        """The value of a cell in every resample, the same for every policy, (draws,)."""
        arm, size, tokens = cell
        of_draw = np.random.default_rng([self.seed, self.arms.index(arm)])
        of_run = np.random.default_rng(
            [self.seed, self.arms.index(arm), size, tokens, 1]
        )
        noise = of_draw.standard_normal(DRAWS) + of_run.standard_normal(DRAWS)
        return self.truth(arm, size, tokens)[0] * np.exp(NOISE * noise)

    def table(self) -> dict[str, np.ndarray]:
        """Every run of the cells trained."""
        parts = []
        for arm, size, tokens in self.cells:
            part = self.columns(arm, np.full(DRAWS, size), np.full(DRAWS, tokens))
            part |= {"arm": np.full(DRAWS, arm, dtype="U8")}
            part |= {"pool_draw": np.arange(DRAWS).astype(str)}
            part |= {"value": self.runs((arm, size, tokens))}
            parts.append(part)
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def posterior(self) -> Bootstrap:
        law, rows = get_law(self.law), self.table()
        fit = fit_law(
            law,
            rows,
            by_arm=law.arm_parameters,
            delta=None,
            n_starts=8,
            identify=False,
        )
        return bootstrap(fit, rows, clusters="pool_draw", n_draws=N_DRAWS)

    def at(self, boot: Bootstrap, arm: str, n_params, n_tokens) -> np.ndarray:
        """Values in each draw, (draws,)."""
        return boot.predict(self.columns(arm, n_params, n_tokens), arm)[:, 0]

    def at_target(self, boot: Bootstrap) -> np.ndarray:
        """(draws, arms)."""
        return np.stack([self.at(boot, arm, *TARGET) for arm in self.arms], axis=1)


def problem_of(seed: int) -> Problem:
    """A truth drawn anew: even seeds without repeats, odd ones with."""
    rng = np.random.default_rng([seed, 77])
    law = LAWS[seed % 2]
    shared = {"A": 40.0, "alpha": rng.uniform(0.28, 0.4), "beta": rng.uniform(0.3, 0.4)}
    if law == "data_constrained":
        shared |= {
            "R_D_star": rng.uniform(4, 16),
            "R_N_star": rng.uniform(4, 16),
        }
    params, unique = {}, {}
    for i in range(rng.integers(3, 7)):
        low, data = rng.standard_normal(2)
        if seed % 4 > 1:  # a low floor goes with a large data term, so arms cross
            data = -low
        own = {"E": 1.8 + 0.03 * low, "B": 60 * np.exp(0.06 * data)}
        params[f"arm{i}"] = {**shared, **own}
        unique[f"arm{i}"] = POOL * rng.choice([0.1, 0.2, 0.5, 1.0])
    return Problem(law, params=params, unique=unique, seed=seed)


def cost(cell: Cell) -> float:
    return 6.0 * cell[1] * cell[2] * DRAWS


def levels() -> list[tuple[int, int]]:
    """Sizes and budgets, the cheapest first."""
    every = [(size, tokens) for size in SIZES for tokens in BUDGETS]
    return sorted(every, key=lambda level: level[0] * level[1])


FIRST = [level for level in levels() if SIZES.index(level[0]) + BUDGETS.index(level[1]) < 3]  # fmt: skip


def advisor(problem: Problem, boot: Bootstrap, measure: str, look: int) -> list[Cell]:
    """About STEP of the grid, chosen one after the other, each with what those before it would say."""
    values = problem.at_target(boot)
    dropped = hopeless(values, problem.arms, look)
    left = [
        (arm, *level)
        for arm in problem.arms
        for level in levels()
        if arm not in dropped and (arm, *level) not in problem.cells
    ]
    if not left:
        return []
    predicted = np.log(np.stack([problem.at(boot, *cell) for cell in left], axis=1))
    noise = float(residual_noise(boot.fit).std()) / np.sqrt(DRAWS)
    outlook, chosen, spent = Outlook.of(values), [], 0.0
    while left and spent < STEP * whole_grid(problem):
        flops = [cost(cell) for cell in left]
        best = ranked(outlook, predicted, flops=flops, noise=noise, measure=measure)[0]
        i = best.candidate
        outlook = outlook.after(predicted[:, i], noise, seed=1 + len(chosen))
        spent += flops[i]
        chosen.append(left.pop(i))
        predicted = np.delete(predicted, i, axis=1)
    return chosen


def uniform(problem: Problem, boot: Bootstrap, measure: str, look: int) -> list[Cell]:
    """The cheapest cell that is left, of all arms."""
    left = [lv for lv in levels() if (problem.arms[0], *lv) not in problem.cells]
    return [(arm, *left[0]) for arm in problem.arms] if left else []


def halving(problem: Problem, boot: Bootstrap, measure: str, look: int) -> list[Cell]:
    """The next budget at every size, of the better half of the arms that have the last one."""
    done = [
        tokens
        for tokens in BUDGETS
        if any(cell[1:] == (SIZES[-1], tokens) for cell in problem.cells)
    ]
    if len(done) == len(BUDGETS):
        return []
    last = (SIZES[-1], done[-1])
    there = [arm for arm in problem.arms if (arm, *last) in problem.cells]
    by_loss = sorted(there, key=lambda arm: problem.runs((arm, *last)).mean())
    keep = by_loss[: max(2, -(-len(there) // 2))]
    upto = BUDGETS[: len(done) + 1]
    wanted = [(arm, size, tokens) for arm in keep for size in SIZES for tokens in upto]
    return [cell for cell in wanted if cell not in problem.cells]


POLICIES: dict[str, Callable[..., list[Cell]]] = {
    "advisor": advisor,
    "uniform": uniform,
    "halving": halving,
}


def whole_grid(problem: Problem) -> float:
    """FLOPs of every cell of every arm."""
    return sum(cost((arm, *level)) for arm in problem.arms for level in levels())


def trial(seed: int, policy: str, measure: str, stop: str) -> dict[str, float]:
    """One problem under one policy."""
    problem = problem_of(seed)
    problem.cells = [(arm, *level) for arm in problem.arms for level in FIRST]
    look, lost = 1, False
    while True:
        boot = problem.posterior()
        values = problem.at_target(boot)
        p_best = chances(values)
        lost |= problem.best in hopeless(values, problem.arms, look)
        said = p_best.max() if stop == "share" else sureness(values, problem.arms)
        sure = said >= enough(SURE, look)
        steps = [] if sure else POLICIES[policy](problem, boot, measure, look)
        if not steps:
            break
        problem.cells += steps
        look += 1
    spent = sum(map(cost, problem.cells)) / whole_grid(problem)
    return {
        "stopped": float(sure),
        "right": float(problem.arms[p_best.argmax()] == problem.best),
        "spent": spent if sure else 1.0,
        "looks": float(look),
        "lost": float(lost),
    }


def line(name: str, found: Sequence[dict[str, float]]) -> dict[str, float]:
    """Prints a row; its numbers."""
    each = {key: np.array([one[key] for one in found]) for key in found[0]}
    stopped = each["stopped"] > 0
    total = {
        "problems": float(len(found)),
        "stopped": float(stopped.mean()),
        "right": float(each["right"][stopped].mean()) if stopped.any() else np.nan,
        "flops": float(np.median(each["spent"])),
        "mean_flops": float(each["spent"].mean()),
        "looks": float(each["looks"].mean()),
        "lost": float(each["lost"].mean()),
    }
    print(f"{name:24s}" + "".join(f"{x:10.3f}" for x in total.values()), flush=True)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs=2, default=(1000, 1200))
    parser.add_argument("--measure", default=MEASURE)
    parser.add_argument("--policy", choices=sorted(POLICIES))
    parser.add_argument("--stop", choices=["both", "share"], default="both")
    options = parser.parse_args()
    started, totals = time.process_time(), {}
    heads = ("problems", "stopped", "right", "flops", "mean", "looks", "lost")
    print(f"{'':24s}" + "".join(f"{head:>10s}" for head in heads))
    for policy in [options.policy] if options.policy else POLICIES:
        found = {
            seed: trial(seed, policy, options.measure, options.stop)
            for seed in range(*options.seeds)
        }
        for parity, law in enumerate(LAWS):
            part = [one for seed, one in found.items() if seed % 2 == parity]
            line(f"{policy}, {law}", part)
        totals[policy] = line(policy, list(found.values()))
    said = {"policies": totals, "cpu_seconds": round(time.process_time() - started)}
    print(
        json.dumps(said | {"measure": options.measure, "machine": platform.machine()})
    )


if __name__ == "__main__":
    main()
