"""Deduplication policies through the stages: planted copies of each kind, and what an arm of each policy trains on."""

import random

import polars as pl
import pytest
import yaml

from stages.curation.duplicates.clusters import SHORTENED
from stages.curation.reading.documents import documents
from stages.dedup import DedupParams, near_clusters
from stages.foundation.stage import ROOT
from stages.proxy.tokens.packed import Packed

POLICIES = ("none", "exact", "words", "near", "bands", "semantic", "lines")
SHARED = "This very sentence stands in a good many documents of the pool."
N = 240


def written(rng, kind):
    """Sixty words out of a thousand, so that no two texts are alike by chance."""
    return (
        " ".join(
            rng.choices(
                [
                    f"{kind}{a}{b}{c}"
                    for a in "bdfghklmnp"
                    for b in "aeiouyrstv"
                    for c in "bdfghklmnp"
                ],
                k=60,
            )
        ).capitalize()
        + "."
    )


def planted(rng):
    """name -> text: originals, and of some of them copies of each kind."""
    texts = {f"own {i}": written(rng, "web") for i in range(N)}
    for i in range(20):
        texts[f"exact {i}"] = texts[f"own {i}"]
        texts[f"words {i}"] = texts[f"own {i + 20}"].upper() + " !"
        words = texts[f"own {i + 40}"].split()
        texts[f"near {i}"] = " ".join([*words, "andonemore"])
        shuffled = texts[f"own {i + 60}"].lower().removesuffix(".").split()
        rng.shuffle(shuffled)
        texts[f"semantic {i}"] = " ".join(shuffled)
        texts[f"own {i + 80}"] += f"\n{SHARED}"
    texts["only shared"] = SHARED
    return texts


@pytest.fixture(scope="module")
def project(tmp_path_factory, run_stages):
    folder, rng = tmp_path_factory.mktemp("policies"), random.Random(0)
    (folder / "raw").mkdir()
    pl.DataFrame(
        [{"name": name, "text": text} for name, text in planted(rng).items()]
    ).write_ndjson(folder / "raw/web.jsonl")
    pl.DataFrame([{"text": written(rng, "good")} for i in range(120)]).write_ndjson(
        folder / "raw/good.jsonl"
    )
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["ingest"]["pools"] = {
        "web": {"path": "raw/web.jsonl", "id": "name"},
        "good": {"path": "raw/good.jsonl", "heldout": 0.3, "reference": 0.7},
    }
    params["dedup"] |= {"semantic": {"eps": 0.02}, "lines": {}, "fineweb": {}}
    params["fit"]["domain"] = None  # the demo's is not here
    params["pack"] |= {"vocab_size": 300, "heldout_tokens": 1000}
    params["score"] |= {"folds": 2, "prototypes": 8}
    params["arms"] |= {
        "draws": 2,
        "draw_tokens": 20_000,
        "controls": {},
        "arms": {name: {"dedup": name} for name in POLICIES},
        "questions": {
            "copies": {"title": "Which copies should go?", "arms": list(POLICIES)}
        },
    }
    return run_stages(folder, params, "arms")


@pytest.fixture(scope="module")
def clusters(project):
    pool = pl.read_parquet(project / "data/ingest/pools/**/*.parquet").select(
        "id", name=pl.col("source").str.split("#").list.last()
    )
    return pl.read_parquet(project / "data/dedup/clusters.parquet").join(pool, on="id")


@pytest.mark.parametrize("kind", ["exact", "words", "near"])
def test_planted_copies_are_in_the_cluster_of_what_they_copy(clusters, kind):
    cluster = dict(clusters.select("name", "cluster").iter_rows())
    offset = {"exact": 0, "words": 20, "near": 40}[kind]
    assert all(
        cluster[f"{kind} {i}"] == cluster[f"own {i + offset}"] for i in range(20)
    )


def test_what_goes_is_like_what_stays_and_names_it(clusters):
    stays = set(clusters.filter("is_first")["id"])
    gone = clusters.filter(pl.col("is_first").not_())
    assert set(gone["duplicate_of"]) <= stays and gone["similarity"].min() >= 0.8
    near = gone.filter(duplicate="near")
    assert near["similarity"].to_list() == pytest.approx([56 / 57] * 20, abs=0.06)


@pytest.fixture
def licensed(tmp_path):
    """A pool of 40 texts under one licence (.53), 20 copies of one text and 140 texts of their own."""
    rng = random.Random(1)
    licence = " ".join(rng.choices([f"licence{i}" for i in range(500)], k=140))
    texts = [f"{licence} {written(rng, 'own')}" for _ in range(40)]
    base = written(rng, "web")
    texts += [f"{base} {i}" for i in range(21)]
    texts += [written(rng, "web") for _ in range(139)]
    shard = tmp_path / "web.parquet"
    documents(texts, [str(at) for at in range(200)], "web").write_parquet(shard)
    return [shard]


