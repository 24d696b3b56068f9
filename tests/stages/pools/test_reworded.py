"""Reworded documents: never trained on where their source is not, drawn with it, gone with it."""

import json
from pathlib import Path

import polars as pl
import pytest

from stages import arms, dedup, ingest, pack, score
from stages.curation.selecting.arm_views import resamples
from stages.curation.selecting.groups import with_groups
from stages.dedup import DedupParams
from stages.foundation.errors import InputError
from stages.handing_over.choosing.whole_pool import numbers_of, removed_ids
from stages.lineage.removal import documents_named
from stages.pack import PackParams
from stages.score import ScoreParams
from stages.settings.arms import ArmsParams
from stages.settings.pools import IngestParams

N = 120
WORDS = ("brook", "cloud", "stone", "maple", "winter", "harbour", "lantern", "copper")


def words_of(number: int, kind: str) -> str:
    """A text that no other shares five words in a row with."""
    said = [f"{WORDS[(number + k) % 8]}{kind}{number * 31 + k}" for k in range(30)]
    return " ".join(said)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """120 pages with ids of their own, and two rewordings of each, in another order."""
    monkeypatch.chdir(tmp_path)
    write("web.jsonl", [{"key": f"p{i}", "text": words_of(i, "w")} for i in range(N)])
    write("said.jsonl", reworded_rows())
    return tmp_path


def reworded_rows() -> list[dict]:
    return [
        {"of": f"p{i}", "text": words_of(i, f"r{turn}")}
        for turn in range(2)
        for i in reversed(range(N))
    ]


