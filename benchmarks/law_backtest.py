"""Back-test of the engine behind `fit auto`, `compare` and the fit stage on published studies.

Every study of the evidence folder (ASSAY_EVIDENCE) is cut several times; the laws are weighed on the rows below a cut
and predict those above; exponents learnt from published studies leave the study itself out. Printed by study: mean
error of the prediction, of the best candidate in hindsight, of the best law in hindsight that is fitted as it is, of
the candidate that carries most weight, and how many rows lie inside their 90 % interval. Two columns of coverage: with
the factors as they stand in the package, and with factors learnt on the other studies only (leave one study out).

    python benchmarks/law_backtest.py [--refits 200] [--study NAME ...]
"""

import argparse
import json
import os
import platform
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.laws.choosing import discrepancy
from stages.laws.choosing.averaged import Mixture, mixture
from stages.laws.choosing.choose import choose_law
from stages.laws.choosing.eligible import eligible_laws
from stages.laws.fitting.fit import Fit
from stages.laws.fitting.variant import with_variants

Rows = dict[str, np.ndarray]
EVIDENCE = Path(os.environ.get("ASSAY_EVIDENCE", "../shared/evidence"))
LEVEL = 0.9


@dataclass(frozen=True)
class Split:
    """Rows to fit and rows to predict."""

    study: str
    name: str
    below: Rows
    above: Rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refits", type=int, default=200)
    parser.add_argument("--study", nargs="*", default=[])
    options = parser.parse_args()
    start = time.process_time()
    tested = [
        back_test(split, options.refits)
        for split in splits()
        if not options.study or split.study in options.study
    ]
    report(tested, time.process_time() - start)


def splits() -> Iterator[Split]:
    """All cuts of all studies."""
    for study in (
        chinchilla,
        repeats,
        over_training,
        iso_flop,
        comparison,
        steps,
        ladder,
    ):
        yield from study()


def chinchilla() -> Iterator[Split]:
    table = pl.read_csv(EVIDENCE / "chinchilla.csv").filter(
        pl.col("in_fit240").cast(pl.Int64) == 1
    )
    rows = columns(
        table,
        n_params="params_N",
        n_tokens_seen="tokens_D",
        flops="flops_C",
        value="loss_nats",
    )
    for flops in (3e19, 1e20, 3e20, 6e20):
        yield cut("chinchilla", f"C <= {flops:.0e}", rows, rows["flops"] > flops)
    for size in (1e9, 2.5e9):
        yield cut("chinchilla", f"N <= {size:.1e}", rows, rows["n_params"] > size)


def repeats() -> Iterator[Split]:
    whole = pl.read_csv(EVIDENCE / "datablations.csv").filter(
        pl.col("val_loss_nats_c4") > 0
    )
    for name, table in (
        ("fit182", whole.filter(pl.col("in_fit182") == 1)),
        ("all", whole),
    ):
        rows = columns(
            table,
            n_params="params_N",
            n_tokens_seen="train_tokens_D",
            n_tokens_unique="unique_tokens_U",
            value="val_loss_nats_c4",
        )
        rows["n_tokens_unique"] = np.minimum(
            rows["n_tokens_unique"], rows["n_tokens_seen"]
        )
        epochs = rows["n_tokens_seen"] / rows["n_tokens_unique"]
        small = rows["n_params"] < 5e8
        middle = (rows["n_params"] >= 5e8) & (rows["n_params"] < 2e9)
        yield cut("repeats", f"{name} N < 1e9", rows, rows["n_params"] >= 1e9)
        yield cut("repeats", f"{name} N < 5e8", rows, middle, below=small)
        yield cut("repeats", f"{name} C < 3e20", rows, rows["flops"] >= 3e20)
        yield cut("repeats", f"{name} epochs < 10", rows, epochs >= 10)


def over_training() -> Iterator[Split]:
    whole = pl.read_csv(EVIDENCE / "gadre.csv")
    for corpus in sorted(whole["train_dataset"].unique()):
        for loss in ("loss_nats_c4_val", "loss_nats_paloma_ptb", "loss_nats_openlm"):
            found = [
                c
                for c in whole.columns
                if c.startswith(loss) and not c.endswith(("lower", "upper"))
            ]
            for column in found:
                yield from _over_training(
                    whole.filter(train_dataset=corpus), corpus, column
                )


