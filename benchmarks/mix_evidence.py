"""Published swarms: how mixtures of larger runs are ranked, and held-out mixtures predicted, by `assay mix`.

RegMix (1M-parameter proxies to 60M and 1B, 13 domains): mean rank correlation times 100 from 64, 128 and 512 proxies,
beside histogram boosted trees with the authors' rate and number of trees; also from proxies that were not used while
the laws were written (the last of the table). Data mixing laws (five domains): 20 of 26 mixtures fitted, 6 predicted,
over splits: mean absolute error of the overall loss and the part of pairs in the right order; 70M runs fitted, 410M
runs ranked.

    python benchmarks/mix_evidence.py FOLDER_OF_PUBLISHED_TABLES
"""

import argparse
import csv
import itertools
import json
import time
from pathlib import Path

import numpy as np
import scipy.linalg
import scipy.optimize  # noqa: F401
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from stages.laws.mixing.averaged_mix import fit_metrics

SPLITS = 6
FIVE = ("academic", "prose", "dialogue", "symbolic", "internet")
STEP = "30000"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with threadpool_limits(1):
        found = {"regmix": regmix(folder), "mixing_laws": mixing_laws(folder)}
    print(json.dumps(found))


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def regmix(folder: Path) -> list[dict[str, float]]:
    """Rank correlations from the first and the last proxies."""
    rows = rows_of(folder / "regmix.csv")
    names = [[name for name in rows[0] if name.startswith(s)] for s in ("w_", "loss_")]

    def part(size, split):
        own = [r for r in rows if r["proxy_size"] == size and r["split"] == split]
        shares, losses = (
            np.array([[float(r[n]) for n in group] for r in own]) for group in names
        )
        return shares / shares.sum(axis=1, keepdims=True), losses

    shares, losses = part("1m", "train")
    sizes = [
        size for size in ("60m", "1B") if any(r["proxy_size"] == size for r in rows)
    ]
    larger = {size: part(size, "test") for size in sizes}
    found = []
    columns = "".join(f"{size:>8s}{'trees':>7s}" for size in sizes)
    print(f"{'proxies':>8s}{'from':>6s}{columns}{'s':>6s}")
    for n, first in ((64, 0), (64, 448), (128, 0), (128, 384), (512, 0)):
        own = slice(first, first + n)
        started = time.perf_counter()
        metrics = fit_metrics(shares[own], losses[own], names[1], n_draws=2)
        seconds = time.perf_counter() - started
        trees = [
            HistGradientBoostingRegressor(
                max_iter=1000, learning_rate=0.01, early_stopping=False, random_state=42
            ).fit(shares[own], losses[own, j])
            for j in range(losses.shape[1])
        ]
        line = {"proxies": n, "first": first, "seconds": seconds}
        for size, (mixtures, seen) in larger.items():
            ours = [metric.value(mixtures) for metric in metrics]
            theirs = [tree.predict(mixtures) for tree in trees]
            line |= {size: ranking(ours, seen), f"trees {size}": ranking(theirs, seen)}
        found.append(line)
        each = "".join(
            f"{line[size]:8.2f}{line[f'trees {size}']:7.2f}" for size in sizes
        )
        print(f"{n:8d}{first:6d}{each}{seconds:6.1f}", flush=True)
    return found


def ranking(said, seen: np.ndarray) -> float:
    """Mean over metrics of the rank correlation, times 100."""
    each = [spearmanr(one, seen[:, j])[0] for j, one in enumerate(said)]
    return float(100 * np.nanmean(each))


def mixing_laws(folder: Path) -> dict[str, float]:
    """Held-out mixtures of 410M runs, and those runs ranked from 70M."""
    weights = {
        r["val_domain"]: float(r["pile_valid_weight"])
        for r in rows_of(folder / "mixinglaws_valid_weight.csv")
    }
    rows = [r for r in rows_of(folder / "mixinglaws_5mix.csv") if r["step"] == STEP]
    shares, large = table(rows, "410M", weights)
    _, small = table(rows, "70M", weights)
    weight = np.array(list(weights.values()))
    weight = weight / weight.sum()
    overall = large @ weight
    errors, right = [], []
    for split in range(SPLITS):
        held = np.zeros(len(shares), bool)
        held[np.random.default_rng(split).permutation(len(shares))[:6]] = True
        said = (
            predicted(shares[~held], large[~held], list(weights), shares[held]) @ weight
        )
        errors.append(np.mean(np.abs(said - overall[held])))
        right.append(pairs_right(said, overall[held]))
    said = predicted(shares, small, list(weights), shares) @ weight
    found = {
        "mae": float(np.mean(errors)),
        "pairs": float(np.mean(right)),
        "pairs from 70M": pairs_right(said, overall),
        "pairs of 70M runs": pairs_right(small @ weight, overall),
    }
    print("  ".join(f"{name} {value:.4f}" for name, value in found.items()))
    return found


def table(rows, model: str, weights) -> tuple[np.ndarray, np.ndarray]:
    """Shares (mixtures, domains) and losses (mixtures, validation domains) of one size, by order of names."""
    own = {
        (r["run_tag"].split("_")[-1], r["val_domain"]): r
        for r in rows
        if r["model"] == model
    }
    tags = sorted({tag for tag, _ in own})
    first = next(iter(weights))
    shares = np.array(
        [[float(own[tag, first][f"w_{d}"]) for d in FIVE] for tag in tags]
    )
    losses = np.array(
        [[float(own[tag, v]["loss_nats"]) for v in weights] for tag in tags]
    )
    return shares / shares.sum(axis=1, keepdims=True), losses


def predicted(shares, losses, names, wanted) -> np.ndarray:
    """(wanted, metrics)"""
    metrics = fit_metrics(shares, losses, names, n_draws=2)
    return np.stack([metric.value(wanted) for metric in metrics], axis=1)


def pairs_right(said, seen) -> float:
    """Part of pairs in the order that was seen."""
    pairs = list(itertools.combinations(range(len(seen)), 2))
    same = [(said[i] - said[j]) * (seen[i] - seen[j]) > 0 for i, j in pairs]
    return float(np.mean(same))


if __name__ == "__main__":
    main()
