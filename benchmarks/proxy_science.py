"""What small proxies show, measured on real text: the size-data law, and a learning rate carried to
8 times the width.

python benchmarks/proxy_science.py [ladder] [transfer] [--pack FOLDER] [--sizes SIZE ...]. FOLDER is
a project's data/pack (default). Without names both run, under 8 CPU-minutes. Prints a table a part
and, as its last line, one JSON object.

ladder      4 decades of budgets of 3 sizes off one trunk each, one rule of tuning; where the power
            law begins, and its residual above
transfer    the best learning rate at width 16 used at width 128, with and without width transfer,
            against the best at 128
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np

from stages.laws import get_law
from stages.laws.fitting.fit import fit_law
from stages.laws.fitting.onset import power_law_onset
from stages.proxy.heldout.evaluate import HeldOut
from stages.proxy.specs.shape import Shape, whole_batches
from stages.proxy.specs.spec import RunSpec
from stages.proxy.specs.stack import stacks
from stages.proxy.tokens.packed import Packed
from stages.proxy.tokens.view import View
from stages.proxy.training.data import ProxyData
from stages.proxy.workforce.workers import run_groups

BUDGETS = (
    65_536,
    131_072,
    262_144,
    524_288,
    1_048_576,
    1_572_864,
    2_097_152,
    3_145_728,
    4_456_448,
)
LADDER_SIZES, NOISE_SEEDS, LEAST_TOKENS = ("6k", "25k", "147k"), 3, 1_000_000
# sizes and tokens add up, or act on each other
LAWS = ("chinchilla", "kaplan", "coupled")
HELD_OUT_EVERY, N_WORKERS = (
    40,
    int(os.environ.get("ASSAY_JOBS") or 0) or min(2, os.cpu_count() or 1),
)
WIDTHS, TRANSFER_TOKENS = (16, 128), 262_144
LRS = tuple(0.012 * 2.0**power for power in (-3, -2, -1, 0, 1, 2))


def load(folder: Path, held_out_tokens: int = 40_000) -> ProxyData:
    """All pools together, and every 40th document held out of them: the law is of one distribution.

    On a held-out domain that is a part of the mix, chance in how much of it a short decay reads
    adds about 1 % (measured).
    """
    pool = Packed.open(folder / "pools")
    rows = np.arange(pool.n_documents)
    held_out = HeldOut(
        pool, rows=rows[rows % HELD_OUT_EVERY == 0], max_tokens=held_out_tokens
    )
    return ProxyData(
        {"all": View(pool, rows[rows % HELD_OUT_EVERY > 0], arm="all")},
        {"held_out": held_out},
    )


def train(
    specs: list[RunSpec], data: ProxyData, stack: int = 1
) -> dict[RunSpec, list[float]]:
    """Held-out loss of every budget of every run, in the order given."""
    found = dict.fromkeys(specs)
    failures = run_groups(
        stacks(specs, stack),
        data,
        n_workers=N_WORKERS,
        device="cpu",
        on_result=lambda result: found.update(
            {
                result.spec: [
                    budget.held_out["held_out"].loss_nats for budget in result.budgets
                ]
            }
        ),
    )
    if failures:
        raise SystemExit(failures[0].message)
    return found


def spec_of(shape: Shape, budgets, **options) -> RunSpec:
    """One rule of tuning for all sizes: lr .012, .010 above width 64, 1,024 tokens a step."""
    values = {
        "lr": 0.012 if shape.d_model <= 64 else 0.010,
        "batch_tokens": 1024,
    } | options
    return RunSpec(
        arm="all",
        shape=shape,
        budgets_tokens=tuple(whole_batches(b, values["batch_tokens"]) for b in budgets),
        **values,
    )


def ladder(folder: Path, sizes: tuple[str, ...] = LADDER_SIZES) -> dict:
    """L(N, D): the onset of the law, its residual above, and the noise of a seed."""
    data = load(folder)
    runs = train([spec_of(Shape.named(size), BUDGETS) for size in sizes], data)
    noise_specs = [
        spec_of(Shape.named("6k"), BUDGETS[:5], seed=seed, data_seed=seed)
        for seed in range(1, 1 + NOISE_SEEDS)
    ]
    noise = np.array(list(train(noise_specs, data).values()))
    cells = [
        (spec.shape.n_params, budget, loss)
        for spec, losses in runs.items()
        for budget, loss in zip(spec.budgets_tokens, losses, strict=True)
    ]
    rows = {
        name: np.array(column, float)
        for name, column in zip(
            ("n_params", "n_tokens_seen", "value"),
            zip(*cells, strict=True),
            strict=True,
        )
    }
    result = {name: law_of(name, rows) for name in LAWS}
    seed_noise = float(np.std(noise[:, -1], ddof=1) / noise[:, -1].mean())
    print(
        f"seed noise at 6k and {BUDGETS[4]:,} tokens: {100 * seed_noise:.2f} % of the"
        " loss"
    )
    for size, losses in zip(sizes, runs.values(), strict=True):
        print(f"  {size:5} " + " ".join(f"{loss:6.3f}" for loss in losses))
    return {"laws": result, "seed_noise": seed_noise, "cells": cells}


def law_of(name: str, rows: dict[str, np.ndarray]) -> dict:
    """Where one law begins, and its residual on all budgets, on those it holds for, and on those of
    a million tokens and more.
    """
    law, result = get_law(name), {}
    onset = power_law_onset(law, rows)
    for part_name, keep in {
        "all budgets": rows["value"] > 0,
        "from its onset": onset.keep,
        "from 1M": rows["n_tokens_seen"] >= LEAST_TOKENS,
    }.items():
        part = {column: values[keep] for column, values in rows.items()}
        fit = fit_law(law, part, objective="least_squares_log")
        flops = part["n_params"] * part["n_tokens_seen"]
        decades, residual = float(np.log10(flops.max() / flops.min())), rms(fit, part)
        result[part_name] = {
            "rows": int(keep.sum()),
            "rms_log": residual,
            "decades_of_flops": decades,
            "params": {key: float(value) for key, value in fit.params.items()},
        }
        print(
            f"{name:10} {part_name:14} {keep.sum():3} rows, {decades:.2f} decades of"
            f" FLOPs: residual {100 * residual:.2f} % of the loss"
        )
    print(f"{name:10} {onset.reason}")
    return result | {"onset": onset.reason, "misses": onset.misses}


def rms(fit, rows) -> float:
    return float(
        np.sqrt(np.mean((np.log(rows["value"]) - np.log(fit.predict(rows))) ** 2))
    )


def transfer(folder: Path) -> dict:
    """Loss at width 128 with the learning rate that is best at width 16, over the best at 128, with
    and without transfer.
    """
    data = load(folder)

    def losses(width: int, base: int | None) -> dict[float, float]:
        shape = Shape(width, 2, max(1, width // 32), 128, 512)
        specs = [
            spec_of(shape, [TRANSFER_TOKENS], lr=lr, batch_tokens=512, base_width=base)
            for lr in LRS
        ]
        return {
            spec.lr: found[0] for spec, found in train(specs, data, stack=3).items()
        }

    narrow = losses(WIDTHS[0], None)
    best_lr = min(narrow, key=narrow.get)
    wide = {
        "transferred": losses(WIDTHS[1], WIDTHS[0]),
        "as it is": losses(WIDTHS[1], None),
    }
    least = min(min(found.values()) for found in wide.values())
    print(
        f"width {WIDTHS[0]:4}              "
        + " ".join(f"{lr:.4f}: {narrow[lr]:.3f}" for lr in LRS)
    )
    result = {
        "best_lr_at_base": best_lr,
        "narrow": narrow,
        "wide": wide,
        "excess": {},
        "excess_over_own_best": {},
    }
    for name, found in wide.items():
        result["excess"][name] = found[best_lr] / least - 1
        result["excess_over_own_best"][name] = found[best_lr] / min(found.values()) - 1
        print(
            f"width {WIDTHS[1]:4} {name:12} "
            + " ".join(f"{lr:.4f}: {found[lr]:.3f}" for lr in LRS)
            + "   the base's rate costs"
            f" {100 * result['excess_over_own_best'][name]:.2f} % over its best,"
            f" {100 * result['excess'][name]:.2f} % over all"
        )
    return result


def machine() -> dict[str, object]:
    """What the figures hold for."""
    with open("/proc/cpuinfo") as file:
        model = next(
            line.split(":")[1].strip() for line in file if line.startswith("model name")
        )
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version()}


def main() -> None:
    parts = {
        "ladder": lambda folder: ladder(folder, tuple(arguments.sizes)),
        "transfer": transfer,
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; default all"
    )
    parser.add_argument("--pack", type=Path, default=Path("data/pack"))
    parser.add_argument(
        "--sizes", nargs="+", default=LADDER_SIZES, help="of the ladder"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(parts):
        parser.error(f"no part {unknown.pop()!r}; there are {', '.join(parts)}")
    figures = {}
    for name in arguments.parts or parts:
        started = time.perf_counter()
        figures[name] = parts[name](arguments.pack)
        figures[name]["seconds"] = time.perf_counter() - started
        print(f"{name}: {figures[name]['seconds']:.0f} s\n", flush=True)
    print(json.dumps(figures | {"machine": machine()}))


if __name__ == "__main__":
    main()
