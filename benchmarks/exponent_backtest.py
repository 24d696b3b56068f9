"""What learnt exponents do on studies that they were not learnt from: tables over compute alone, and over tokens alone.

Every table of the evidence folder (ASSAY_EVIDENCE), its sizes taken away, is cut at half and at .7 of its log compute;
learning curves of another study, that no exponent was learnt from, at a third of their tokens. The engine predicts the
rows above from those below, once as it would without the learnt exponents and once with those of the other studies
(leave one study out). Printed by study: mean error of both, and how often the second is the smaller.

    python benchmarks/exponent_backtest.py
"""

import json
import platform
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import polars as pl
from exponent_priors import every_table, usable_tables
from law_backtest import EVIDENCE, Rows, where

from stages.laws.choosing.averaged import mixture
from stages.laws.choosing.choose import choose_law
from stages.laws.choosing.eligible import eligible_laws
from stages.laws.fitting.variant import Variant, with_variants

CUTS = (0.5, 0.7)  # of log compute
FEWEST = (7, 2)  # rows below a cut and above it
TOKENS_BELOW = 1 / 3
N_CURVES = 25  # of each set of mixtures, drawn at random


def main() -> None:
    found = defaultdict(list)
    for study, below, above in (*over_compute(), *over_tokens()):
        found[study].append((error(below, above, None), error(below, above, study)))
    print(
        f"{'study':28s}{'tables':>7s}{'without':>9s}{'with':>9s}{'ratio':>7s}{'better':>8s}"
    )
    summary = {study: line(study, np.array(rows)) for study, rows in found.items()}
    print(json.dumps({"studies": summary, "machine": platform.machine()}))


def over_compute() -> Iterator[tuple[str, Rows, Rows]]:
    """Study, rows below a cut and above it, of every table, once of all rows and once of those near each other."""
    near = (pair for pair in usable_tables() if "n_params" in pair[1])
    for study, rows in (*every_table(), *near):
        alone = {name: rows[name] for name in ("flops", "value")}
        logs = np.log(alone["flops"])
        for share in CUTS:
            above = logs > logs.min() + share * np.ptp(logs)
            enough = (~above).sum() >= FEWEST[0] and above.sum() >= FEWEST[1]
            if enough and np.unique(logs[~above]).size >= 5:
                yield study, where(alone, ~above), where(alone, above)


def over_tokens() -> Iterator[tuple[str, Rows, Rows]]:
    """Held-out losses of one model along its training, on mixtures of three and of five domains."""
    rng = np.random.default_rng(0)
    for name in ("3mix", "5mix"):
        table = pl.read_csv(EVIDENCE / f"mixinglaws_{name}.csv")
        keys = ["model", "run_tag", "val_domain"]
        curves = [
            {
                "n_tokens_seen": own["tokens_D"].cast(pl.Float64).to_numpy(),
                "value": own["loss_nats"].cast(pl.Float64).to_numpy(),
            }
            for _, own in table.group_by(keys, maintain_order=True)
        ]
        cuts = [(rows, ~_late(rows["n_tokens_seen"])) for rows in curves]
        usable = [(rows, below) for rows, below in cuts if below.sum() >= 3]
        for i in rng.choice(len(usable), min(N_CURVES, len(usable)), replace=False):
            rows, below = usable[i]
            study = f"curves over tokens, {name}"
            yield study, where(rows, below), where(rows, ~below)


def _late(tokens: np.ndarray) -> np.ndarray:
    return tokens > TOKENS_BELOW * tokens.max()


def error(below: Rows, above: Rows, study: str | None) -> float:
    """Mean absolute log error of the weighted mean of laws; study: left out of the exponents, None uses none."""
    variants = with_variants(eligible_laws(below), without=study)
    if study is None:
        variants = [Variant(each.law) for each in variants if not each.label]
    choice = choose_law(variants, below, by_arm=(), n_starts=32, delta=None)
    said = mixture(choice, below, n_draws=2).central(above)
    return float(np.abs(np.log(said / above["value"])).mean())


def line(study: str, errors: np.ndarray) -> dict[str, float]:
    """One study, printed; errors: (tables, without and with)."""
    without, learnt = errors.mean(axis=0)
    ratio = np.exp(np.mean(np.log((errors[:, 1] + 1e-3) / (errors[:, 0] + 1e-3))))
    better = float(np.mean(errors[:, 1] < errors[:, 0]))
    print(
        f"{study:28s}{len(errors):7d}{100 * without:8.2f}%{100 * learnt:8.2f}%"
        f"{ratio:7.2f}{better:8.2f}",
        flush=True,
    )
    return {
        "tables": len(errors),
        "without": float(without),
        "with": float(learnt),
        "ratio": float(ratio),
        "better": better,
    }


if __name__ == "__main__":
    main()