def test_documents_under_one_licence_stay_and_the_licence_is_named(licensed, caplog):
    with caplog.at_level("WARNING", "assay"):
        table = near_clusters(licensed, DedupParams())
    assert table["is_first"].sum() == 180
    assert table["duplicate_of"].drop_nulls().n_unique() == 1
    cluster, shared = (record.getMessage() for record in caplog.records)
    assert cluster.startswith("dedup: web: 20 (10 %) go as copies of ")
    assert shared.startswith("dedup: web: at least ") and "'licence" in shared


def test_a_pool_that_loses_much_is_named(licensed, caplog):
    limits = DedupParams(warn_lost=0.1, warn_cluster=1, warn_shared=1)
    with caplog.at_level("WARNING", "assay"):
        near_clusters(licensed, limits)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("dedup: web: 20 of 200 documents (10 %) go as copies")


def test_planted_semantic_copies_are_found_and_nothing_else(clusters):
    twin = dict(
        clusters.filter(pl.col("semantic_of").is_not_null())
        .select("name", "semantic_of")
        .iter_rows()
    )
    name = dict(clusters.select("id", "name").iter_rows())
    pairs = {frozenset((copy, name[of])) for copy, of in twin.items()}
    assert pairs == {frozenset((f"semantic {i}", f"own {i + 60}")) for i in range(20)}


def test_each_policy_trains_on_what_it_leaves(project, clusters):
    views = pl.read_parquet(project / "data/arms/views.parquet").with_columns(
        id=pl.col("id").str.strip_suffix(SHORTENED)
    )
    named = views.join(clusters.select("id", "name"), on="id")
    for (_,), draw in named.group_by("draw"):
        documents = {
            arm: part["id"].n_unique() for (arm,), part in draw.group_by("arm")
        }
        assert (
            documents["none"]
            > documents["exact"]
            > documents["words"]
            > documents["near"]
            > documents["semantic"]
        )
        tokens = dict(draw.group_by("arm").agg(pl.col("n_tokens").sum()).iter_rows())
        assert (
            tokens["near"] > tokens["lines"]
            and documents["near"] - documents["lines"] <= 1
        )  # the document that is nothing but the shared line
        for (arm,), part in draw.group_by("arm"):
            kinds = part["name"].str.split(" ").list.first()
            both = (
                part.filter(kinds == "semantic")["name"]
                .str.replace("semantic ", "")
                .cast(pl.Int64)
                + 60
            )
            if arm == "semantic":
                assert not set("own " + both.cast(pl.String)) & set(part["name"])


def test_copies_and_what_they_copy_come_into_a_draw_together(project, clusters):
    views = (
        pl.read_parquet(project / "data/arms/views.parquet")
        .filter(arm="none")
        .join(clusters, on="id")
    )
    draw_of = dict(views.select("id", "draw").iter_rows())
    pairs = (
        views.filter(pl.col("semantic_of").is_not_null())
        .select("id", "semantic_of")
        .rows()
    )
    assert len(pairs) > 5 and all(draw_of[copy] == draw_of[of] for copy, of in pairs)


def test_a_line_stands_in_one_document_alone(project):
    from tokenizers import Tokenizer

    packed, tokenizer = (
        Packed.open(project / "data/pack/pools"),
        Tokenizer.from_file(str(project / "data/pack/tokenizer.json")),
    )
    views = pl.read_parquet(project / "data/arms/views.parquet")
    assert views.filter(arm="lines")["id"].str.ends_with(SHORTENED).sum() > 5
    holding = {
        arm: sum(
            SHARED in tokenizer.decode(packed.document(row).tolist())
            for row in part["row"]
        )
        for (arm,), part in views.group_by("arm")
    }
    assert holding["near"] > 10 and holding["lines"] <= 1
    sizes = views.filter(arm="lines").select("row", "n_tokens").rows()
    assert all(packed.n_tokens_each[row] == n_tokens for row, n_tokens in sizes)


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        (
            "dedup",
            {"semantic": None},
            (
                "arms.arms.semantic.dedup: the dedup stage does not look for semantic;"
                " add to its section `semantic: {}`"
            ),
        ),
        (
            "dedup",
            {"lines": None},
            "arms.arms.lines.dedup: the dedup stage does not look for lines",
        ),
        (
            "dedup",
            {"semantic": {"eps": 0.1, "drop_fraction": 0.1}},
            "dedup.semantic: give eps or drop_fraction, not both",
        ),
        (
            "dedup",
            {"semantic": {"eps": 3}},
            r"dedup.semantic.eps: must be at most 2.0 \(value 3\)",
        ),
        (
            "dedup",
            {"lines": {"unit": "word"}},
            "dedup.lines.unit: must be one of 'line' or 'paragraph'",
        ),
        (
            "arms",
            {
                "arms": {"a": {"dedup": "minhash"}, "b": {}},
                "questions": {"q": {"title": "?", "arms": ["a", "b"]}},
            },
            "arms.arms.a.dedup: must be one of",
        ),
    ],
)
def test_a_mistake_in_params_is_one_line(project, refused, section, change, message):
    params = yaml.safe_load((project / "params.yaml").read_text())
    params[section] |= change
    refused(params, message)
