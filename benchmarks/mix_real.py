"""A mixture question on real pools whose best mixture is measured on a fine grid.

Two questions of kind mixture over the demo's own pools, news with docstrings and both with tweets; proxies of 6,144
parameters on 131,072 tokens; the mean loss of the held-out parts of the pools that are mixed. Beside the swarms (16 and
32 runs), every mixture of a grid is trained in every resample: 21 shares of two pools, 45 mixtures of three. The stages
run as in `assay run`. Printed: the proposal with its interval, the best mixture of the grid, the best of a smooth
surface through the grid, since noise moves a flat minimum, and what a run at the proposal loses to it, beside the noise
of a grid mean.

    python benchmarks/mix_real.py [--folder DIR] [--draws 4] [--size 6k] [--tokens 131072]
"""

import argparse
import json
import os
import tempfile
import time
from itertools import combinations_with_replacement, pairwise
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from scipy.optimize import minimize

from stages.foundation import artefacts
from stages.foundation.stage import ROOT
from stages.laws.mixing.process import fit_process
from stages.laws.mixing.surface import Form
from stages.pipeline import PIPELINE
from stages.searched.record import read_any_decision
from stages.settings.params import load_params

QUESTIONS = {"two": ("news", "docstrings"), "three": ("news", "docstrings", "tweets")}
RUNS = {"two": 16, "three": 32}
STEPS = {"two": 20, "three": 8}  # of a share in the grid
UNTIL = "decide"
SMOOTH = Form("smooth in roots", root=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="kept; default a temporary one")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--size", default="6k")
    parser.add_argument("--tokens", type=int, default=131_072)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="mix-real-"))
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    started = time.perf_counter()
    made = params(options.draws, options.size, options.tokens)
    Path("params.yaml").write_text(yaml.safe_dump(made, sort_keys=False))
    run_stages()
    rows = {name: shown(name) for name in QUESTIONS}
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {"draws": options.draws, "size": options.size, "seconds": round(seconds)}
            | rows
        )
    )


def params(draws: int, size: str, tokens: int) -> dict:
    """The demo's parameters with the questions in place of its own, and every mixture of the grids as an arm."""
    made = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    made.pop("target")
    pools = made["ingest"]["pools"]
    kept = {name: pools[name] | {"heldout": 0.1} for name in QUESTIONS["three"]}
    made["ingest"] |= {"pools": kept, "wheel_cache": str(ROOT / "data/cache/wheels")}
    questions = {
        name: {
            "kind": "mixture",
            "over": list(over),
            "runs": RUNS[name],
            "weights": dict.fromkeys(over, 1.0),
        }
        for name, over in QUESTIONS.items()
    }
    made["arms"] = {
        "seed": 1,
        "draws": draws,
        "draw_tokens": 200_000,
        "questions": questions,
        "arms": {
            f"grid-{name}-{at}": {"mixture": mixture}
            for name in QUESTIONS
            for at, mixture in enumerate(grid(name))
        },
    }
    made["sweep"] |= {
        "sizes": [size],
        "control_sizes": [size],
        "budgets_tokens": [tokens],
        "regularisations": [{"weight_decay": 0.1}],
    }
    return made


def grid(name: str) -> list[dict[str, float]]:
    """Every mixture of a question's pools in steps of a share; pools without one are left out."""
    over, steps = QUESTIONS[name], STEPS[name]
    cuts = combinations_with_replacement(range(steps + 1), len(over) - 1)
    found = []
    for cut in cuts:
        ends = [0, *cut, steps]
        parts = [(b - a) / steps for a, b in pairwise(ends)]
        found.append(
            {pool: part for pool, part in zip(over, parts, strict=True) if part}
        )
    return found


def run_stages() -> None:
    """The stages up to the decision, those of an earlier call in the same folder again."""
    sections = load_params("params.yaml", PIPELINE)
    for stage in PIPELINE:
        stage.run(sections[stage.name])
        if stage.name == UNTIL:
            return


