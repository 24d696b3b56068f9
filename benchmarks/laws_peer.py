"""Our fits beside simple-scaling-laws 0.2.0 on the same splits of published tables: error, 90 %
coverage, width, seconds.

python benchmarks/laws_peer.py PEER_PYTHON [FOLDER] PEER_PYTHON is the interpreter (3.12 or newer)
of an environment made for it: `pip install simple-scaling-laws==0.2.0`. FOLDER holds the published
tables; default the environment variable ASSAY_EVIDENCE. Prints a table and, as its last line, one
JSON object.

Ours is what `assay fit auto` does: the law is chosen on the rows below the cut, and the seconds
include the choice. The peer has no choice of law to call, so each of its laws over size and tokens
is shown, and the best of them is known only in hindsight.
"""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from laws_speed import machine

from stages.laws.choosing.averaged import mixture
from stages.laws.choosing.choose import choose_law
from stages.laws.choosing.eligible import eligible_laws
from stages.laws.fitting.variant import with_variants
from stages.run_tables.candidates import N_STARTS

Rows = dict[str, np.ndarray]
N_REFITS = 1000  # the peer's default
PEER = """
import json, sys, time, warnings
import polars as pl
import simple_scaling_laws as peer
warnings.simplefilter("ignore")
names = {"n_params": "model_size__n", "n_tokens_seen": "dataset_size__d", "value": "test_loss__ce"}
asked = json.load(sys.stdin)
def frame(rows, keep):
    table = pl.DataFrame({names[key]: rows[key] for key in keep})
    return table.with_columns(pl.Series("training_run_id", [str(i) for i in range(len(table))]))
below, above = frame(asked["below"], names), frame(asked["above"], ("n_params", "n_tokens_seen"))
for law in peer.available_laws():
    start = time.perf_counter()
    try:
        model = peer.fit(below, law=law, n_draws=asked["draws"], seed=0)
        found = model.predict(above.drop("training_run_id"), kind="new-run", quantiles=(0.05, 0.5, 0.95))
    except ValueError as error:
        print(json.dumps({"law": law, "refused": str(error).splitlines()[0]}))
        continue
    columns = [c for c in found.columns if c.startswith("test_loss__ce__")]
    low, middle, high = (found[c].to_list() for c in columns)
    print(json.dumps({"law": law, "low": low, "value": middle, "high": high, "seconds": time.perf_counter() - start}))
"""


def table(file: Path, keep, **columns: str) -> Rows:
    """Columns of the rows that are kept, as floats."""
    with open(file, newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if keep(row)]
    return {
        ours: np.array([float(row[theirs]) for row in rows])
        for ours, theirs in columns.items()
    }


def parted(rows: Rows, above: np.ndarray) -> tuple[Rows, Rows]:
    return {k: v[~above] for k, v in rows.items()}, {
        k: v[above] for k, v in rows.items()
    }


def ladder(folder: Path) -> tuple[Rows, Rows]:
    """The 16 runs that the study fitted, and its 3B runs and annealed 7B; last checkpoint of each."""
    ends: dict[str, dict[str, str]] = {}
    with open(folder / "olmo_ladder.csv", newline="") as handle:
        for row in csv.DictReader(handle):
            if row["run"] not in ends or float(row["tokens_D"]) > float(
                ends[row["run"]]["tokens_D"]
            ):
                ends[row["run"]] = row
    small = [
        f"{size}-{length}"
        for size in ("190M", "370M", "760M", "1B")
        for length in ("1xC", "2xC", "5xC", "10xC")
    ]
    columns = {
        "n_params": "params_nonembed_N",
        "n_tokens_seen": "tokens_D",
        "value": "c4_ce_nats",
    }
    return tuple(
        {
            ours: np.array([float(ends[name][theirs]) for name in names])
            for ours, theirs in columns.items()
        }
        for names in (small, ["3B-1xC", "3B-2xC", "peteish7_eval_anneal"])
    )


