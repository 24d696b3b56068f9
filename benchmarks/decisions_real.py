"""Each kind of decision once on real pools, its truth measured: every arm is trained at three times the fitted compute.

One project over the demo's own pools, cut: proxies of 6k and 25k parameters, five questions between five named arms
each (copies, filter, pruning by difficulty, repeats, mixtures) and one mixture that is searched for, all judged by the
loss on held-out news. The pool of code is read twice, as a crawl with mirrored pages, so that copies matter. The stages
run as in `assay run`; `verify` trains the four arms that are predicted best and the unfiltered or the next one, which
are all five, in every resample at the target. Nothing is fitted to these runs.

Printed: what was decided; pairs of arms in the right order, of those whose measured difference is above the noise
(outside the 95 % interval of a difference of two arms, by what arms and resamples leave unexplained); measured losses
and leads in their 90 % intervals; P(best) of the arm measured best; and what each way to choose loses to that arm:
Assay's pick, the best of the smallest proxies (least size and budget), of the small ones at their largest budget and of
the largest ones, always the strictest arm, always everything.

    python benchmarks/decisions_real.py [--folder DIR] [--wheel-cache DIR] [--draws 4] [--seed 1] [--toy]
                                        [--questions NAME ...]
"""

import argparse
import itertools
import json
import os
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml
from scipy import stats

from stages.curation.sample_data.wheels import read_pool
from stages.decision.at_budgets import Target
from stages.decision.record import DecisionRecord
from stages.foundation import artefacts
from stages.foundation.stage import ROOT
from stages.pipeline import stages_upto
from stages.runs.study import best_regularised
from stages.searched.record import SEARCHED_ARMS, SearchedRecord, arm_name, values_of
from stages.settings.params import load_params
from stages.verification.asked import Asked
from stages.verification.carried_on import best_settings, table_after
from stages.verification.judged import SAME_BUDGET, Judged, judged_lead, judged_runs
from stages.verify import planned

TIMES = 3  # of the largest fitted compute, at which everything is judged
N_PARAMS = 24_576  # of the larger proxy, and of the target
EVERYTHING = "all"  # near copies removed, nothing else
MIXED = ("news", "wiki", "speech", "docstrings")
SEARCHED, MIX = "searched", "mix"
POOLS = {
    "news": {"extract": "news", "heldout": 0.1, "reference": 0.55},
    "wiki": {"extract": "wiki", "heldout": 0.2, "reference": 0.4},
    "speech": {"extract": "speech_en"},
    "docstrings": {"extract": "docstrings"},
    "apidocs": {"extract": "apidocs"},
    "code": {"path": "code.jsonl"},
    "mirror": {"path": "code.jsonl"},
    "tweets": {"extract": "tweets"},
}
CHARS = {
    "news": 2_000_000,
    "wiki": 1_400_000,
    "speech": 600_000,
    "docstrings": 700_000,
    "apidocs": 700_000,
    "tweets": 800_000,
}
CODE_CHARS = 2_000_000  # of code, which is read twice
ARMS: dict[str, dict[str, Any]] = {
    EVERYTHING: {},
    "none": {"dedup": "none"},
    "exact": {"dedup": "exact"},
    "lines": {"dedup": "lines"},
    "semantic": {"dedup": "semantic"},
    "keep_10": {"keep": 0.1},
    "keep_20": {"keep": 0.2},
    "keep_50": {"keep": 0.5},
    "upweight_20": {"keep": 0.2, "upweight": 0.5},
    "easy_30": {"keep": 0.3, "by": "difficulty", "take": "low"},
    "easy_70": {"keep": 0.7, "by": "difficulty", "take": "low"},
    "hard_70": {"keep": 0.7, "by": "difficulty", "take": "high"},
    "hard_30": {"keep": 0.3, "by": "difficulty", "take": "high"},
    "best_5": {"keep": 0.05},
    "half": {"uses": {0.1: 4, 0.5: 1, 1.0: 0}},
    "steep": {"uses": {0.1: 8, 0.5: 2, 1.0: 1}},
    "gentle": {"uses": {0.2: 3, 1.0: 1}},
    "news": {"mixture": {"news": 1.0}},
    "news_60": {
        "mixture": {"news": 0.6, "wiki": 0.2, "speech": 0.1, "docstrings": 0.1}
    },
    "news_30": {
        "mixture": {"news": 0.3, "wiki": 0.3, "speech": 0.2, "docstrings": 0.2}
    },
    "even": {"mixture": dict.fromkeys(MIXED, 0.25)},
}
# the strictest arm of each question first, that which leaves nothing out last
QUESTIONS = {
    "dedup": ("semantic", "lines", EVERYTHING, "exact", "none"),
    "filter": ("keep_10", "keep_20", "keep_50", "upweight_20", EVERYTHING),
    "prune": ("hard_30", "easy_30", "hard_70", "easy_70", EVERYTHING),
    "repeat": ("best_5", "half", "steep", "gentle", EVERYTHING),
    MIX: ("news", "news_60", "news_30", "even", EVERYTHING),
}
TITLES = {
    "dedup": "Which copies should go?",
    "filter": "How strictly should the crawl be filtered by quality?",
    "prune": "Which documents should be pruned by difficulty?",
    "repeat": "How often should good documents be repeated?",
    MIX: "In which mixture should the pools be read?",
}
PROXIES = ("smallest", "small, longest", "largest")
PICKERS = ("Assay", *PROXIES, "strictest", "everything")


