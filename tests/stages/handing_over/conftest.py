"""Two small pools through ingest, dedup, pack, score and arms, and a decision over their arms."""

import itertools
import json
import random
import shutil
from pathlib import Path

import pytest
import yaml

from stages import ingest
from stages.decision.record import Question, SpokenSize, read_decision
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE, stages_upto
from stages.searched.record import (
    Aimed,
    BestRun,
    Objective,
    SearchedRecord,
    SearchedTables,
    WeightedMetric,
)
from stages.settings.params import load_params

WORDS = (
    "the of and to in is that for it was on with as be at by this had not are".split()
)
ARMS = {
    "keep_20": {"keep": 0.2},
    "keep_100": {"keep": 1.0},
    "upweight_20": {"keep": 0.2, "upweight": 0.5},
    "mixed": {"mixture": {"good": 0.75, "noise": 0.25}},
    "random_50": {"keep": 0.5, "take": "random"},
    "with_copies": {"dedup": "none"},
    "without_lines": {"dedup": "lines"},
    "in_stages": {"curriculum": {"by": "difficulty", "stages": 3}},
}
TIERS = {"q000_020": 2.4, "q020_100": 0.6}


def texts(rng, words, n):
    """Documents of 30 to 90 words, each with a word of its own; all end in one line."""
    return [
        f"{' '.join(rng.choices(words, k=rng.randint(30, 90)))} own{rng.random():.12f}\n"
        "read more on our pages below"
        for _ in range(n)
    ]


def write_pools(folder):
    rng = random.Random(0)
    odd = ["".join(rng.choices("bcdfgklmz_{}", k=6)) for _ in range(40)]
    good, noise = texts(rng, WORDS, 400), texts(rng, odd, 300)
    folder.mkdir()
    for name, lines in (("good", good), ("noise", noise + noise[:30])):
        rows = (
            json.dumps({"text": text, "name": f"{name}-{i}"})
            for i, text in enumerate(lines)
        )
        (folder / f"{name}.jsonl").write_text("\n".join(rows))


def params():
    values = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    values["ingest"]["pools"] = {
        "good": {
            "path": "raw/good.jsonl",
            "id": "name",
            "heldout": 0.1,
            "reference": 0.2,
        },
        "noise": {"path": "raw/noise.jsonl", "id": "name"},
    }
    values["dedup"]["lines"] = {}
    values["score"] |= {"folds": 3, "prototypes": 8}
    values["pack"] |= {"vocab_size": 300, "heldout_tokens": 2000}
    values["arms"] |= {
        "draws": 2,
        "draw_tokens": 8000,
        "questions": {
            "filter": {"title": "How strict?", "arms": list(ARMS)},
            "mix": {"kind": "mixture", "over": ["good", "noise"], "runs": 6},
            "up": {"kind": "upsampling", "tiers": [0.2]},
            "topics": {
                "kind": "mixture",
                "over": "clusters",
                "clusters": 2,
                "runs": 6,
            },
        },
        "arms": ARMS,
        "controls": {},
    }
    values["fit"]["domain"] = "good"
    return values


def decide(status="decided", best="keep_20", name="filter"):
    """A decision record over ARMS in place of the one that there is: one target of this status and arm."""
    record = read_decision(ROOT / "data/decisions/filter.json")
    target = record.targets[0].model_copy(
        update={"status": status, "best": best, "flops": 1e9}
    )
    record = record.model_copy(
        update={
            "question": record.question.model_copy(update={"name": name}),
            "labels": {arm: f"the arm {arm}" for arm in ARMS},
            "status": status,
            "targets": [target],
            "target": None,
            "provenance": record.provenance.model_copy(update={"dvc": {}}),
        }
    )
    record.write(f"data/decisions/{name}.json")
    return record


def search(name="mix", status="decided", target=None, **more):
    """A record of a question that was searched for: .75 of good, or 2.4 uses of the best fifth and .6 of the rest.

    target: tokens of the run and of each pool there.
    """
    mixture = name != "up"
    values = TIERS if name == "up" else {"good": 0.75, "noise": 0.25}
    values = more.get("proposal", values)
    band, whole = (2.0, 1.9, 2.1), sum(values.values())
    aimed = target and Aimed(
        n_params=1e6,
        n_tokens=target[0],
        flops=6e6 * target[0],
        pool_tokens=target[1],
        decades=0.1,
        text="a target",
    )
    record = SearchedRecord(
        version=1,
        kind="mixture" if mixture else "upsampling",
        question=Question(name=name, title="Which?"),
        sentence="An answer.",
        status=status,
        reason="said",
        target=aimed,
        metrics=[
            WeightedMetric(
                name="loss_good", domain="good", unit="nats/token", weight=1.0
            )
        ],
        level=0.9,
        n_params=SpokenSize(value=2000, why="the largest", trained=[2000]),
        n_tokens=50_000,
        n_runs=6,
        n_draws=2,
        proposal=values,
        interval={key: (0.0, value) for key, value in values.items()},
        reference=dict.fromkeys(values, whole / 2),
        predicted={"loss_good": band},
        trade_off={"loss_good": band},
        objective=Objective(value=band, reference=2.2, gain=band, p_better=1.0),
        tolerance=0.01,
        best_run=BestRun(
            run_id="r", shares=values, measured=None, gain=band, p_not_worse=1.0
        ),
        vetoes={},
        repetition={},
        repetition_law=None,
        by_rung=[],
        laws={},
        check={},
        reach=0.1,
        beyond=0.0,
        warnings=[],
        provenance=decide().provenance,
        tables=SearchedTables(proposal=[], predicted=[], rungs=[]),
    ).model_copy(update=more)
    record.write(f"data/decisions/{name}.json")
    return record


@pytest.fixture(scope="session")
def staged_folder(tmp_path_factory):
    """A project whose stages up to arms have run; shards of ingest hold 100 documents."""
    folder = tmp_path_factory.mktemp("handing") / "project"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(ingest, "SHARD_DOCUMENTS", 100)
        write_pools(Path("raw"))
        Path("params.yaml").write_text(yaml.safe_dump(params()))
        sections = load_params("params.yaml", PIPELINE)
        for stage in stages_upto("arms"):
            stage.carry_out(sections[stage.name])
        decide()
    return folder


@pytest.fixture
def project(staged_folder, tmp_path, monkeypatch):
    """A copy that a test may change, as the current folder."""
    shutil.copytree(staged_folder, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture(scope="session")
def arms_section(staged_folder):
    return load_params(staged_folder / "params.yaml", PIPELINE)["arms"]


@pytest.fixture(scope="session")
def set_aside(staged_folder):
    """Texts that are held out or reference, with the word that each has alone."""
    import polars as pl

    frames = [
        pl.read_parquet(file)
        for file in itertools.chain(
            (staged_folder / "data/ingest/heldout").glob("*.parquet"),
            [staged_folder / "data/ingest/reference.parquet"],
        )
    ]
    found = pl.concat(frames, how="diagonal")["text"]
    return found.str.extract(r"(own\d\.\d+)").to_list()