def _over_training(table: pl.DataFrame, corpus: str, loss: str) -> Iterator[Split]:
    rows = columns(
        table.filter(pl.col(loss).is_not_null()),
        n_params="params_N",
        n_tokens_seen="tokens_D",
        value=loss,
    )
    trained = rows["n_tokens_seen"] / rows["n_params"] >= 19
    for flops in (1e19, 1e20) if "c4" in loss else (1e20,):
        for name, part in (("all", rows), ("M >= 20", where(rows, trained))):
            above = part["flops"] > flops
            if above.sum() >= 3 and (name == "all" or "c4" in loss):
                yield cut(
                    "over-training",
                    f"{corpus} {loss[10:]} {name} C <= {flops:.0e}",
                    part,
                    above,
                )


def iso_flop() -> Iterator[Split]:
    whole = pl.read_csv(EVIDENCE / "porian_isoflop.csv").filter(
        split="val", flop_count="standard"
    )
    keys = ["dataset", "hparams", "warmup", "decay"]
    for (corpus, setting, _, decay), table in whole.group_by(keys, maintain_order=True):
        if (setting, decay) == ("base", "kaplan"):
            continue
        rows = columns(
            table,
            n_params="params_N",
            n_tokens_seen="tokens_D",
            flops="flops_C",
            value="loss_nats",
        )
        ratio = rows["n_tokens_seen"] / rows["n_params"]
        near = where(rows, (ratio >= 5) & (ratio <= 100))
        best = table.group_by("flops_C").agg(pl.col("loss_nats").min()).sort("flops_C")
        frontier = columns(best, flops="flops_C", value="loss_nats")
        for name, part in (("5 to 100", near), ("all", rows), ("frontier", frontier)):
            for flops in (8.8e17, 3.5e18) if name != "frontier" else (8.8e17, 1.8e18):
                above = part["flops"] > flops
                if above.sum() >= 2:
                    yield cut(
                        "iso-FLOP",
                        f"{corpus} {setting} {decay} {name} C <= {flops:.1e}",
                        part,
                        above,
                    )


def comparison() -> Iterator[Split]:
    whole = pl.read_csv(EVIDENCE / "laion_best.csv").filter(
        pl.col("error").is_not_null()
    )
    keys = ["pretrain_dataset", "model_family", "lr_scheduler", "downstream"]
    for key, table in whole.group_by(keys, maintain_order=True):
        rows = columns(table, flops="gflops_total", value="error")
        for flops in (1e10, 2.5e10):
            above = rows["flops"] > flops
            if above.sum() >= 2 and (~above).sum() >= 8:
                yield cut(
                    "comparison",
                    f"{' '.join(map(str, key))} C <= {flops:.1e}",
                    rows,
                    above,
                )


def steps() -> Iterator[Split]:
    table = (
        pl.read_csv(EVIDENCE / "steplaw.csv")
        .filter(arch="dense")
        .group_by("params_nonembed_N", "tokens_D")
        .agg(pl.col("smooth_loss_nats").min())
        .sort("params_nonembed_N", "tokens_D")
    )
    rows = columns(
        table,
        n_params="params_nonembed_N",
        n_tokens_seen="tokens_D",
        value="smooth_loss_nats",
    )
    yield cut("best of a grid", "N < 1e9", rows, rows["n_params"] > 9e8)
    yield cut("best of a grid", "N < 5e8", rows, rows["n_params"] > 5e8)
    top = rows["flops"] > np.quantile(rows["flops"], 0.7)
    yield cut("best of a grid", "top of the compute", rows, top)


def ladder() -> Iterator[Split]:
    table = pl.read_csv(EVIDENCE / "olmo_ladder.csv").filter(
        pl.col("is_last_checkpoint").cast(pl.Int64) == 1,
        pl.col("params_nonembed_N").is_not_null(),
    )
    values = ["c4_ce_nats", *(c for c in table.columns if c.endswith("_bpb"))]
    for value in values:
        rows = columns(
            table.filter(pl.col(value).is_not_null()),
            n_params="params_nonembed_N",
            n_tokens_seen="tokens_D",
            flops="train_flops",
            value=value,
        )
        rows = where(rows, rows["n_tokens_seen"] / rows["n_params"] >= 15)
        for size in (9e8, 1.5e9):
            above = rows["n_params"] > size
            if above.sum() >= 2:
                yield cut("ladder", f"{value} N <= {size:.1e}", rows, above)