@dataclass(frozen=True)
class Scale:
    """How large the study is. shrink: of the pools' characters."""

    budgets: tuple[int, ...] = (16_384, 32_768, 65_536, 131_072)
    draw_tokens: int = 98_304
    heldout_tokens: int = 16_000
    runs: int = 24
    refits: int = 400
    shrink: float = 1.0

    @property
    def target_tokens(self) -> int:
        """Tokens of the target, at the larger size."""
        return TIMES * self.budgets[-1]

    @property
    def target_flops(self) -> float:
        """Compute of the target, FLOPs (6ND)."""
        return 6.0 * N_PARAMS * self.target_tokens


TOY = Scale(
    budgets=(4_096, 8_192, 16_384),
    draw_tokens=16_384,
    heldout_tokens=4_000,
    runs=12,
    refits=50,
    shrink=0.15,
)


@dataclass(frozen=True)
class Truth:
    """Values measured at the target. means: arm -> mean over resamples; half: of the 95 % interval of a difference
    of two such means.
    """

    means: dict[str, float]
    half: float

    @property
    def best(self) -> str:
        """The arm of the least mean."""
        return least(self.means)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(better, worse): pairs that differ by more than the noise."""
        every = itertools.permutations(self.means, 2)
        return [(a, b) for a, b in every if self.means[b] - self.means[a] > self.half]

    @property
    def as_good(self) -> list[str]:
        """Arms that differ from the best by no more than the noise, itself among them."""
        lowest = self.means[self.best]
        return [arm for arm, mean in self.means.items() if mean - lowest <= self.half]

    def in_order(self, values: Mapping[str, float]) -> int:
        """How many of the pairs these values put in the right order. values: arm -> value, lower is better."""
        return sum(values[better] < values[worse] for better, worse in self.pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="kept; default a temporary one")
    parser.add_argument("--wheel-cache", default=str(ROOT / artefacts.WHEEL_CACHE))
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1, help="of the resamples")
    parser.add_argument("--toy", action="store_true", help="small and meaningless")
    every = [*QUESTIONS, SEARCHED]
    parser.add_argument("--questions", nargs="+", choices=every, default=every)
    options = parser.parse_args()
    cache = str(Path(options.wheel_cache).resolve())
    folder = options.folder or Path(tempfile.mkdtemp(prefix="decisions-real-"))
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    started = time.perf_counter()
    scale = TOY if options.toy else Scale()
    names = [name for name in every if name in options.questions]
    made = params(
        scale, draws=options.draws, seed=options.seed, cache=cache, names=names
    )
    write_code(cache, round(scale.shrink * CODE_CHARS))
    Path("params.yaml").write_text(yaml.safe_dump(made, sort_keys=False))
    asked, after = run_stages()
    found = {
        name: judged(name, asked[name], after[name])
        for name in names
        if name in QUESTIONS
    }
    total = totals([*found.values()]) if found else None
    if total:
        show(found, total)
    searched = None
    if SEARCHED in names:
        searched = judged_search(asked[SEARCHED], after[SEARCHED])
        show_search(searched, found.get(MIX))
    print(
        json.dumps(
            {
                "draws": options.draws,
                "seed": options.seed,
                "toy": options.toy,
                "questions": found,
                "all": total,
                "searched": searched,
                "seconds": round(time.perf_counter() - started),
                "machine": platform.machine(),
            }
        )
    )


def params(
    scale: Scale, *, draws: int, seed: int, cache: str, names: Sequence[str]
) -> dict[str, Any]:
    """The demo's parameters with these pools, questions, arms and budgets, and a target of the larger size."""
    made = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    made["target"] = {
        "params": N_PARAMS,
        "flops": scale.target_flops,
        "pool_tokens": scale.draw_tokens,
    }
    pools = {
        name: pool | {"max_chars": round(scale.shrink * CHARS[name])}
        if name in CHARS
        else pool
        for name, pool in POOLS.items()
    }
    made["ingest"] |= {"pools": pools, "wheel_cache": cache}
    made["dedup"] |= {"semantic": {"eps": 0.05}, "lines": {"unit": "line"}}
    made["pack"]["heldout_tokens"] = scale.heldout_tokens
    questions: dict[str, Any] = {
        name: {"title": TITLES[name], "arms": list(arms)}
        for name, arms in QUESTIONS.items()
        if name in names
    }
    wanted = {EVERYTHING, *(arm for each in questions.values() for arm in each["arms"])}
    if SEARCHED in names:
        questions[SEARCHED] = {
            "kind": "mixture",
            "over": list(MIXED),
            "runs": scale.runs,
            "weights": {"news": 1.0},
        }
    made["arms"] = {
        "seed": seed,
        "draws": draws,
        "draw_tokens": scale.draw_tokens,
        "questions": questions,
        "arms": {name: arm for name, arm in ARMS.items() if name in wanted},
        "controls": {"same": {"like": EVERYTHING, "kind": "same"}},
    }
    made["sweep"] |= {
        "sizes": ["6k", "25k"],
        "control_sizes": ["25k"],
        "budgets_tokens": list(scale.budgets),
    }
    made["fit"] |= {"draws": scale.refits, "starts": 32}
    made["decide"]["target_flops"] = [scale.target_flops]
    made["verify"] = {"flops": scale.target_flops, "best_arms": 4, "draws": draws}
    return made


