"""Extra scores: each kind gives its column, arms select by it with equal tokens, and every mistake is one line."""

import random

import polars as pl
import pytest
import yaml

from stages import arms, dedup, ingest, pack, score
from stages.curation.scores.model_card import training_data
from stages.curation.scores.ngram_model import train_ngram
from stages.decision.text import arm_label
from stages.declarations import score as declared
from stages.foundation.errors import InputError
from stages.foundation.stage import ROOT
from stages.pipeline import PIPELINE
from stages.score import ScoreParams
from stages.settings.arms import Arm
from stages.settings.params import load_params

EXTRA = {
    "perplexity": {"kind": "ngram", "order": 2},
    "pool_nats": {"kind": "ngram", "unit": "character", "train_on": "pool"},
    "proxy_nats": {
        "kind": "proxy",
        "size": "6k",
        "tokens": 8192,
        "context": 32,
        "train_on": "pool",
    },
    "proxy_reference": {"kind": "proxy", "size": "6k", "tokens": 8192, "context": 32},
    "el2n": {
        "kind": "proxy",
        "size": "6k",
        "tokens": 8192,
        "context": 32,
        "measure": "el2n",
    },
    "gradient": {
        "kind": "proxy",
        "size": "6k",
        "tokens": 8192,
        "context": 32,
        "measure": "gradient",
    },
    "near": {"kind": "nearest", "queries": 20},
    "near_proxy": {
        "kind": "nearest",
        "queries": 20,
        "embed": "proxy",
        "size": "6k",
        "tokens": 8192,
        "context": 32,
    },
    "skills": {"kind": "skills", "skills": 40},
    "letters": {"kind": "function", "function": "my_letters:rate"},
    "stars": {
        "kind": "column",
        "column": "stars",
        "files": {"noise": "raw/noise.jsonl"},
    },
    "kept": {"kind": "saved", "folder": "models/ngram"},
}
DIFFICULTIES = ("perplexity", "pool_nats", "proxy_reference", "el2n", "kept")


