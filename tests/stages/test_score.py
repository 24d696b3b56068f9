"""Score: the same table whatever the ranges, models of a sample, and the rules' options of `assay
curate`, for arms to go by.
"""

import random
import shutil

import polars as pl
import pytest
import yaml

from stages import score
from stages.curation.reading import ordered_pool
from stages.decision.text import arm_label
from stages.declarations import score as declared
from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.score import ScoreParams
from stages.settings.arms import Arm
from stages.settings.params import load_params

WORDS = (
    "the of and to in a is that for it as was with be by on not he his but at are this"
    " have from or had an they which".split()
)
RULES = {
    "rules": ["gopher_min_words", "curator_urls"],
    "thresholds": {"min_doc_words": 40, "words": "whitespace"},
    "bad_words": "lists/bad.txt",
    "url_lists": {"domains": "lists/domains.txt"},
    "decontaminate": {"files": ["lists/exam.jsonl"], "overlap_share": 0.1},
}
ARMS = {
    "clean": {"rules": True},
    "polite": {"rules": ["c4_bad_words", "url"]},
    "unseen": {"rules": "decontamination"},
    "longest": {"keep": 0.3, "by": "named_words"},
    "plain": {},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory, run_stages):
    folder, rng = tmp_path_factory.mktemp("rules"), random.Random(0)
    for name in ("raw", "lists"):
        (folder / name).mkdir()
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(20, 120))) for _ in range(400)]
    rows = [
        {
            "body": text + (" darnation" if i % 10 == 0 else ""),
            "page": f"https://{'spam' if i % 7 == 0 else 'fine'}.example/{i}",
        }
        for i, text in enumerate(texts)
    ]
    pl.DataFrame(rows).write_ndjson(folder / "raw/web.jsonl")
    pl.DataFrame(
        [{"body": " ".join(rng.choices(WORDS, k=60))} for _ in range(150)]
    ).write_ndjson(folder / "raw/good.jsonl")
    pl.DataFrame({"text": texts[1:400:20]}).write_ndjson(folder / "lists/exam.jsonl")
    (folder / "lists/bad.txt").write_text("darnation\n")
    (folder / "lists/domains.txt").write_text("spam.example\n")
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["ingest"]["pools"] = {
        "web": {"path": "raw/web.jsonl", "text": "body", "url": "page"},
        "good": {
            "path": "raw/good.jsonl",
            "text": "body",
            "heldout": 0.3,
            "reference": 0.7,
        },
    }
    params["fit"]["domain"] = None  # the demo's is not here
    params["pack"] |= {"vocab_size": 300, "heldout_tokens": 1000}
    params["score"] |= RULES | {"folds": 2, "prototypes": 8}
    params["arms"] |= {
        "draws": 2,
        "draw_tokens": 15_000,
        "controls": {},
        "arms": ARMS,
        "questions": {"q": {"title": "?", "arms": ["clean", "plain"]}},
    }
    return run_stages(folder, params, "arms")


@pytest.fixture(scope="module")
def scores(project):
    pool = pl.read_parquet(project / "data/ingest/pools/**/*.parquet")
    return pl.read_parquet(project / "data/score/scores.parquet").join(
        pool.select("id", "text", "url"), on="id", validate="1:1"
    )


def test_every_option_of_the_rules_has_its_verdict(scores, project):
    exam = set(pl.read_ndjson(project / "lists/exam.jsonl")["text"])
    assert (
        scores["pass_c4_bad_words"] == ~scores["text"].str.contains("darnation")
    ).all() and not scores["pass_c4_bad_words"].all()
    assert (
        scores["pass_url_domains"] == ~scores["url"].str.contains("spam")
    ).all() and not scores["pass_url_domains"].all()
    assert (
        scores["pass_gopher_min_words"]
        == (scores["text"].str.split(" ").list.len() >= 40)
    ).all() and not scores["pass_gopher_min_words"].all()
    assert (
        scores["pass_decontamination"] == ~scores["text"].is_in(list(exam))
    ).all() and not scores["pass_decontamination"].all()
    assert "pass_gopher_stop_words" not in scores.columns
    passes = scores.select("^pass_.*$")
    assert (
        scores["rules_pass"] == passes.select(pl.all_horizontal(pl.all())).to_series()
    ).all()
    assert (scores["first_failed"].is_null() == scores["rules_pass"]).all()


def test_the_report_counts_what_each_rule_drops(scores, project):
    report = pl.read_csv(project / "data/score/rules.csv")
    assert (
        report["rule"].to_list()[:2] == ["gopher_min_words", "curator_urls"]
        and report["rule"].to_list()[-1] == "decontamination"
    )
    for rule, alone, first in report.select(
        "rule", "documents_alone", "documents_in_order"
    ).iter_rows():
        assert (
            alone == (~scores[f"pass_{rule}"]).sum()
            and first == (scores["first_failed"] == rule).fill_null(False).sum()
        )