def write_code(cache: str, n_chars: int) -> None:
    """code.jsonl: files of the pool of code in random order, up to so many characters."""
    files = read_pool("code", cache).sample(fraction=1, shuffle=True, seed=1)
    kept = files.filter(pl.col("text").str.len_chars().cum_sum() <= n_chars)
    kept.select("text").write_ndjson("code.jsonl")


def run_stages() -> tuple[dict[str, Asked], dict[str, pl.DataFrame]]:
    """The stages up to verify, with seconds; question -> what was asked of it, and the runs after its decision."""
    pipeline = stages_upto("verify")
    sections = load_params("params.yaml", stages_upto())
    for stage in pipeline:
        started = time.perf_counter()
        stage.run(sections[stage.name])
        print(f"{stage.name}: {time.perf_counter() - started:.0f} s", flush=True)
    plan = planned(sections["verify"])
    tables = {
        name: each.measured(table_after(each.trained(plan.data)))
        for name, each in plan.asked.items()
    }
    return plan.asked, tables


def at_target(asked: Asked, table: pl.DataFrame) -> pl.DataFrame:
    """One row an arm and resample at the target. table: the runs after the decision."""
    top = asked.decision.target.flops
    return best_settings(table, asked.metric, above=asked.claim.reach).filter(
        (pl.col("flops") / top - 1).abs() < SAME_BUDGET
    )


def truth_of(measured: pl.DataFrame) -> Truth:
    """Means and noise: what an effect of the arm and one of the resample leave of the values."""
    wide = measured.pivot("pool_draw", index="arm", values="value").sort("arm")
    values = wide.drop("arm").to_numpy()  # (arms, resamples)
    if np.isnan(values).any():
        raise SystemExit("an arm was not trained in every resample, or diverged")
    means = values.mean(axis=1)
    left = values - means[:, None] - values.mean(axis=0) + values.mean()
    free = (values.shape[0] - 1) * (values.shape[1] - 1)
    error = np.sqrt(2 * (left**2).sum() / free / values.shape[1])
    half = float(stats.t.ppf(0.975, free) * error)
    return Truth(dict(zip(wide["arm"], means.tolist(), strict=True)), half)


