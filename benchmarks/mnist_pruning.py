"""Pruning theory on real images: keep-easy, keep-hard and random subsets of 5,000 MNIST digits, by
pool size, kept fraction and model.

python benchmarks/mnist_pruning.py [--runs FILE.parquet] [--figure FILE.png] [--draws N] [--wheels
FOLDER] Each draw splits the digits anew into 1,000 for testing and a pool of 4,000, whose first 250
to 4,000 are the pools of the study. Difficulty is forgetting over 10 probes trained on the 4,000.
Every model sees 600 steps of 32 samples, whatever it kept, so subsets compare at equal compute, and
easy, hard and random at equal count. With --runs finished draws are kept, and not trained again.
Prints tables and, as its last line, one JSON object. 9 CPU-minutes on one thread for 6 draws.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import polars as pl
from laws_speed import machine

from stages.curation.sample_data.arrays import stacked
from stages.curation.sample_data.image_pools import read_images
from stages.images.difficulty import Scoring, image_difficulty
from stages.laws import get_law
from stages.laws.choosing.bootstrap import Bootstrap, bootstrap
from stages.laws.fitting.fit import fit_law
from stages.proxy.images.data import ImageData
from stages.proxy.images.spec import ImageShape, ImageSpec
from stages.proxy.images.train import train_images

POOLS, FRACTIONS, SIDES = (
    (250, 500, 1000, 2000, 4000),
    (0.2, 0.5, 0.8),
    ("easy", "hard", "random"),
)
STEPS, BATCH, N_TEST, N_REFITS, LEVEL = 600, 32, 1000, 1000, 0.9
MODELS = {
    "MLP 16": ("mlp", 16, 0.005),
    "MLP 64": ("mlp", 64, 0.003),
    "residual 8": ("residual", 8, 0.015),
}  # kind, width, lr


def shape_of(kind: str, width: int) -> ImageShape:
    return ImageShape(kind, width, 1, 1, 28, 28, 10)


def spec_of(model: str, arm: str, draw: int) -> ImageSpec:
    kind, width, lr = MODELS[model]
    return ImageSpec(
        arm=arm,
        shape=shape_of(kind, width),
        budgets_samples=(STEPS * BATCH,),
        batch_samples=BATCH,
        lr=lr,
        seed=draw,
        data_seed=draw,
    )


def draw_of(pixels: np.ndarray, labels: np.ndarray, draw: int) -> ImageData:
    """A split of the digits, with its arms: for each pool its kept parts by the difficulty of this draw."""
    order = np.random.default_rng(draw).permutation(len(labels))
    test, pool = order[:N_TEST], order[N_TEST:]
    data = ImageData(pixels[pool], labels[pool], pixels[test], labels[test])
    difficulty = image_difficulty(
        ["forgetting"], data, Scoring(spec=spec_of("MLP 64", "", 1000 + draw))
    )["forgetting"]
    # ties by chance, the same for both sides
    difficulty = difficulty + 1e-6 * np.random.default_rng(draw).random(len(pool))
    arms = {}
    for size in POOLS:
        rows = np.arange(size)
        ranked = rows[np.argsort(difficulty[rows])]
        arms[f"{size} 1 all"] = rows
        for fraction in FRACTIONS:
            n = round(fraction * size)
            arms |= {
                f"{size} {fraction} easy": ranked[:n],
                f"{size} {fraction} hard": ranked[-n:],
                f"{size} {fraction} random": rows[:n],
            }
    return data.with_arms(arms)


def trained_runs(wheels: str, n_draws: int, file: Path | None) -> pl.DataFrame:
    """A runs table: one row a run and metric, with pool size, fraction and side; draws that `file`
    holds are not trained again.
    """
    runs = pl.read_parquet(file) if file and file.is_file() else pl.DataFrame()
    done = set(runs["pool_draw"]) if runs.height else set()
    frame = read_images("mnist_5k", wheels)
    pixels, labels = stacked(frame), frame["label"].to_numpy()
    for draw in (draw for draw in range(n_draws) if draw not in done):
        data, rows = draw_of(pixels, labels, draw), []
        for model in MODELS:
            for result in train_images(
                [spec_of(model, arm, draw) for arm in data.arms], data
            ):
                pool, fraction, side = result.spec.arm.split()
                rows += result.rows(
                    f"{model}-{result.spec.arm}-{draw}",
                    model=model,
                    pool=int(pool),
                    fraction=float(fraction),
                    side=side,
                    pool_draw=draw,
                    n_kept=len(data.arms[result.spec.arm]),
                )
        runs = pl.concat([runs, pl.DataFrame(rows)], how="diagonal")
        if file:
            runs.write_parquet(file)
        print(f"draw {draw + 1} of {n_draws} trained", flush=True)
    return runs


def columns(runs: pl.DataFrame, arm: pl.Expr) -> dict[str, np.ndarray]:
    frame = runs.with_columns(arm=arm)
    return {
        "value": frame["value"].to_numpy(),
        "n_tokens_seen": frame["n_kept"].to_numpy().astype(float),
        "keep_fraction": frame["fraction"].to_numpy(),
        "arm": frame["arm"].to_numpy(),
        "pool_draw": frame["pool_draw"].to_numpy().astype(str),
    }


def fitted(law: str, rows: dict[str, np.ndarray], by_arm: tuple[str, ...]) -> Bootstrap:
    fit = fit_law(get_law(law), rows, by_arm=by_arm, delta=None, identify=False)
    return bootstrap(fit, rows, clusters="pool_draw", n_draws=N_REFITS)


def where_it_falls(pools: np.ndarray, gap: np.ndarray) -> float:
    """Pool size after which the gap hard - easy stays below zero; 0 if it is so from the smallest
    pool, infinite if not by the largest.
    """
    above = np.flatnonzero(gap > 0)
    if not above.size:
        return 0.0
    i = above[-1]
    if i == len(pools) - 1:
        return np.inf
    return float(
        np.exp(
            np.log(pools[i])
            + np.log(pools[i + 1] / pools[i]) * gap[i] / (gap[i] - gap[i + 1])
        )
    )


def crossing_record(point: float, drawn: np.ndarray) -> dict:
    """A crossing with its interval; null where it lies beyond the pools that were measured, `text`
    says on which side.
    """
    low, high = np.quantile(
        drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf"
    )
    found = {"pool": point, "low": low, "high": high}
    words = {
        name: (
            f"< {POOLS[0]}"
            if at == 0
            else f"> {POOLS[-1]}"
            if at == np.inf
            else f"{at:.0f}"
        )
        for name, at in found.items()
    }
    inside = {
        name: float(at) if 0 < at < np.inf else None for name, at in found.items()
    }
    return inside | {
        "text": f"{words['pool']} [{words['low']}, {words['high']}]",
        "share_inside": float(np.mean((drawn > 0) & np.isfinite(drawn))),
    }


def fitted_crossing(boot: Bootstrap, fraction: float) -> dict:
    """Where keep-hard overtakes keep-easy on the fitted curves, over refits."""
    pools = np.geomspace(POOLS[0], POOLS[-1], 200)
    rows = {"n_tokens_seen": fraction * pools}
    gaps = np.log(boot.predict(rows, f"hard {fraction}")) - np.log(
        boot.predict(rows, f"easy {fraction}")
    )
    point = np.log(boot.fit.predict(rows, f"hard {fraction}")) - np.log(
        boot.fit.predict(rows, f"easy {fraction}")
    )
    return crossing_record(
        where_it_falls(pools, point),
        np.array([where_it_falls(pools, gap) for gap in gaps]),
    )


def plain_crossing(errors: dict[int, dict[str, np.ndarray]]) -> dict:
    """The same with no law: mean errors joined by lines over log pool size, draws resampled."""
    random, pools = np.random.default_rng(0), np.array(POOLS, float)
    # (pools, draws)
    gaps = np.array([errors[pool]["hard"] - errors[pool]["easy"] for pool in POOLS])
    n_draws = gaps.shape[1]
    drawn = [
        where_it_falls(
            pools, gaps[:, random.integers(0, n_draws, n_draws)].mean(axis=1)
        )
        for _ in range(N_REFITS)
    ]
    return crossing_record(where_it_falls(pools, gaps.mean(axis=1)), np.array(drawn))


def study(model: str, runs: pl.DataFrame) -> dict:
    """Curves, crossovers and the comparison with random for one model."""
    pruned = runs.filter(pl.col("side").is_in(["easy", "hard"]))
    apart = fitted(
        "power_floor_tokens",
        columns(pruned, pl.format("{} {}", "side", "fraction")),
        ("E", "B", "beta"),
    )
    both = pl.concat(
        [
            pruned.select("value", "n_kept", "fraction", "side", "pool_draw"),
            *(
                runs.filter(side="all")
                .with_columns(side=pl.lit(side))
                .select("value", "n_kept", "fraction", "side", "pool_draw")
                for side in ("easy", "hard")
            ),
        ]
    )
    joint = fitted(
        "pruning_curve", columns(both, pl.col("side")), ("E", "B", "beta", "phi", "nu")
    )
    found = {
        "n_params": shape_of(*MODELS[model][:2]).n_params,
        "rms_log_apart": apart.fit.rms_log,
        "rms_log_joint": joint.fit.rms_log,
        "joint": {name: joint.fit.params[name] for name in ("E", "beta", "phi", "nu")},
        "joint_intervals": {name: joint.params()[name] for name in ("phi", "nu")},
        "curves": {
            arm: {name: apart.fit.params[name][arm] for name in ("E", "B", "beta")}
            for arm in apart.fit.arms
        },
        "fractions": {},
    }
    for fraction in FRACTIONS:
        table, each = {}, {}
        for pool in POOLS:
            at = runs.filter(
                (pl.col("pool") == pool)
                & ((pl.col("fraction") == fraction) | (pl.col("side") == "all"))
            ).sort("pool_draw")
            each[pool] = by_side = {
                side: at.filter(side=side)["value"].to_numpy()
                for side in (*SIDES, "all")
            }
            table[pool] = {
                side: float(values.mean()) for side, values in by_side.items()
            }
            for side in ("easy", "hard"):
                gain = by_side["random"] - by_side[side]
                table[pool][f"{side}_gain"], table[pool][f"{side}_gain_se"] = (
                    float(gain.mean()),
                    float(gain.std(ddof=1) / np.sqrt(len(gain))),
                )
        found["fractions"][fraction] = {
            "errors": table,
            "fitted_crossing": fitted_crossing(apart, fraction),
            "plain_crossing": plain_crossing(each),
        }
    return found


def show(results: dict) -> None:
    print(
        f"{'model':12s}{'kept':>6s}{'pool':>7s}"
        f"{'easy':>9s}{'hard':>9s}{'random':>9s}{'all':>9s}"
        f"{'easy - random':>18s}{'hard - random':>18s}"
    )
    for model, found in results.items():
        for fraction, part in found["fractions"].items():
            for pool, at in part["errors"].items():
                gaps = "".join(
                    f"{-at[f'{side}_gain']:+10.4f} +-{at[f'{side}_gain_se']:.4f}"
                    for side in ("easy", "hard")
                )
                print(
                    f"{model:12s}{fraction:6.0%}{pool:7d}"
                    + "".join(f"{at[side]:9.4f}" for side in (*SIDES, "all"))
                    + f" {gaps}"
                )
    print(
        "\nkeep-hard overtakes keep-easy at a pool"
        f" of\n{'model':12s}{'n_params':>9s}{'kept':>6s}  {'on fitted curves':26s} "
        " with no law"
    )
    for model, found in results.items():
        for fraction, part in found["fractions"].items():
            print(
                f"{model:12s}{found['n_params']:9d}{fraction:6.0%} "
                f" {part['fitted_crossing']['text']:26s} "
                f" {part['plain_crossing']['text']}"
            )
    for model, found in results.items():
        joint = ", ".join(
            f"{side}: phi {found['joint']['phi'][side]:+.2f} nu"
            f" {found['joint']['nu'][side]:+.3f}"
            for side in ("easy", "hard")
        )
        print(
            f"{model}: rms of log error {found['rms_log_apart']:.3f} with a curve a"
            f" fraction, {found['rms_log_joint']:.3f} with one pruning_curve a side"
            f" ({joint})"
        )


def draw_figure(results: dict, file: Path) -> None:
    """Errors against pool size: a row a fraction, a column a model; curves are the fits, the line is the crossover."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(FRACTIONS),
        len(results),
        figsize=(11, 8),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    colours = {"easy": "#3b7dd8", "hard": "#d8553b", "random": "#777777"}
    pools = np.geomspace(POOLS[0], POOLS[-1], 100)
    for column, (model, found) in enumerate(results.items()):
        for row, (fraction, part) in enumerate(found["fractions"].items()):
            axis = axes[row][column]
            for side in SIDES:
                axis.plot(
                    POOLS,
                    [part["errors"][pool][side] for pool in POOLS],
                    "o",
                    color=colours[side],
                    label=side,
                    markersize=4,
                )
                if curve := found["curves"].get(f"{side} {fraction}"):
                    axis.plot(
                        pools,
                        curve["E"] + curve["B"] * (fraction * pools) ** -curve["beta"],
                        color=colours[side],
                    )
            at = part["fitted_crossing"]
            if at["pool"]:
                axis.axvline(at["pool"], color="black", linewidth=0.8)
                axis.axvspan(
                    at["low"] or POOLS[0],
                    at["high"] or POOLS[-1],
                    color="black",
                    alpha=0.1,
                )
            axis.set(
                xscale="log",
                yscale="log",
                title=(
                    f"{model}, keep {fraction:.0%}"
                    if row == 0
                    else f"keep {fraction:.0%}"
                ),
            )
            axis.set_xticks(POOLS, map(str, POOLS))
            axis.set_yticks((0.03, 0.1, 0.3), (".03", ".1", ".3"))
            axis.minorticks_off()
    axes[0][0].legend(frameon=False)
    figure.supxlabel("images in the pool before pruning")
    figure.supylabel("test error")
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--figure", type=Path, default=Path("mnist_pruning.png"))
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--wheels", default="data/cache/wheels")
    asked = parser.parse_args()
    runs = trained_runs(asked.wheels, asked.draws, asked.runs)
    errors = runs.filter(metric="error").with_columns(
        value=pl.col("value").clip(1 / (2 * N_TEST))
    )
    results = {model: study(model, errors.filter(model=model)) for model in MODELS}
    show(results)
    draw_figure(results, asked.figure)
    print(
        json.dumps(
            {
                "draws": runs["pool_draw"].n_unique(),
                "runs": runs.filter(metric="error").height,
                "training_seconds": float(runs.filter(metric="error")["seconds"].sum()),
                "models": results,
                "machine": machine(),
            },
            default=str,
        )
    )


if __name__ == "__main__":
    main()