def test_arms_go_by_the_rules_that_they_name(scores, project):
    views = pl.read_parquet(project / "data/arms/views.parquet").join(scores, on="id")
    arm = {name: part for (name,), part in views.group_by("arm")}
    assert (
        arm["clean"]["rules_pass"].all() and arm["unseen"]["pass_decontamination"].all()
    )
    assert (
        arm["polite"]["pass_c4_bad_words"].all()
        and arm["polite"]["pass_url_domains"].all()
        and not arm["polite"]["rules_pass"].all()
    )
    for (_,), draw in views.group_by("draw"):
        kept, rest = (
            draw.filter(arm="longest"),
            draw.filter(arm="plain").join(
                draw.filter(arm="longest"), on="id", how="anti"
            ),
        )
        assert kept["named_words"].min() >= rest["named_words"].max()


def test_ranges_of_ids_change_nothing(project, tmp_path, monkeypatch, scores):
    shutil.copytree(project, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setattr(ordered_pool, "RANGE_CHARS", 9_000)
    score.run(load_params("params.yaml", PIPELINE)["score"])
    for name in (
        "score/scores.parquet",
        "score/rules.csv",
        "score/calibration.csv",
        "metrics/score.json",
    ):
        there = project / "data" / name
        if name.endswith(".parquet"):
            assert pl.read_parquet(f"data/{name}").equals(pl.read_parquet(there))
        else:
            assert (tmp_path / "copy/data" / name).read_text() == there.read_text()
    assert not (tmp_path / "copy/.assay/score").exists()


def test_models_of_a_sample_score_every_document(
    project, tmp_path, monkeypatch, scores
):
    shutil.copytree(project, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setattr(ordered_pool, "RANGE_CHARS", 9_000)
    params = load_params("params.yaml", PIPELINE)["score"].model_copy(
        update={"train_chars": 60_000}
    )
    score.run(params)
    first = pl.read_parquet("data/score/scores.parquet")
    assert first.select("quality", "difficulty").null_count().row(0) == (
        0,
        0,
    ) and first["id"].equals(scores["id"].sort())
    monkeypatch.setattr(ordered_pool, "RANGE_CHARS", 10**9)
    score.run(params)
    again = pl.read_parquet("data/score/scores.parquet")
    assert again.drop("difficulty").equals(first.drop("difficulty"))
    assert (
        again["difficulty"] - first["difficulty"]
    ).abs().max() < 1e-5  # products round by the size of their block


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        (
            "score",
            {"rules": "gofer"},
            "score.rules: no document rule or rule set 'gofer'",
        ),
        ("score", {"thresholds": {"min_doc_word": 3}}, "score.thresholds"),
        (
            "score",
            {"thresholds": {"words": "letters"}},
            "score.thresholds: words must be one of",
        ),
        ("score", {"decontaminate": {"files": []}}, "score.decontaminate"),
        ("score", {"words": "regex"}, "score.words: unknown key"),
        (
            "score",
            {"rules": ["gopher_min_words"], "bad_words": None},
            (
                "arms.arms.polite.rules: the rule c4_bad_words is not judged by the"
                " score stage"
            ),
        ),
        (
            "arms",
            {"arms": ARMS | {"plain": {"rules": "gofer"}}},
            "arms.arms.plain.rules: no document rule or rule set 'gofer'",
        ),
        (
            "arms",
            {"arms": ARMS | {"plain": {"by": "bad_wordz"}}},
            (
                "arms.arms.plain.by: no score 'bad_wordz'.*measures of rules are"
                " .*named_words"
            ),
        ),
        (
            "ingest",
            {
                "pools": {
                    "web": {"path": "raw/web.jsonl", "heldout": 0.1, "reference": 0.2}
                }
            },
            "score.url_lists: needs the addresses of documents",
        ),
        (
            "ingest",
            {"pools": {"web": {"path": "raw/web.jsonl", "url": "text"}}},
            "ingest.pools.web: url maps the column 'text'",
        ),
    ],
)
def test_a_mistake_in_params_is_one_line(project, refused, section, change, message):
    params = yaml.safe_load((project / "params.yaml").read_text())
    params[section] |= change
    refused(params, message)


def test_dvc_sees_the_files_of_the_rules(project, monkeypatch):
    monkeypatch.chdir(project)
    assert declared.stage.inputs(load_params("params.yaml", PIPELINE)["score"]) == [
        "lists/bad.txt",
        "lists/domains.txt",
        "lists/exam.jsonl",
    ]


def test_a_list_that_is_not_there_is_one_line(project, monkeypatch):
    monkeypatch.chdir(project)
    with pytest.raises(InputError, match="none.txt: cannot read the list"):
        score.run(ScoreParams(bad_words="none.txt"))


def test_a_decision_says_which_copies_and_rules_an_arm_goes_by():
    assert (
        arm_label("x", Arm(dedup="semantic", rules="gopher").model_dump())
        == "keep everything, semantic duplicates removed, after gopher"
    )
    assert (
        arm_label("x", Arm(rules=["gopher", "c4_bad_words"]).model_dump())
        == "keep everything, after gopher, c4_bad_words"
    )