def write(name: str, rows: list[dict]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


WEB = {"path": "web.jsonl", "id": "key", "heldout": 0.2, "reference": 0.2}
SAID = {"path": "said.jsonl", "source": {"pool": "web", "column": "of"}}


def read(web: dict = WEB, said: dict = SAID, **more) -> None:
    # the pool that is reworded stands last, and is read first
    ingest.run(IngestParams(pools={"said": said, "web": web}, **more))


def keys(frame: pl.DataFrame) -> set[str]:
    return {source.split("#")[1] for source in frame["source"]}


def test_what_is_made_of_held_out_or_reference_text_is_never_trained_on(folder):
    read()
    trained = keys(pl.read_parquet("data/ingest/pools/web/*.parquet"))
    held = keys(pl.read_parquet("data/ingest/heldout/web.parquet"))
    assert 10 < len(held) < 45 and len(trained) + len(held) < N
    said = pl.read_parquet("data/ingest/pools/said/*.parquet")
    names = {row["text"]: row["of"] for row in reworded_rows()}
    assert sorted(names[text] for text in said["text"]) == sorted([*trained] * 2)
    dropped = pl.read_parquet("data/ingest/dropped.parquet").filter(pool="said")
    reasons = dict(dropped["reason"].value_counts().iter_rows())
    assert reasons == {
        "source held out": 2 * len(held),
        "source in the reference": 2 * (N - len(trained) - len(held)),
    }


def test_a_source_that_repeats_held_out_text_takes_its_rewordings_along(folder):
    read()
    held = pl.read_parquet("data/ingest/heldout/web.parquet")
    copied = pl.read_parquet("data/ingest/pools/web/*.parquet")["source"][0]
    name = copied.split("#")[1]
    rows = [json.loads(line) for line in Path("web.jsonl").read_text().splitlines()]
    for row in rows:
        if row["key"] == name:
            row["text"] = held["text"][0]
    write("web.jsonl", rows)
    read()
    dropped = pl.read_parquet("data/ingest/dropped.parquet")
    assert dropped.filter(reason="source repeats held-out text").height == 2
    names = {row["text"]: row["of"] for row in reworded_rows()}
    said = pl.read_parquet("data/ingest/pools/said/*.parquet")
    assert name not in {names[text] for text in said["text"]}


def test_a_removed_document_takes_its_rewordings_along(folder):
    read()
    source = pl.read_parquet("data/ingest/pools/web/*.parquet")["source"][0]
    Path("gone.txt").write_text(source.split("#")[1] + "\n")
    before = pl.read_parquet("data/ingest/pools/said/*.parquet").height
    read(removed="gone.txt")
    said = pl.read_parquet("data/ingest/pools/said/*.parquet")
    assert said.height == before - 2
    texts = set(pl.read_parquet("data/ingest/dropped.parquet")["text"])
    names = {row["text"]: row["of"] for row in reworded_rows()}
    assert source.split("#")[1] not in {names[text] for text in [*said["text"], *texts]}


def test_what_was_made_of_a_document_is_named_with_it(folder):
    read()
    web = pl.read_parquet("data/ingest/pools/web/*.parquet")
    entry = web["source"][0].split("#")[1]
    named = documents_named(frozenset([entry]))
    names = {row["text"]: row["of"] for row in reworded_rows()}
    said = pl.read_parquet("data/ingest/pools/said/*.parquet")
    made = [
        row["id"] for row in said.iter_rows(named=True) if names[row["text"]] == entry
    ]
    assert sorted(named["id"]) == sorted([web["id"][0], *made]) and len(made) == 2
    assert named["entry"].unique().to_list() == [entry]
    assert sorted(removed_ids(frozenset([entry]))) == sorted(numbers_of(named["id"]))


def test_passages_go_with_the_whole_document(folder):
    paragraphs = [
        {
            "key": f"p{i}",
            "text": "\n\n".join(words_of(1000 * k + i, "w") for k in range(4)),
        }
        for i in range(N)
    ]
    write("web.jsonl", paragraphs)
    read(passage_chars=300)
    held = pl.read_parquet("data/ingest/heldout/web.parquet")
    assert held["id"].n_unique() > held["parent"].n_unique()
    said = pl.read_parquet("data/ingest/pools/said/*.parquet")
    assert not set(said["origin"]) & set(held["parent"])
    web = pl.read_parquet("data/ingest/pools/web/*.parquet")
    assert set(said["origin"]) == set(web["parent"])


@pytest.mark.parametrize("passage_chars", [None, 300])
def test_a_resample_holds_a_source_with_all_its_rewordings(folder, passage_chars):
    read(passage_chars=passage_chars)
    dedup.run(DedupParams())
    pools = pl.read_parquet("data/ingest/pools/**/*.parquet")
    clusters = with_groups(pl.read_parquet("data/dedup/clusters.parquet"))
    table = pools.join(clusters.drop("origin"), on="id")
    table = table.with_columns(
        n_tokens="n_chars", whole=pl.coalesce("origin", "parent")
    ).sort("id")
    total = int(table["n_tokens"].sum())
    drawn, disjoint = resamples(table, total // 4, draws=3, seed=1)
    assert disjoint
    for part in drawn:
        assert abs(part["n_tokens"].sum() / (total // 4) - 1) < 0.15
        shares = part.group_by("pool").agg(pl.col("n_tokens").sum()).sort("pool")
        of_all = table.group_by("pool").agg(pl.col("n_tokens").sum()).sort("pool")
        assert (shares["n_tokens"] / of_all["n_tokens"] - 0.25).abs().max() < 0.06
        own = part.group_by("whole").len().sort("whole")
        every = table.join(own.select("whole"), on="whole", how="semi")
        assert own.equals(every.group_by("whole").len().sort("whole"))
    wholes = [set(part["whole"]) for part in drawn]
    assert not (wholes[0] & wholes[1] or wholes[1] & wholes[2] or wholes[0] & wholes[2])


def test_names_may_be_numbers_or_the_line(folder):
    write("web.jsonl", [{"key": i, "text": words_of(i, "w")} for i in range(N)])
    write(
        "said.jsonl",
        [{"of": 7, "text": words_of(7, "r")}, {"of": 8, "text": "other words"}],
    )
    read(web=WEB | {"heldout": 0.01, "reference": 0.02})
    by_id = pl.read_parquet("data/ingest/pools/said/*.parquet")["origin"]
    rows = [{"of": f"web.jsonl:{line}", "text": words_of(line, "r")} for line in (8, 9)]
    write("said.jsonl", rows)
    read(web={"path": "web.jsonl", "heldout": 0.01, "reference": 0.02})
    said = pl.read_parquet("data/ingest/pools/said/*.parquet")
    web = pl.read_parquet("data/ingest/pools/web/*.parquet")
    assert by_id.len() == 2
    sources = web.filter(pl.col("id").is_in(said["origin"].implode()))["source"]
    assert sorted(sources) == ["web.jsonl:8", "web.jsonl:9"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"of": "p1", "text": "a b"}, {"of": "q", "text": "c d"}],
            "1 documents name no document of the pool web, the first names 'q'",
        ),
        ([{"of": None, "text": "a b"}], "the first names nothing"),
    ],
)
def test_a_source_that_is_not_there_is_refused_in_one_line(folder, rows, message):
    write("said.jsonl", rows)
    with pytest.raises(InputError, match=message) as refused:
        read()
    assert "\n" not in str(refused.value)
    assert not (folder / "data/ingest").exists()