def shown(name: str) -> dict:
    """Prints what was proposed beside what was measured; the same as numbers."""
    record = read_any_decision(artefacts.decision(name))
    over = QUESTIONS[name]
    shares, means, noise = measured(name)
    raw = shares[means.argmin()]
    surface = fit_process(SMOOTH, shares, means)
    smooth = least(lambda share: float(surface.value(share[None])[0]), raw)
    proposal = np.array([record.proposal[pool] for pool in over])
    lost = surface.value(np.stack([proposal, smooth]))
    prior = np.array([record.reference[pool] for pool in over])
    worse = float(surface.value(prior[None])[0] - lost[1])
    print(f"\n{name}: {record.sentence}\n  {record.status}: {record.reason}")
    print(f"{'pool':12s}{'proposal':>9s}{'interval':>16s}{'grid':>7s}{'smooth':>8s}")
    for at, pool in enumerate(over):
        low, high = record.interval[pool]
        print(
            f"{pool:12s}{proposal[at]:9.3f}{f'[{low:.3f}, {high:.3f}]':>16s}"
            f"{raw[at]:7.2f}{smooth[at]:8.3f}"
        )
    inside = [
        record.interval[pool][0] - 0.005
        <= smooth[at]
        <= record.interval[pool][1] + 0.005
        for at, pool in enumerate(over)
    ]
    found = {
        "proposal": record.proposal,
        "interval": record.interval,
        "grid": dict(zip(over, raw.tolist(), strict=True)),
        "smooth": dict(zip(over, smooth.tolist(), strict=True)),
        "furthest_grid": float(np.abs(proposal - raw).max()),
        "furthest_smooth": float(np.abs(proposal - smooth).max()),
        "lost_nats": float(lost[0] - lost[1]),
        "prior_loses_nats": worse,
        "noise_of_a_mean_nats": noise,
        "inside": all(inside),
        "status": record.status,
    }
    print(
        f"furthest share: {found['furthest_grid']:.3f} from the grid's best,"
        f" {found['furthest_smooth']:.3f} smoothed; the proposal loses"
        f" {found['lost_nats']:.4f} nats, the prior {worse:.4f}; noise of a mean"
        f" {noise:.4f}; in the interval: {all(inside)}",
        flush=True,
    )
    return found


def measured(name: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Mixtures of the grid (points, pools), mean loss over pools and resamples (points,), noise of such a mean.

    What all runs of a resample share is in every mean alike, and taken off before the noise is measured.
    """
    over = QUESTIONS[name]
    runs = pl.read_parquet(artefacts.RUNS).filter(
        pl.col("arm").str.starts_with(f"grid-{name}-")
        & pl.col("metric").is_in([f"loss_{pool}" for pool in over])
    )
    each = runs.group_by("arm", "pool_draw").agg(pl.col("value").mean()).sort("arm")
    asked = {f"grid-{name}-{at}": mixture for at, mixture in enumerate(grid(name))}
    shared = pl.col("value").mean().over("pool_draw")  # every mixture is in each
    table = each.with_columns(pl.col("value") - shared + pl.col("value").mean())
    means = table.group_by("arm", maintain_order=True).agg(
        pl.col("value").mean(), spread=pl.col("value").std()
    )
    points = np.array(
        [[asked[arm].get(pool, 0.0) for pool in over] for arm in means["arm"]]
    )
    n_draws = each["pool_draw"].n_unique()
    noise = float(np.sqrt((means["spread"] ** 2).mean() / n_draws))
    return points, means["value"].to_numpy(), noise


def least(value, start: np.ndarray) -> np.ndarray:
    """The mixture of least value, from the best of the grid."""
    found = minimize(
        value,
        start,
        method="SLSQP",
        bounds=[(0, 1)] * start.size,
        constraints=[{"type": "eq", "fun": lambda share: share.sum() - 1}],
        options={"ftol": 1e-10, "maxiter": 200},
    )
    return found.x if found.fun <= value(start) else start


if __name__ == "__main__":
    main()
