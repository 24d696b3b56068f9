"""Does a law of the learning-rate schedule, fitted to two schedules, predict the loss curve of a
third?

python benchmarks/proxy_annealing.py [--pack FOLDER] [--size 25k] [--tokens N] [--seeds 8] [--curves
FILE]. One model under three schedules, several seeds each, held-out loss at steps on the way; a law
is fitted to two mean curves and judged on the third, for each of the three. FILE keeps the curves:
they are read from it where it exists, else trained and written. Prints a table and, as its last
line, one JSON object.

Rules:
data     means over seeds of held-out losses (not training losses) and over MEAN_OF neighbouring
         points; from 1.05M on, where the ladder of proxy_science.py says that the power law
         begins: before that no law of the schedule can hold
law      the annealing law; its memory of the fall is MEMORY of the run's steps, as cited (.999 at
         24,000 steps), not fitted: two curves do not tell it (see the rows of other memories and
         of the multi-power law, shown beside it and never chosen from)
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent)]

from proxy_science import N_WORKERS, load, machine, spec_of

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.schedules.multi_power import multi_power
from stages.laws.schedules.schedule import MEMORY, decay_for, lr_area, lr_fall
from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec

SCHEDULES, WARMUP, BATCH_TOKENS, STACK = ("constant", "cosine", "wsd"), 30, 1024, 4
TOKENS, EVERY_STEPS, FIRST_TOKENS, HELD_OUT_TOKENS = 3_145_728, 32, 1_048_576, 30_000
# measured: a point of the mean of 8 seeds varies by .006 nats about its neighbours at a constant
# rate, .003 of a cosine
MEAN_OF = 4
OTHERS, GOAL_NATS = (0.9, 0.98, 0.99, 0.995, 0.999), 0.01


@dataclass(frozen=True)
class Run:
    """What was trained: a size, its tokens, by schedule the held-out losses (seeds, points), and
    the tokens from which on they count.
    """

    size: str
    losses: dict[str, np.ndarray]
    tokens: int = TOKENS
    first_tokens: int = FIRST_TOKENS

    def rates(self, schedule: str) -> np.ndarray:
        """Learning rate of every step."""
        spec = spec_for(self.size, self.tokens, schedule, 0)
        return spec.lr * np.concatenate(
            [segment.lr_factors for segment in spec.segments]
        )


def spec_for(size: str, tokens: int, schedule: str, seed: int) -> RunSpec:
    return spec_of(
        Shape.named(size),
        [tokens],
        schedule=schedule,
        seed=seed,
        data_seed=seed,
        warmup_steps=WARMUP,
        batch_tokens=BATCH_TOKENS,
    )


def trained(
    folder: Path, size: str, tokens: int, schedule: str, seeds: list[int]
) -> list[list[float]]:
    """Held-out loss of each seed at every EVERY_STEPS steps."""
    from stages.proxy.network.device import one_thread
    from stages.proxy.training.train import Trainer

    with one_thread():
        trainer, found = (
            Trainer(
                [spec_for(size, tokens, schedule, seed) for seed in seeds],
                load(folder, HELD_OUT_TOKENS),
                "cpu",
            ),
            [],
        )

        def measure(step: int) -> None:
            if step % EVERY_STEPS == 0:
                found.append(
                    [
                        score["held_out"].loss_nats
                        for score in trainer.scorer.score(
                            trainer.engine.token_losses, len(seeds)
                        )
                    ]
                )

        trainer.run(on_step=measure)
    return np.array(found).T.tolist()


def all_curves(
    folder: Path, size: str, tokens: int, seeds: list[int]
) -> dict[str, list[list[float]]]:
    """By schedule the losses (seeds, points)."""
    jobs = list(
        product(
            SCHEDULES,
            [seeds[first : first + STACK] for first in range(0, len(seeds), STACK)],
        )
    )
    found = {schedule: [] for schedule in SCHEDULES}
    with ProcessPoolExecutor(min(N_WORKERS, len(jobs))) as pool:
        parts = pool.map(
            trained,
            [folder] * len(jobs),
            [size] * len(jobs),
            [tokens] * len(jobs),
            *zip(*jobs, strict=True),
        )
        for (schedule, _), part in zip(jobs, parts, strict=True):
            found[schedule] += part
    return found


def rows_of(names: list[str], run: Run, decay: float) -> dict[str, np.ndarray]:
    """Columns of both laws for the mean curves of these schedules; `schedule` counts SCHEDULES from 1."""
    parts = []
    for name in names:
        steps, lr = (
            EVERY_STEPS * np.arange(1, run.losses[name].shape[1] + 1),
            run.rates(name),
        )
        keep = steps * BATCH_TOKENS >= run.first_tokens
        parts.append(
            {
                "step": steps[keep],
                "schedule": np.full(keep.sum(), SCHEDULES.index(name) + 1),
                "value": run.losses[name].mean(0)[keep],
                "lr_area": lr_area(lr, steps)[keep],
                "lr_fall": lr_fall(lr, steps, warmup=WARMUP, decay=decay)[keep],
            }
        )
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def candidates(run: Run) -> dict[str, tuple]:
    """Law and memory of the fall, by name; the first is the one that counts."""
    decay = decay_for(len(run.rates("wsd")))
    ways = {f"annealing, {MEMORY:.3f} of the run": (get_law("annealing"), decay)}
    ways |= {f"annealing {other}": (get_law("annealing"), other) for other in OTHERS}
    return ways | {
        "multi_power": (multi_power([run.rates(name) for name in SCHEDULES]), decay)
    }


def averaged(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Means over MEAN_OF neighbouring points of a curve; the first ones that do not fill a mean are left out."""
    found = {name: [] for name in rows}
    for number in np.unique(rows["schedule"]):
        own = np.flatnonzero(rows["schedule"] == number)
        own = own[len(own) % MEAN_OF :].reshape(-1, MEAN_OF)
        for name, column in rows.items():
            found[name].append(column[own].mean(1))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def judged(third: str, run: Run) -> dict[str, dict[str, float]]:
    """Of every candidate its residual on the two fitted curves, and its error on the third."""
    two, found = [name for name in SCHEDULES if name != third], {}
    for name, (law, decay) in candidates(run).items():
        known, asked = (
            averaged(rows_of(two, run, decay)),
            averaged(rows_of([third], run, decay)),
        )
        fit = fit_law(
            law, known, objective="least_squares_log", n_starts=32, identify=False
        )
        error = fit.predict(asked) - asked["value"]
        found[name] = {
            "mae_nats": float(np.abs(error).mean()),
            "bias_nats": float(error.mean()),
            "points": len(error),
            "rms_of_the_two": float(
                np.sqrt(np.mean((fit.predict(known) - known["value"]) ** 2))
            ),
        }
    return found