def test_a_name_of_two_documents_is_refused(folder):
    Path("more").mkdir()
    write(
        "more/a.jsonl", [{"key": f"p{i}", "text": words_of(i, "w")} for i in range(N)]
    )
    write(
        "more/b.jsonl", [{"key": f"p{i}", "text": words_of(i, "v")} for i in range(N)]
    )
    with pytest.raises(InputError, match="names 2 documents of the pool web"):
        read(web=WEB | {"path": "more"})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            SAID | {"source": {"pool": "wbe", "column": "of"}},
            "names 'wbe'; other pools are web",
        ),
        (SAID | {"source": {"pool": "said", "column": "of"}}, "other pools are web"),
        (SAID | {"heldout": 0.1}, "set apart as its sources are"),
        (SAID | {"source": {"pool": "web", "column": "text"}}, "holds something else"),
        (
            {"extract": "wiki", "source": {"pool": "web", "column": "of"}},
            "only your own files",
        ),
    ],
)
def test_what_a_reworded_pool_cannot_have_is_said_before_any_work(said, message):
    with pytest.raises(ValueError, match=message):
        IngestParams(pools={"said": said, "web": WEB})


def test_a_pool_without_a_source_is_written_as_before():
    pool = IngestParams(pools={"web": WEB}).pools["web"]
    assert not {"source"} & set(pool.model_dump())


def test_the_stages_behind_carry_it_to_the_views_and_the_ledger(folder):
    read()
    dedup.run(DedupParams())
    pack.run(PackParams(vocab_size=300, tokenizer_chars=10_000, heldout_tokens=1_000))
    score.run(ScoreParams(folds=2, prototypes=4))
    settings = {"all": {}, "mixed": {"mixture": {"web": 0.5, "said": 0.5}}}
    questions = {"q": {"title": "?", "arms": ["all", "mixed"]}}
    arms.run(ArmsParams(draws=2, draw_tokens=4_000, arms=settings, questions=questions))
    views = pl.read_parquet("data/arms/views.parquet")
    pools = pl.read_parquet("data/ingest/pools/**/*.parquet")
    whole = pools.select("id", whole=pl.coalesce("origin", "parent"))
    held = views.filter(arm="all").join(whole, on="id")
    first, second = (set(held.filter(draw=draw)["whole"]) for draw in range(2))
    assert first and second and not first & second
    reasons = set(pl.read_csv("data/arms/ledger.csv")["reason"].drop_nulls())
    assert {"source held out", "source in the reference"} <= reasons