def columns(table: pl.DataFrame, **names: str) -> Rows:
    """Columns by the names of the laws as arrays (rows,); flops as 6 N D where there is none."""
    rows = {
        name: table[column].cast(pl.Float64).to_numpy()
        for name, column in names.items()
    }
    if "n_params" in rows and "flops" not in rows:
        rows["flops"] = 6 * rows["n_params"] * rows["n_tokens_seen"]
    return rows


def where(rows: Rows, mask: np.ndarray) -> Rows:
    return {name: column[mask] for name, column in rows.items()}


def cut(study: str, name: str, rows: Rows, above: np.ndarray, *, below=None) -> Split:
    return Split(
        study, name, where(rows, ~above if below is None else below), where(rows, above)
    )


@dataclass(frozen=True)
class Tested:
    """One split. errors in log value (rows,), those of the best candidate and of the best law without priors too;
    parts: what explains their variance, and the draws of a new run.
    """

    study: str
    name: str
    error: np.ndarray
    hindsight: np.ndarray
    best_law: np.ndarray
    most_used: np.ndarray
    inside: np.ndarray
    half_width: np.ndarray
    parts: dict[str, np.ndarray]
    scale: float
    seconds: float


def back_test(split: Split, n_refits: int) -> Tested:
    """Laws weighed below the cut against the rows above it."""
    start = time.process_time()
    below, above = split.below, split.above
    laws = with_variants(eligible_laws(below), without=split.study)
    choice = choose_law(laws, below, by_arm=(), n_starts=32, delta=None)
    mixed = mixture(choice, below, n_draws=n_refits)
    seconds = time.process_time() - start
    observed = np.log(above["value"])
    low, high = np.log(mixed.interval(above, level=LEVEL, new_run=True))
    points = mixed._points(above, None)
    by_candidate = np.abs(np.stack([*points.values()]) - observed)
    by_law = by_candidate[[is_plain(mixed.members[i].fit) for i in points]]
    tested = Tested(
        split.study,
        split.name,
        error=np.log(mixed.central(above)) - observed,
        hindsight=by_candidate[by_candidate.mean(axis=1).argmin()],
        best_law=by_law[by_law.mean(axis=1).argmin()],
        most_used=np.abs(np.log(mixed.fit.predict(above)) - observed),
        inside=(low <= observed) & (observed <= high),
        half_width=(high - low) / 2,
        parts=parts_of(mixed, above, points),
        scale=choice.errors.scale,
        seconds=seconds,
    )
    print(
        f"{tested.study:15s}{tested.name[:48]:50s}{len(observed):4d}"
        f"{100 * np.abs(tested.error).mean():8.2f} %{100 * tested.hindsight.mean():8.2f} %"
        f"{tested.inside.mean():7.2f}{tested.scale:7.2f}{seconds:7.1f} s",
        flush=True,
    )
    return tested


def is_plain(fit: Fit) -> bool:
    """Whether a law was fitted as it is, without priors and weights."""
    return fit.problem.priors is None and fit.problem.weights is None


def ratio(group: list[Tested], best: str) -> float:
    """Error over that of the best in hindsight, geometric mean over splits; .1 % is added to both."""
    logs = [
        np.log(np.abs(each.error).mean() + 1e-3)
        - np.log(getattr(each, best).mean() + 1e-3)
        for each in group
    ]
    return float(np.exp(mean(logs)))


def parts_of(
    mixed: Mixture, above: Rows, points: dict[int, np.ndarray]
) -> dict[str, np.ndarray]:
    """What the variance of a prediction is made of, each (rows,)."""
    centre = mixed._mean(points)
    shares = mixed.shares[list(points)] / mixed.shares[list(points)].sum()
    reach, misfit = mixed.errors.reach, mixed.errors.misfit
    inside = mixed._mean(mixed._points(reach.inside(above), None))
    alone = np.full(centre.size, "all")
    refits = np.zeros((mixed.n_draws, centre.size))
    for i, point in points.items():
        own = np.flatnonzero(mixed.member == i)
        if own.size:
            refits[own] = mixed._refits(i, above, None, own=own, point=point)
    return {
        "noise": np.full(centre.size, mixed.errors.noise.std()),
        "refits": refits.std(axis=0),
        "misfit": np.sqrt(misfit.variance(above, alone)),
        "between": np.sqrt(shares @ (np.stack([*points.values()]) - centre) ** 2)
        * discrepancy.departing(reach.unique(above))
        / discrepancy.BETWEEN,
        "distance": np.broadcast_to(reach.distance(above), centre.shape),
        "repeats": np.broadcast_to(reach.repeats(above), centre.shape),
        "moved": np.abs(centre - inside),
    }