def noise_of(losses: np.ndarray) -> float:
    """Standard error over seeds of a point of the mean curve; much of it is common to all points,
    and goes into the law's level.
    """
    return (
        float(
            (
                losses[:, len(losses[0]) // 3 :].std(0, ddof=1) / len(losses) ** 0.5
            ).mean()
        )
        if len(losses) > 1
        else float("nan")
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pack", type=Path, default=Path("data/pack"))
    parser.add_argument("--size", default="25k")
    parser.add_argument("--tokens", type=int, default=TOKENS)
    parser.add_argument(
        "--first-tokens",
        type=int,
        default=FIRST_TOKENS,
        help="what comes before is left out",
    )
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--curves", type=Path, help="file that keeps the curves")
    arguments = parser.parse_args()
    seeds = list(range(arguments.first_seed, arguments.first_seed + arguments.seeds))
    if arguments.curves and arguments.curves.is_file():
        kept = json.loads(arguments.curves.read_text())
    else:
        kept = all_curves(arguments.pack, arguments.size, arguments.tokens, seeds)
        if arguments.curves:
            arguments.curves.write_text(json.dumps(kept))
    run, result = (
        Run(
            arguments.size,
            {name: np.array(kept[name]) for name in SCHEDULES},
            arguments.tokens,
            arguments.first_tokens,
        ),
        {},
    )
    for third in SCHEDULES:
        result[third] = found = judged(third, run)
        print(
            f"{third} from the other two (standard error of a point over seeds"
            f" {noise_of(run.losses[third]):.4f})"
        )
        for name, row in found.items():
            print(
                f"    {name:28} error {row['mae_nats']:.4f} nats, bias"
                f" {row['bias_nats']:+.4f}, residual of the two"
                f" {row['rms_of_the_two']:.4f}",
                flush=True,
            )
    chosen = next(iter(result["wsd"]))
    print(
        json.dumps(
            {
                "size": run.size,
                "seeds": len(run.losses["wsd"]),
                "law": chosen,
                "mae_nats": {
                    third: result[third][chosen]["mae_nats"] for third in SCHEDULES
                },
                "goal_nats": GOAL_NATS,
                "all": result,
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