def splits(folder: Path) -> dict[str, tuple[Rows, Rows]]:
    """Name -> rows to fit, rows to predict."""
    size = {"n_params": "params_N", "n_tokens_seen": "tokens_D"}
    chinchilla = table(
        folder / "chinchilla.csv",
        lambda row: row["in_fit240"] == "1",
        value="loss_nats",
        flops="flops_C",
        **size,
    )
    made = {
        "Chinchilla above 3e20": parted(chinchilla, chinchilla["flops"] > 3e20),
        "model ladder": ladder(folder),
    }
    for least in (0, 20):
        rows = table(
            folder / "gadre.csv",
            lambda row, least=least: (
                row["train_dataset"] == "rpj"
                and float(row["tokens_per_param_M"]) >= least
            ),
            value="loss_nats_c4_val",
            flops="flops_6ND",
            **size,
        )
        made[f"RedPajama, M >= {least}" if least else "RedPajama, all rows"] = parted(
            rows, rows["flops"] >= 1e20
        )
    return made


def report(
    law: str, value, low, high, above: Rows, seconds: float
) -> dict[str, object]:
    value, low, high, seen = (
        np.asarray(x, float) for x in (value, low, high, above["value"])
    )
    return {
        "law": law,
        "rmse": float(np.sqrt(np.mean((value - seen) ** 2))),
        "mape": float(np.mean(np.abs(value / seen - 1))),
        "coverage": float(np.mean((low <= seen) & (seen <= high))),
        "width": float(np.mean((high - low) / seen)),
        "seconds": seconds,
    }


def ours(below: Rows, above: Rows) -> dict[str, object]:
    """What `assay fit auto` predicts with."""
    start = time.perf_counter()
    below = below | {"flops": 6 * below["n_params"] * below["n_tokens_seen"]}
    above = above | {"flops": 6 * above["n_params"] * above["n_tokens_seen"]}
    laws = with_variants(eligible_laws(below))
    choice = choose_law(laws, below, by_arm=(), n_starts=N_STARTS, delta=None)
    mixed = mixture(choice, below, n_draws=N_REFITS)
    low, high = mixed.interval(above, new_run=True)
    return report(
        f"mean of laws, most {choice.variant.law.name}",
        mixed.central(above),
        low,
        high,
        above,
        time.perf_counter() - start,
    )


def peers(python: str, below: Rows, above: Rows) -> list[dict[str, object]]:
    """Every law of the peer that takes the table."""
    asked = {
        "below": {k: v.tolist() for k, v in below.items()},
        "above": {k: v.tolist() for k, v in above.items()},
        "draws": N_REFITS,
    }
    environment = {
        key: value for key, value in os.environ.items() if key != "PYTHONPATH"
    }
    done = subprocess.run(
        [python, "-c", PEER],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode:
        sys.exit(
            f"{python}: simple-scaling-laws did not run:"
            f" {done.stderr.strip().splitlines()[-1]}"
        )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [
        report(f["law"], f["value"], f["low"], f["high"], above, f["seconds"])
        for f in found
        if "value" in f
    ]


def main(python: str, folder: Path) -> None:
    results = {}
    for name, (below, above) in splits(folder).items():
        rows = [
            {"by": "ours", **ours(below, above)},
            *({"by": "peer", **row} for row in peers(python, below, above)),
        ]
        results[name] = rows
        print(
            f"\n{name}: {below['value'].size} runs fitted, {above['value'].size}"
            " predicted"
        )
        print(
            f"  {'':6s}{'law':50s}{'RMSE':>8s}{'MAPE':>8s}{'cover':>7s}{'width':>8s}{'sec':>6s}"
        )
        for row in rows:
            print(
                f"  {row['by']:6s}{row['law']:50s}{row['rmse']:8.4f}{row['mape']:8.2%}"
                f"{row['coverage']:7.2f}{row['width']:8.2%}{row['seconds']:6.1f}"
            )
    print(
        json.dumps(
            {"splits": results, "level": 0.9, "refits": N_REFITS, "machine": machine()}
        )
    )


if __name__ == "__main__":
    if len(sys.argv) < 2 or not (len(sys.argv) > 2 or os.environ.get("ASSAY_EVIDENCE")):
        sys.exit(
            "usage: laws_peer.py PEER_PYTHON [FOLDER of published tables, or"
            " ASSAY_EVIDENCE]"
        )
    main(
        sys.argv[1],
        Path(sys.argv[2] if len(sys.argv) > 2 else os.environ["ASSAY_EVIDENCE"]),
    )
