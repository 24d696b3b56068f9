"""Is a run judged with less noise by the mean over its last checkpoints? python benchmarks/late_checkpoints.py

[--project FOLDER] [--size 25k] [--tokens 131072] [--seeds 8] [--keep FILE]. Arms of a project whose stages up to `arms`
have run (the demo), several seeds each on one resample, under the demo's schedule (wsd), a cosine and a constant rate.
On the way held-out losses and items are scored every EVERY steps: multiple choice, how a held-out document goes on
among the continuations of three others. By schedule and metric, for the last checkpoint, the mean of the scores of the
last 2, 4 and 8, and the scores of the mean of their weights:
noise    standard deviation over the seeds of an arm, pooled over arms
bias     mean over all runs less that of the last checkpoint
signal   standard deviation over the means of the arms; signal / noise is what decides which arm is named best
right    of pairs of runs of two arms, the share in the order of the means of these arms over the other seeds at the
         last checkpoint
quieter  share of 2,000 redraws of the seeds (with replacement) in which noise is below that of the last checkpoint
clearer  the same for signal / noise above it; .5 says that it makes no difference
FILE keeps the scores. Prints a table and, as its last line, one JSON object.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from proxy_science import machine

from stages.proxy.specs.shape import Shape
from stages.proxy.specs.spec import RunSpec

ARMS = ("keep_10", "keep_50", "keep_100")
SCHEDULES, DOMAIN = ("wsd", "cosine", "constant"), "news"
EVERY, LAST, STACK = 4, (1, 2, 4, 8), 4
N_ITEMS, QUESTION, CHOICE = 200, 32, 16  # tokens of each
REDRAWN = 2_000


def write_items(pack: Path, tokenizer: Path, file: Path) -> None:
    """Multiple-choice items of the held-out documents, in their order."""
    from tokenizers import Tokenizer

    from stages.proxy.tokens.packed import Packed

    held, read = Packed.open(pack), Tokenizer.from_file(str(tokenizer))
    parts = []
    for i in range(held.n_documents):
        tokens = np.asarray(held.document(i)).tolist()
        for at in range(0, len(tokens) - QUESTION - CHOICE, QUESTION + CHOICE):
            cut = at + QUESTION
            parts.append(
                (read.decode(tokens[at:cut]), read.decode(tokens[cut : cut + CHOICE]))
            )
    draw = np.random.default_rng(0)
    parts = [part for part in parts if all(each.strip() for each in part)]
    with file.open("w") as out:
        for i, (question, answer) in enumerate(parts[:N_ITEMS]):
            others = draw.choice(np.delete(np.arange(len(parts)), i), 3, replace=False)
            choices = [parts[j][1] for j in others]
            place = int(draw.integers(4))
            choices.insert(place, answer)
            row = {"question": question, "choices": choices, "answer": place}
            out.write(json.dumps(row) + "\n")


def scored(
    project: Path,
    items: Path,
    *,
    schedule: str,
    size: str,
    tokens: int,
    arm: str,
    seeds: list[int],
) -> list[dict[str, list[float]]]:
    """Of each seed metric -> scores: of the last 8 checkpoints in order, then of the means of weights of 2, 4, 8."""
    os.chdir(project)
    import torch

    from stages.proxy.network.device import one_thread
    from stages.proxy.training.train import Trainer
    from stages.sweeping.views import load_views, proxy_data

    data = load_views(str(items))
    given = proxy_data(data)
    given = replace(given, held_out={DOMAIN: given.held_out[DOMAIN]})
    shape = Shape.named(size, context=128, vocab_size=data.packed.vocab_size)
    specs = [
        RunSpec(
            arm=f"{arm}/0",
            shape=shape,
            budgets_tokens=(tokens,),
            schedule=schedule,
            weight_decay=0.3,
            seed=seed,
            data_seed=seed,
        )
        for seed in seeds
    ]
    found: list[dict[str, list[float]]] = [{} for _ in seeds]
    with one_thread(), torch.no_grad():
        trainer = Trainer(specs, given, "cpu")
        n_steps = sum(segment.n_steps for segment in trainer.plan)
        weights: list[torch.Tensor] = []

        def score() -> None:
            held = trainer.scorer.score(trainer.engine.token_losses, len(seeds))
            of_items = trainer.item_scorer.score(
                trainer.engine.token_losses, trainer.weights, seeds
            )
            for run, (losses, more) in enumerate(zip(held, of_items, strict=True)):
                values = {f"loss_{DOMAIN}": losses[DOMAIN].loss_nats}
                values |= {name: value for name, (value, _) in more.items()}
                for name, value in values.items():
                    found[run].setdefault(name, []).append(float(value))

        def look(step: int) -> None:
            left = n_steps - step
            if left % EVERY == 0 and left < EVERY * LAST[-1]:
                weights.append(trainer.weights.flat.detach().clone())
                score()

        with torch.enable_grad():
            trainer.run(on_step=look)
        for k in LAST[1:]:
            trainer.weights.flat.copy_(torch.stack(weights[-k:]).mean(0))
            score()
    return found


def table(runs: np.ndarray) -> dict[str, dict[str, float]]:
    """Way -> numbers. runs: (arms, seeds, 8 checkpoints and 3 means of weights)."""
    ways = {"last": runs[..., LAST[-1] - 1]}
    for i, k in enumerate(LAST[1:]):
        ways[f"mean of {k}"] = runs[..., LAST[-1] - k : LAST[-1]].mean(-1)
        ways[f"weights of {k}"] = runs[..., LAST[-1] + i]
    last = ways["last"]
    n_seeds = last.shape[1]
    redrawn = np.random.default_rng(0).integers(n_seeds, size=(REDRAWN, n_seeds))
    found = {}
    for name, values in ways.items():
        again = [(values[:, t], last[:, t]) for t in redrawn]
        found[name] = {
            "noise": _noise(values),
            "bias": float(values.mean() - last.mean()),
            "signal": _signal(values),
            "signal / noise": _clear(values),
            "right": _right(values, last),
            "quieter": _share(_noise(own) < _noise(other) for own, other in again),
            "clearer": _share(_clear(own) > _clear(other) for own, other in again),
        }
    return found


def _share(said: Iterable[bool]) -> float:
    return float(np.mean(list(said)))


def _signal(values: np.ndarray) -> float:
    return float(values.mean(1).std(ddof=1))


def _clear(values: np.ndarray) -> float:
    return _signal(values) / max(_noise(values), 1e-12)


def _right(values: np.ndarray, last: np.ndarray) -> float:
    """Share of pairs of runs in the order that all other seeds have at the last checkpoint. Both (arms, seeds)."""
    n_arms, n_seeds = values.shape
    right = []
    for i, j in combinations(range(n_arms), 2):
        for a, b in product(range(n_seeds), repeat=2):
            others = [t for t in range(n_seeds) if t not in (a, b)]
            truth = last[i, others].mean() - last[j, others].mean()
            right.append((values[i, a] < values[j, b]) == (truth < 0))
    return float(np.mean(right))


def _noise(values: np.ndarray) -> float:
    """Pooled over arms. values: (arms, seeds)."""
    return float(np.sqrt(values.var(axis=1, ddof=1).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--project", type=Path, default=Path("."))
    parser.add_argument("--size", default="25k")
    parser.add_argument("--tokens", type=int, default=131_072)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    project = asked.project.resolve()
    keep = asked.keep.resolve() if asked.keep else None
    if keep and keep.is_file():
        kept = json.loads(keep.read_text())
    else:
        kept = trained(project, asked.size, asked.tokens, asked.seeds)
        if keep:
            keep.write_text(json.dumps(kept))
    result: dict[str, dict] = {}
    for schedule, arms in kept.items():
        for metric in arms[ARMS[0]][0]:
            runs = np.array([[run[metric] for run in arms[arm]] for arm in ARMS])
            found = result.setdefault(schedule, {})[metric] = table(runs)
            print(f"{schedule}, {metric}")
            for way, row in found.items():
                numbers = "  ".join(f"{key} {value:+.4f}" for key, value in row.items())
                print(f"    {way:13} {numbers}", flush=True)
    print(
        json.dumps(
            {
                "size": asked.size,
                "tokens": asked.tokens,
                "seeds": len(kept[SCHEDULES[0]][ARMS[0]]),
                "all": result,
                "machine": machine(),
            }
        )
    )


def trained(project: Path, size: str, tokens: int, n_seeds: int) -> dict:
    """Schedule -> arm -> seeds -> metric -> scores."""
    kept: dict = {name: {arm: [] for arm in ARMS} for name in SCHEDULES}
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2) as pool:
        items = Path(folder) / "items.jsonl"
        write_items(
            project / f"data/pack/heldout/{DOMAIN}",
            project / "data/pack/tokenizer.json",
            items,
        )
        stacks = [
            list(range(first, min(first + STACK, n_seeds)))
            for first in range(0, n_seeds, STACK)
        ]
        jobs = {
            (schedule, arm, seeds[0]): pool.submit(
                scored,
                project,
                items,
                schedule=schedule,
                size=size,
                tokens=tokens,
                arm=arm,
                seeds=seeds,
            )
            for schedule, arm, seeds in product(SCHEDULES, ARMS, stacks)
        }
        for (schedule, arm, first), job in jobs.items():
            kept[schedule][arm] += job.result()
            print(f"{schedule} {arm} from seed {first}", file=sys.stderr, flush=True)
    return kept


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
