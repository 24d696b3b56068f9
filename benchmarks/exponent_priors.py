"""Exponents over compute and tokens that the open studies have measured, and the priors that they make.

Every table of the evidence folder (ASSAY_EVIDENCE) is fitted whole under a wide prior, so that a table that cannot tell
its exponent stays near the middle. Printed by law and study: exponent and spread of its tables, and the prior that the
other studies make. exponent_backtest.py and law_backtest.py judge a study under the prior without it.

    python benchmarks/exponent_priors.py [--write]
"""

import argparse
import json
import platform
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from law_backtest import EVIDENCE, Rows, columns, where

from stages.laws import get_law
from stages.laws.fitting import learnt_exponents
from stages.laws.fitting.fit import fit_law
from stages.laws.fitting.hierarchy import predictive
from stages.laws.fitting.learnt_exponents import Study
from stages.laws.fitting.prior import Prior

FEWEST_RUNS = 12
PER_PARAMETER = (5.0, 100.0)  # tokens a parameter that one curve over compute can hold
LONG = ("best of a grid", "ladder")  # few runs, most of them with more: all count


@dataclass(frozen=True)
class Asked:
    """Which exponent of which law is measured with which law, and the (exponent, natural logs) of the wide prior."""

    name: str
    fitted: str
    wide: tuple[float, float]