def written(rng, words, n_lines):
    """Sentences whose words follow one another by habit."""
    at, out = rng.randrange(len(words)), []
    for _ in range(12 * n_lines):
        at = (at + 1) % len(words) if rng.random() < 0.7 else rng.randrange(len(words))
        out.append(words[at])
    return " ".join(out)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with both pools ingested, deduplicated and packed."""
    folder = tmp_path_factory.mktemp("project")
    rng, words = (
        random.Random(0),
        [
            f"{a}{b}"
            for a in ("bel", "dor", "mun", "tas", "vi")
            for b in ("a", "en", "ir", "ol", "us", "et")
        ],
    )
    noise = ["".join(rng.choices("bcdfgkz{}0123", k=6)) for _ in range(400)]
    (folder / "raw").mkdir()
    good = [
        {"name": f"g{i}", "body": written(rng, words, rng.randint(3, 8))}
        for i in range(300)
    ]
    bad = [
        {"body": written(rng, noise, rng.randint(3, 8)), "stars": i} for i in range(160)
    ]
    for name, rows in (("good", good), ("noise", bad)):
        pl.DataFrame(rows).write_ndjson(folder / f"raw/{name}.jsonl")
    (folder / "my_letters.py").write_text(
        "def rate(texts): return [len(text) for text in texts]\n"
    )
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["ingest"]["pools"] = {
        "good": {
            "path": "raw/good.jsonl",
            "text": "body",
            "id": "name",
            "heldout": 0.1,
            "reference": 0.3,
        },
        "noise": {"path": "raw/noise.jsonl", "text": "body"},
    }
    params["fit"]["domain"] = None  # the demo's is not here
    params["pack"] |= {"vocab_size": 300, "heldout_tokens": 1000}
    params["score"] |= {
        "folds": 3,
        "prototypes": 8,
        "save_quality": "models/quality",
        "extra": EXTRA,
    }
    params["arms"] |= {
        "draws": 2,
        "draw_tokens": 12_000,
        "controls": {},
        "questions": {"q": {"title": "?", "arms": ["easy", "hard"]}},
        "arms": {
            "easy": {"keep": 0.15, "by": "perplexity", "take": "low"},
            "hard": {"keep": 0.15, "by": "perplexity"},
            "starred": {"keep": 0.15, "by": "stars", "take": "middle"},
        },
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        sections = load_params("params.yaml", PIPELINE)
        ingest.run(sections["ingest"])
        dedup.run(sections["dedup"])
        pack.run(sections["pack"])
        reference = pl.read_parquet("data/ingest/reference.parquet")
        train_ngram(reference["text"]).save(
            "models/ngram", {"trained_on": training_data(reference)}
        )
        score.run(sections["score"])
        arms.run(sections["arms"])
    return folder


@pytest.fixture(scope="module")
def scores(project):
    return pl.read_parquet(project / "data/score/scores.parquet")


@pytest.mark.parametrize("name", [*DIFFICULTIES, "near", "near_proxy", "skills"])
def test_every_method_tells_the_hidden_good_text_from_noise(scores, name):
    good, noise = (scores.filter(pool=pool)[name] for pool in ("good", "noise"))
    if name in DIFFICULTIES:
        assert good.quantile(0.9) < noise.quantile(0.1)
    else:
        assert good.quantile(0.4) > noise.quantile(0.95)


def test_a_proxy_that_has_read_half_of_the_pool_finds_what_it_holds_most_of_easiest(
    scores, project
):
    index = pl.read_parquet(project / "data/pack/pools/index.parquet")
    tokens = dict(
        scores.join(index, on="id")
        .group_by("pool")
        .agg(pl.col("n_tokens").sum())
        .iter_rows()
    )
    assert tokens["noise"] > 2 * tokens["good"]
    assert (
        scores["proxy_nats"].is_not_null().all()
        and scores["gradient"].is_not_null().all()
    )
    assert (
        scores.filter(pool="noise")["proxy_nats"].mean()
        < scores.filter(pool="good")["proxy_nats"].mean() - 0.1
    )


def test_a_kept_classifier_gives_the_pool_its_own_scores_again(
    project, scores, monkeypatch
):
    monkeypatch.chdir(project)
    pool = pl.read_parquet("data/ingest/pools/**/*.parquet").sort("id")
    again = score.extra_columns(
        ScoreParams(extra={"again": {"kind": "saved", "folder": "models/quality"}}),
        pool,
        pool,
        [],
    )[0]
    assert (again - scores["quality"]).abs().max() < 1e-5


def test_own_scores_are_the_users(scores, project):
    assert (scores["letters"] == scores["n_chars"]).all()
    assert scores.filter(pool="good")["stars"].is_null().all()
    sources = pl.read_parquet(project / "data/ingest/pools/noise/*.parquet").select(
        "id", line=pl.col("source").str.extract(r":(\d+)").cast(pl.Int64)
    )
    joined = scores.join(sources, on="id")
    assert len(joined) > 100 and (joined["stars"] == joined["line"] - 1).all()


def test_arms_select_by_them_with_equal_tokens(project):
    views = pl.read_parquet(project / "data/arms/views.parquet")
    for (_,), part in views.group_by("draw"):
        tokens = part.group_by("arm").agg(pl.col("n_tokens").sum())["n_tokens"]
        assert tokens.max() - tokens.min() < part["n_tokens"].max()
    share = views.group_by("arm").agg(
        noise=(pl.col("n_tokens") * (pl.col("pool") == "noise")).sum()
        / pl.col("n_tokens").sum()
    )
    noise = dict(share.iter_rows())
    assert (
        noise["easy"] == 0 and noise["hard"] > 0.9 and noise["starred"] > 0.9
    )  # pools without a column come last


def test_without_extra_the_table_is_what_it_was(project, scores, monkeypatch):
    monkeypatch.chdir(project)
    section = load_params("params.yaml", PIPELINE)["score"].model_dump() | {"extra": {}}
    before = scores.drop(*EXTRA)
    score.run(ScoreParams(**section))
    assert pl.read_parquet("data/score/scores.parquet").equals(before)
    scores.write_parquet("data/score/scores.parquet")


def test_dvc_sees_what_the_columns_read(project, monkeypatch):
    monkeypatch.chdir(project)
    section = load_params("params.yaml", PIPELINE)["score"]
    assert set(declared.stage.inputs(section)) == {
        "data/pack/pools",
        "data/pack/tokenizer.json",
        "my_letters.py",
        "raw/noise.jsonl",
        "models/ngram",
    }
    assert declared.stage.inputs(ScoreParams()) == []


def test_transport_by_its_extra(project, scores, monkeypatch):
    monkeypatch.chdir(project)
    section = ScoreParams(extra={"moves": {"kind": "transport", "max_points": 200}})
    pool, reference = (
        pl.read_parquet(f"data/ingest/{name}").sort("id")
        for name in ("pools/**/*.parquet", "reference.parquet")
    )
    try:
        column = score.extra_columns(section, pool, reference, [])[0]
    except InputError as error:
        assert "assay[transport]" in str(error)
        pytest.skip("POT is not installed")
    assert column.filter(pool["pool"] == "good").quantile(0.1) > column.filter(
        pool["pool"] == "noise"
    ).quantile(0.9)


@pytest.mark.parametrize(
    ("extra", "arm", "message"),
    [
        (
            {"p": {"kind": "perplexity"}},
            {},
            r"score.extra.p: 'kind' must be one of .*'ngram'",
        ),
        ({"p": {"order": 2}}, {}, "score.extra.p: needs 'kind'"),
        (
            {"p": {"kind": "ngram", "order": 12}},
            {},
            r"score.extra.p.*order: must be at most 8 \(value 12\)",
        ),
        (
            {"p": {"kind": "ngram", "ordre": 2}},
            {},
            r"score.extra.p.*ordre: unknown key",
        ),
        (
            {"pool": {"kind": "ngram"}},
            {},
            "score.extra: a column cannot be named 'pool'",
        ),
        (
            {"f": {"kind": "function", "function": "rate"}},
            {},
            "score.extra.f.*function.*rate",
        ),
        (
            {},
            {"by": "perplexity"},
            "arms.arms.easy.by: no score 'perplexity'; scores are quality, difficulty",
        ),
        (
            {"ppl": {"kind": "ngram"}},
            {"by": "pl"},
            "no score 'pl'; scores are quality, difficulty, ppl",
        ),
    ],
)
def test_a_mistake_in_params_is_one_line(project, tmp_path, extra, arm, message):
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["score"]["extra"] = extra
    params["arms"]["arms"] = {"easy": {"keep": 0.3, **arm}, "hard": {"keep": 0.5}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(InputError, match=message) as error:
        load_params(tmp_path / "params.yaml", PIPELINE)
    assert "\n" not in str(error.value) and "params.yaml:" in str(error.value)


def test_a_failing_column_names_its_place(project, monkeypatch):
    monkeypatch.chdir(project)
    pool = pl.read_parquet("data/ingest/pools/**/*.parquet").sort("id")
    for extra, message in (
        (
            {"kind": "saved", "folder": "models/none"},
            "score.extra.x: models/none holds no readable card.json",
        ),
        (
            {"kind": "column", "column": "stars", "files": {"web": "raw/noise.jsonl"}},
            "score.extra.x: files names the pool 'web'; the pools are good, noise",
        ),
        (
            {"kind": "function", "function": "no_such:f"},
            "score.extra.x: scorer 'no_such:f': importing no_such failed",
        ),
    ):
        with pytest.raises(InputError, match=message):
            score.extra_columns(ScoreParams(extra={"x": extra}), pool, pool, [])
    with pytest.raises(InputError, match="a document rule has this name"):
        score.extra_columns(
            ScoreParams(extra={"x": {"kind": "ngram"}}), pool, pool, ["x"]
        )


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ({"keep": 0.2}, "keep the best 20 %"),
        ({"keep": 0.2, "by": "difficulty", "take": "low"}, "keep the easiest 20 %"),
        ({"keep": 0.2, "by": "perplexity"}, "keep the 20 % highest in perplexity"),
        (
            {"keep": 0.2, "by": "perplexity", "take": "middle"},
            "keep the middle 20 % by perplexity",
        ),
        (
            {"keep": 0.2, "by": "near", "upweight": 0.5},
            "upweight the 20 % highest in near to 50 % of training",
        ),
        ({"keep": 0.2, "upweight": 0.5}, "upweight the best 20 % to 50 % of training"),
        ({"keep": 0.2, "take": "random"}, "keep a random 20 %"),
    ],
)
def test_a_decision_names_the_score(arm, words):
    assert arm_label("x", Arm(**arm).model_dump()) == words