def proxies(asked: Asked, arms: Sequence[str]) -> dict[str, dict[str, float]]:
    """Of each of PROXIES the mean value of every arm over resamples, each at its best setting."""
    runs = asked.measured(pl.read_parquet(artefacts.RUNS)).filter(
        pl.col("arm").is_in(arms) & (pl.col("metric") == asked.metric)
    )
    best = best_regularised(runs)
    sizes, budgets = best["n_params"].unique().sort(), best["n_tokens_seen"].unique()
    cells = [
        (sizes[0], budgets.min()),
        (sizes[0], budgets.max()),
        (sizes[-1], budgets.max()),
    ]
    found = {}
    for name, (size, tokens) in zip(PROXIES, cells, strict=True):
        own = best.filter(n_params=size, n_tokens_seen=tokens)
        means = own.group_by("arm").agg(pl.col("value").mean())
        found[name] = dict(means.iter_rows())
    return found


def judged(name: str, asked: Asked, table: pl.DataFrame) -> dict[str, Any]:
    """One question against what was measured."""
    record, arms = asked.decision, QUESTIONS[name]
    assert isinstance(record, DecisionRecord)
    measured = at_target(asked, table)
    if missing := set(arms) - set(measured["arm"]):
        raise SystemExit(f"{name}: {', '.join(missing)} was not trained at the target")
    truth, said = truth_of(measured), answer(record)
    values = {"Assay": {arm: said.values[arm][0] for arm in arms}}
    values |= proxies(asked, arms)
    picks = {picker: least(own) for picker, own in values.items()}
    picks["Assay"] = said.best
    picks |= {"strictest": arms[0], "everything": arms[-1]}
    every = against(asked, measured, itertools.combinations(arms, 2))
    lowest = truth.means[truth.best]
    return {
        "pick": said.best,
        "status": said.status,
        "reason": said.reason,
        "best": truth.best,
        "as_good": truth.as_good,
        "measured": truth.means,
        "predicted": {arm: said.values[arm] for arm in arms},
        "half_nats": truth.half,
        "pairs": len(truth.pairs),
        "of_pairs": len(arms) * (len(arms) - 1) // 2,
        "in_order": {who: truth.in_order(own) for who, own in values.items()},
        "runs_inside": [run.inside for run in every.runs],
        "leads_inside": [lead.inside for lead in every.leads],
        "p_pick": said.p_best[said.best],
        "p_best": said.p_best[truth.best],
        "p_as_good": sum(said.p_best[arm] for arm in truth.as_good),
        "brier": sum((said.p_best[arm] - (arm == truth.best)) ** 2 for arm in arms),
        "picks": picks,
        "regret": {who: truth.means[picks[who]] - lowest for who in PICKERS},
        "law": record.law.name,
    }


def answer(record: DecisionRecord) -> Target:
    """The comparison at the target."""
    assert record.target is not None
    top = record.target.flops
    return next(each for each in record.targets if abs(each.flops / top - 1) < 1e-6)


def against(asked: Asked, measured: pl.DataFrame, pairs) -> Judged:
    """Every run and the lead of each pair of arms at the target, predicted against measured."""
    claim = asked.claim
    rows = claim.rows(measured["arm"].to_list(), measured["flops"].to_list())
    point, drawn = claim.prediction.point(rows), claim.prediction.new_runs(rows)
    at = np.arange(len(measured))
    leads = [
        judged_lead(claim, measured, at=at, pair=pair, point=point, drawn=drawn)
        for pair in pairs
    ]
    runs = judged_runs(claim, measured, point=point, drawn=drawn)
    return Judged(runs if claim.of_values else [], [lead for lead in leads if lead], [])


def least(values: Mapping[str, float]) -> str:
    """The arm of the least value."""
    return min(values, key=lambda arm: values[arm])