def variance(tested: Tested, factors: np.ndarray) -> np.ndarray:
    """Squared log error that the parts explain with the factors (between, per log, per move, per repeat), (rows,)."""
    p = tested.parts
    own = tested.scale**2 * (
        (factors[1] * p["distance"]) ** 2
        + (factors[2] * p["moved"]) ** 2
        + (factors[3] * p["repeats"]) ** 2
    )
    seen = p["noise"] ** 2 + p["refits"] ** 2 + p["misfit"] ** 2
    return seen + (factors[0] * p["between"]) ** 2 + own


def learnt(tested: list[Tested]) -> np.ndarray:
    """Factors of highest likelihood under t errors with 4 degrees of freedom, every study counting the same."""
    from scipy.optimize import minimize

    by_study = defaultdict(list)
    for each in tested:
        by_study[each.study].append(each)

    def cost(logs: np.ndarray) -> float:
        factors, total = np.exp(logs), 0.0
        for group in by_study.values():
            for each in group:
                explained = variance(each, factors)
                t_tail = 2.5 * np.log1p(each.error**2 / explained / 4)
                total += np.mean(0.5 * np.log(explained) + t_tail) / len(group)
        return total + 0.05 * np.sum((logs - np.log([0.5, 0.004, 0.12, 0.02])) ** 2)

    start = np.log(
        [
            discrepancy.BETWEEN,
            discrepancy.PER_LOG,
            discrepancy.PER_MOVE,
            discrepancy.PER_REPEAT,
        ]
    )
    return np.exp(minimize(cost, start, method="Nelder-Mead").x)


def report(tested: list[Tested], seconds: float) -> None:
    """The table by study and the JSON line."""
    by_study = defaultdict(list)
    for each in tested:
        by_study[each.study].append(each)
    print(
        f"\n{'study':16s}{'splits':>7s}{'rows':>6s}{'error':>9s}{'hindsight':>10s}{'ratio':>7s}"
        f"{'best law':>10s}{'ratio':>7s}{'most used':>10s}{'inside':>8s}{'left out':>9s}{'width':>8s}"
    )
    rows = {}
    for study, group in by_study.items():
        others = [each for each in tested if each.study != study]
        factors = learnt(others) if others else None
        rows[study] = row = {
            "splits": len(group),
            "rows": sum(each.error.size for each in group),
            "error": mean(np.abs(each.error).mean() for each in group),
            "hindsight": mean(each.hindsight.mean() for each in group),
            "ratio": ratio(group, "hindsight"),
            "best_law": mean(each.best_law.mean() for each in group),
            "ratio_to_law": ratio(group, "best_law"),
            "most_used": mean(each.most_used.mean() for each in group),
            "inside": mean(each.inside.mean() for each in group),
            "inside_left_out": None
            if factors is None
            else mean(
                np.mean(np.abs(each.error) <= 1.75 * np.sqrt(variance(each, factors)))
                for each in group
            ),
            "half_width": mean(each.half_width.mean() for each in group),
        }
        left = "" if factors is None else f"{row['inside_left_out']:9.2f}"
        print(
            f"{study:16s}{row['splits']:7d}{row['rows']:6d}{100 * row['error']:8.2f}%{100 * row['hindsight']:9.2f}%"
            f"{row['ratio']:7.2f}{100 * row['best_law']:9.2f}%{row['ratio_to_law']:7.2f}"
            f"{100 * row['most_used']:9.2f}%{row['inside']:8.2f}"
            f"{left}{100 * row['half_width']:7.1f}%"
        )
    factors = learnt(tested)
    print(
        f"factors learnt on all: between {factors[0]:.2f}, a log {factors[1]:.4f},"
        f" a move {factors[2]:.3f}, a repeat {factors[3]:.3f}"
    )
    print(
        json.dumps(
            {
                "studies": rows,
                "ratio": float(
                    np.exp(mean(np.log(row["ratio"]) for row in rows.values()))
                ),
                "inside": mean(row["inside"] for row in rows.values()),
                "factors": factors.tolist(),
                "cpu_seconds": round(seconds, 1),
                "machine": platform.processor() or platform.machine(),
            }
        )
    )


def mean(values) -> float:
    return float(np.mean(list(values)))


if __name__ == "__main__":
    main()
