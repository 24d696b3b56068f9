"""Back-test of comparisons: leads of one arm over another, predicted from the runs below a cut and measured above it.

Open studies in which several corpora or settings were trained on one design (folder ASSAY_EVIDENCE), and our own
ladders. Arms share what the laws share. Printed by study: error of the leads, share of them in the 90 % interval of two
new runs, pairs in the right order, and of the pairs that one arm leads in 95 % of the draws those that the runs
contradict. A published cell is one run, so a small lead may be contradicted by noise.

    python benchmarks/lead_backtest.py [--refits 200]
"""

import argparse
import json
import platform
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import polars as pl
from law_backtest import EVIDENCE, Rows, Split, columns, cut, where
from repeat_ladders import LADDERS, halves

from stages.laws.choosing.averaged import mixture
from stages.laws.choosing.choose import choose_law
from stages.laws.choosing.eligible import eligible_laws
from stages.laws.fitting.variant import with_variants

LOSSES = (
    "loss_nats_c4_val",
    "loss_nats_openlm",
    "loss_nats_paloma_ptb",
    "err_avg17",
    "err_avg46",
)
FEWEST_BELOW = 6  # runs of an arm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refits", type=int, default=200)
    options = parser.parse_args()
    found = defaultdict(list)
    for study in (corpora, settings, families, ladders):
        for split in study():
            found[split.study] += leads(split, options.refits)
    print(
        f"{'study':14s}{'leads':>6s}{'error':>8s}{'inside':>8s}{'in order':>9s}{'sure':>6s}{'wrong':>6s}"
    )
    summary = {study: line(study, rows) for study, rows in found.items()}
    print(json.dumps({"studies": summary, "machine": platform.machine()}))


def corpora() -> Iterator[Split]:
    """Three corpora, five held-out measures, with and without runs of few tokens a parameter."""
    whole = pl.read_csv(EVIDENCE / "gadre.csv")
    for loss in LOSSES:
        table = whole.filter(pl.col(loss).is_not_null())
        rows = columns(table, n_params="params_N", n_tokens_seen="tokens_D", value=loss)
        rows["arm"] = table["train_dataset"].to_numpy()
        long = rows["n_tokens_seen"] / rows["n_params"] >= 19
        for part in (rows, where(rows, long)):
            for flops in (1e19, 1e20):
                above = part["flops"] > flops
                yield cut("corpora", f"{loss} C <= {flops:.0e}", part, above)


def settings() -> Iterator[Split]:
    """Hyperparameters and schedules on one corpus, near the frontier."""
    table = pl.read_csv(EVIDENCE / "porian_isoflop.csv").filter(
        pl.col("split") == "val",
        pl.col("flop_count") == "standard",
        pl.col("dataset") == "rw",
        ~((pl.col("hparams") == "base") & (pl.col("decay") == "kaplan")),
    )
    rows = columns(
        table,
        n_params="params_N",
        n_tokens_seen="tokens_D",
        flops="flops_C",
        value="loss_nats",
    )
    names = pl.concat_str("hparams", "decay", "warmup", separator=" ")
    rows["arm"] = table.select(names).to_series().to_numpy()
    ratio = rows["n_tokens_seen"] / rows["n_params"]
    near = where(rows, (ratio >= 5) & (ratio <= 100))
    for flops in (8.8e17, 3.5e18):
        yield cut("settings", f"C <= {flops:.1e}", near, near["flops"] > flops)


def families() -> Iterator[Split]:
    """Model families over compute alone."""
    whole = pl.read_csv(EVIDENCE / "laion_best.csv").filter(
        pl.col("error").is_not_null()
    )
    for key, table in whole.group_by("lr_scheduler", "downstream", maintain_order=True):
        rows = columns(table, flops="gflops_total", value="error")
        names = pl.concat_str("pretrain_dataset", "model_family", separator=" ")
        rows["arm"] = table.select(names).to_series().to_numpy()
        for flops in (3e9, 1e10, 2.5e10):
            split = cut(
                "families",
                f"{' '.join(key)} C <= {flops:.1e}",
                rows,
                rows["flops"] > flops,
            )
            usable = [arm for arm in np.unique(rows["arm"]) if known(split, arm)]
            if len(usable) >= 2:
                yield only(split, usable)


def ladders() -> Iterator[Split]:
    """Our own proxies with repeats, at 2, 4 and 8 times the largest compute."""
    for path in sorted(LADDERS.glob("*.parquet")):
        runs = pl.read_parquet(path)
        for metric in runs["metric"].unique().sort():
            yield Split("ladders", metric, *halves(runs.filter(metric=metric)))


def known(split: Split, arm: str) -> bool:
    """Whether an arm has runs enough below the cut, and one above."""
    return (split.below["arm"] == arm).sum() >= FEWEST_BELOW and arm in split.above[
        "arm"
    ]


def only(split: Split, arms: list[str]) -> Split:
    below, above = (
        where(rows, np.isin(rows["arm"], arms)) for rows in (split.below, split.above)
    )
    return Split(split.study, split.name, below, above)


def leads(split: Split, n_refits: int) -> list[dict[str, float]]:
    """Every pair of arms at every size and budget above the cut, in log value."""
    laws = with_variants(eligible_laws(split.below))
    choice = choose_law(laws, split.below, n_starts=32, delta=None)
    clusters = "pool_draw" if "pool_draw" in split.below else ()
    mixed = mixture(choice, split.below, n_draws=n_refits, clusters=clusters)
    above = split.above
    seen, said = np.log(above["value"]), np.log(mixed.central(above))
    draws = np.log(mixed.predict(above))
    new_runs = np.log(mixed.predict(above, new_run=True))
    rows = []
    for cell in cells(above):
        for one, other in combinations(sorted(cell), 2):

            def lead(values, one=cell[one], other=cell[other]):
                return values[..., one].mean(axis=-1) - values[..., other].mean(axis=-1)

            low, high = np.quantile(lead(new_runs), [0.05, 0.95])
            first = np.mean(lead(draws) < 0)
            rows.append(
                {
                    "error": abs(lead(said) - lead(seen)),
                    "inside": low <= lead(seen) <= high,
                    "in_order": np.sign(lead(said)) == np.sign(lead(seen)),
                    "sure": max(first, 1 - first) >= 0.95,
                    "right": (first > 0.5) == (lead(seen) < 0),
                }
            )
    return rows


def cells(above: Rows) -> list[dict[str, list[int]]]:
    """Rows of one size and budget: arm -> their positions; only cells of several arms."""
    found: dict[tuple, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    axes = [name for name in ("n_params", "n_tokens_seen", "flops") if name in above]
    for i, arm in enumerate(above["arm"]):
        place = tuple(round(float(np.log(above[name][i])), 2) for name in axes)
        found[place][arm].append(i)
    return [cell for cell in found.values() if len(cell) > 1]


def line(study: str, rows: list[dict]) -> dict[str, float]:
    """One study, printed."""
    total = {
        "leads": len(rows),
        "error": float(np.mean([row["error"] for row in rows])),
        "inside": float(np.mean([row["inside"] for row in rows])),
        "in_order": float(np.mean([row["in_order"] for row in rows])),
        "sure": int(sum(row["sure"] for row in rows)),
        "wrong": int(sum(row["sure"] and not row["right"] for row in rows)),
    }
    print(
        f"{study:14s}{total['leads']:6d}{100 * total['error']:7.2f}%{total['inside']:8.2f}"
        f"{total['in_order']:9.2f}{total['sure']:6d}{total['wrong']:6d}",
        flush=True,
    )
    return total


if __name__ == "__main__":
    main()