# assumed: exponents over compute lie between .05 and .5, over tokens between .1 and 1; that over tokens at one size
# is told by tables of several sizes, which have more runs
LAWS = {
    "power_floor": Asked("alpha", "power_floor", (0.15, 0.6)),
    "compute_offset": Asked("alpha", "compute_offset", (0.15, 0.6)),
    "power_floor_tokens": Asked("beta", "chinchilla", (0.3, 0.6)),
}
HEADER = '''"""Exponents of published tables, by law and study. Written by benchmarks/exponent_priors.py --write.

law -> name of the exponent, study -> its mean, its spread over the tables of the study in natural logs, their number.
Studies (arXiv): chinchilla 2404.10102, repeats 2305.16264, over-training 2403.08540, iso-FLOP 2406.19146, comparison
2506.04598, best of a grid 2503.04715, ladder 2412.04403.
"""

Study = tuple[float, float, int]
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into the package")
    options = parser.parse_args()
    measured = {law: (asked.name, measure(asked)) for law, asked in LAWS.items()}
    for law, (_, by_study) in measured.items():
        show(law, by_study)
    if options.write:
        Path(learnt_exponents.__file__).write_text(source(measured))
    print(json.dumps({"exponents": measured, "machine": platform.machine()}))


def measure(asked: Asked) -> dict[str, Study]:
    """Study -> mean exponent, spread and number of its tables."""
    law = get_law(asked.fitted)
    centre, spread = asked.wide
    wide = Prior({asked.name: 1.0}, float(np.log(centre)), spread, "wide")
    found = defaultdict(list)
    for study, rows in usable_tables():
        if not set(law.variable_names) <= set(rows):
            continue
        fit = fit_law(law, rows, delta=None, n_starts=32, priors=[wide], identify=False)
        found[study].append(float(np.log(fit.params[asked.name])))
    return {study: summary(logs) for study, logs in found.items()}


def summary(logs: list[float]) -> Study:
    """Of the log exponents of one study's tables."""
    spread = float(np.std(logs, ddof=1)) if len(logs) > 1 else 0.0
    return round(float(np.exp(np.mean(logs))), 3), round(spread, 3), len(logs)


def usable_tables() -> Iterator[tuple[str, Rows]]:
    """Study and rows of every table with enough runs near the usual tokens a parameter."""
    for study, rows in every_table():
        if "n_params" in rows and study not in LONG:
            ratio = rows["n_tokens_seen"] / rows["n_params"]
            near = (ratio >= PER_PARAMETER[0]) & (ratio <= PER_PARAMETER[1])
            rows = where(rows, near)
        if rows["value"].size >= FEWEST_RUNS:
            yield study, rows


def every_table() -> Iterator[tuple[str, Rows]]:
    """Study and rows, before runs are left out."""
    for part in (chinchilla, repeats, over_training, iso_flop, comparison, grid):
        yield from part()
    yield from ladder()


def chinchilla() -> Iterator[tuple[str, Rows]]:
    table = pl.read_csv(EVIDENCE / "chinchilla.csv")
    table = table.filter(pl.col("in_fit240").cast(pl.Int64) == 1)
    yield "chinchilla", sized(table, "loss_nats", flops="flops_C")


def repeats() -> Iterator[tuple[str, Rows]]:
    """Runs that see every token once."""
    table = pl.read_csv(EVIDENCE / "datablations.csv").filter(
        pl.col("val_loss_nats_c4") > 0,
        pl.col("in_fit182") == 1,
        pl.col("train_tokens_D") <= 1.05 * pl.col("unique_tokens_U"),
    )
    yield "repeats", sized(table, "val_loss_nats_c4", n_tokens_seen="train_tokens_D")


def over_training() -> Iterator[tuple[str, Rows]]:
    whole = pl.read_csv(EVIDENCE / "gadre.csv")
    losses = [
        name
        for name in whole.columns
        if name.startswith("loss_nats") and not name.endswith(("lower", "upper"))
    ]
    for corpus in sorted(whole["train_dataset"].unique()):
        for loss in losses:
            table = whole.filter(pl.col(loss).is_not_null(), train_dataset=corpus)
            yield "over-training", sized(table, loss)


def iso_flop() -> Iterator[tuple[str, Rows]]:
    whole = pl.read_csv(EVIDENCE / "porian_isoflop.csv")
    whole = whole.filter(split="val", flop_count="standard")
    keys = ["dataset", "hparams", "warmup", "decay"]
    for _, table in whole.group_by(keys, maintain_order=True):
        yield "iso-FLOP", sized(table, "loss_nats", flops="flops_C")


def comparison() -> Iterator[tuple[str, Rows]]:
    whole = pl.read_csv(EVIDENCE / "laion_best.csv")
    whole = whole.filter(pl.col("error").is_not_null())
    keys = ["pretrain_dataset", "model_family", "lr_scheduler", "downstream"]
    for _, table in whole.group_by(keys, maintain_order=True):
        yield "comparison", columns(table, flops="gflops_total", value="error")


def grid() -> Iterator[tuple[str, Rows]]:
    """The best of every cell."""
    best = pl.col("smooth_loss_nats").min()
    table = pl.read_csv(EVIDENCE / "steplaw.csv").filter(arch="dense")
    table = table.group_by("params_nonembed_N", "tokens_D").agg(best)
    table = table.sort("params_nonembed_N", "tokens_D")
    yield (
        "best of a grid",
        sized(table, "smooth_loss_nats", n_params="params_nonembed_N"),
    )


def ladder() -> Iterator[tuple[str, Rows]]:
    table = pl.read_csv(EVIDENCE / "olmo_ladder.csv").filter(
        pl.col("is_last_checkpoint").cast(pl.Int64) == 1,
        pl.col("params_nonembed_N").is_not_null(),
    )
    for value in ["c4_ce_nats", *(c for c in table.columns if c.endswith("_bpb"))]:
        own = table.filter(pl.col(value).is_not_null())
        yield (
            "ladder",
            sized(own, value, n_params="params_nonembed_N", flops="train_flops"),
        )


def sized(table: pl.DataFrame, value: str, **names: str) -> Rows:
    """Rows of a table with model sizes, by the usual names of its columns unless others are given."""
    usual = {"n_params": "params_N", "n_tokens_seen": "tokens_D", "value": value}
    return columns(table, **(usual | names))


def show(law: str, by_study: dict[str, Study]) -> None:
    """One law, printed."""
    mean, spread = predictive(by_study)
    print(f"{law}: {np.exp(mean):.3f}, spread {spread:.2f} natural logs")
    for study, (exponent, within, n_tables) in by_study.items():
        rest = {name: own for name, own in by_study.items() if name != study}
        mean, spread = predictive(rest)
        print(
            f"  {study:16s}{n_tables:3d} tables, {exponent:.3f} (spread {within:.2f});"
            f" prior without it {np.exp(mean):.3f}, spread {spread:.2f}"
        )


def source(measured: dict[str, tuple[str, dict[str, Study]]]) -> str:
    """The module of constants."""
    lines = [f"{HEADER}EXPONENTS: dict[str, tuple[str, dict[str, Study]]] = {{"]
    for law, (name, by_study) in measured.items():
        lines += [f'    "{law}": (', f'        "{name}",', "        {"]
        lines += [f'            "{study}": {row},' for study, row in by_study.items()]
        lines += ["        },", "    ),"]
    return "\n".join([*lines, "}"]) + "\n"


if __name__ == "__main__":
    main()