def totals(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over all questions: sums of counts, means of shares and of regrets, these also in % of the loss."""
    lowest = np.array([row["measured"][row["best"]] for row in rows])
    lost = {who: np.array([row["regret"][who] for row in rows]) for who in PICKERS}
    return {
        "pairs": sum(row["pairs"] for row in rows),
        "of_pairs": sum(row["of_pairs"] for row in rows),
        "in_order": {
            who: sum(row["in_order"][who] for row in rows)
            for who in ("Assay", *PROXIES)
        },
        "runs_inside": [each for row in rows for each in row["runs_inside"]],
        "leads_inside": [each for row in rows for each in row["leads_inside"]],
        "p_best": float(np.mean([row["p_best"] for row in rows])),
        "p_as_good": float(np.mean([row["p_as_good"] for row in rows])),
        "brier": float(np.mean([row["brier"] for row in rows])),
        "regret": {who: float(each.mean()) for who, each in lost.items()},
        "regret_percent": {
            who: float(100 * (each / lowest).mean()) for who, each in lost.items()
        },
        "best_named": {
            who: sum(row["picks"][who] in row["as_good"] for row in rows)
            for who in PICKERS
        },
    }


def judged_search(asked: Asked, table: pl.DataFrame) -> dict[str, Any]:
    """The proposal, the prior and the best run at the target, measured and predicted."""
    record = asked.decision
    assert isinstance(record, SearchedRecord)
    measured = at_target(asked, table)
    names = {arm_name(SEARCHED, part): part for part in SEARCHED_ARMS}
    there = [arm for arm in names if arm in set(measured["arm"])]
    every = against(asked, measured, ((there[0], other) for other in there[1:]))
    truth = truth_of(measured)
    return {
        "status": record.status,
        "reason": record.reason,
        "shares": {names[arm]: values_of(record, names[arm]) for arm in there},
        "interval": record.interval,
        "measured": {names[arm]: mean for arm, mean in truth.means.items()},
        "half_nats": truth.half,
        "runs": [run.model_dump() for run in every.runs],
        "leads": [lead.model_dump() for lead in every.leads],
        "p_better": record.objective.p_better,
    }


def show(found: Mapping[str, Mapping[str, Any]], total: Mapping[str, Any]) -> None:
    """Three tables over the questions."""
    heads = ["question", "status", "pick", "P(best)", "measured best", "no worse"]
    table(
        heads,
        [
            [
                name,
                row["status"],
                row["pick"],
                f"{row['p_pick']:.2f}",
                row["best"],
                ", ".join(arm for arm in row["as_good"] if arm != row["best"]),
            ]
            for name, row in found.items()
        ],
    )
    rows = {**found, "all": total}
    of = ("Assay", *PROXIES)
    heads = ["question", "pairs above noise", *(f"right: {who}" for who in of)]
    heads += ["losses inside", "leads inside", "P(best) of the best", "Brier"]
    table(
        heads,
        [
            [
                name,
                f"{row['pairs']} of {row['of_pairs']}",
                *(str(row["in_order"][who]) for who in of),
                share(row["runs_inside"]),
                share(row["leads_inside"]),
                f"{row['p_best']:.2f}",
                f"{row['brier']:.2f}",
            ]
            for name, row in rows.items()
        ],
    )
    lost = [
        [name, f"{row['measured'][row['best']]:.3f}", f"{row['half_nats']:.3f}"]
        + [f"{row['regret'][who]:.3f}" for who in PICKERS]
        for name, row in found.items()
    ]
    lost.append(["mean", "", ""] + [f"{total['regret'][who]:.3f}" for who in PICKERS])
    percent = [f"{total['regret_percent'][who]:.2f} %" for who in PICKERS]
    lost.append(["mean, of the loss", "", "", *percent])
    named = [f"{total['best_named'][who]} of {len(found)}" for who in PICKERS]
    lost.append(["best or no worse", "", "", *named])
    table(["regret, nats", "best", "noise", *PICKERS], lost)


def share(inside: Sequence[bool]) -> str:
    return f"{sum(inside)} of {len(inside)}"


def show_search(searched: Mapping[str, Any], mix: Mapping[str, Any] | None) -> None:
    """What was searched for, beside the best of the arms that mix pools too."""
    print(f"\nsearched: {searched['status']}: {searched['reason']}")
    rows = []
    for part, shares in searched["shares"].items():
        said = [r for r in searched["runs"] if r["arm"] == arm_name(SEARCHED, part)]
        text = ""
        if said:
            first = said[0]
            text = f"{first['predicted']:.3f} [{first['low']:.3f}, {first['high']:.3f}]"
        rows.append(
            [
                part,
                ", ".join(f"{shares.get(pool, 0):.2f}" for pool in MIXED),
                f"{searched['measured'][part]:.3f}",
                text,
                share([run["inside"] for run in said]),
            ]
        )
    if mix is not None:
        best = mix["best"]
        value = f"{mix['measured'][best]:.3f}"
        rows.append([f"{best}, best of {MIX}", "", value, "", ""])
    heads = ["mixture", ", ".join(MIXED), "measured", "predicted", "losses inside"]
    table(heads, rows)
    for lead in searched["leads"]:
        print(
            f"{lead['arm']} less {lead['against']}: {lead['measured']:+.3f}, predicted"
            f" {lead['predicted']:+.3f} [{lead['low']:+.3f}, {lead['high']:+.3f}]"
        )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table as the benchmarks' README has them."""
    print("\n| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
