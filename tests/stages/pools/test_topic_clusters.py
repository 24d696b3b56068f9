"""Two topics that were planted are found as clusters and named by their words."""

import random

import polars as pl
import pytest

from stages.arms import require_documents
from stages.foundation.errors import InputError
from stages.pools.topic_clusters import topic_clusters
from stages.settings.arms import Arm

SPORT = "goal match league striker keeper stadium season".split()
MONEY = "stocks shares market bank yields bonds trader".split()
USUAL = "the of and to in that with was were from this have".split()


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Two files of 40 documents, each half about sport (ids s...) and half about money."""
    folder, rng = tmp_path_factory.mktemp("pool"), random.Random(1)
    files = []
    for part in range(2):
        rows = []
        for at in range(40):
            topic, words = ("s", SPORT) if at % 2 else ("m", MONEY)
            text = " ".join(rng.choices(words, k=12) + rng.choices(USUAL, k=20))
            rows.append(
                {"id": f"{topic}{part}{at:02d}", "text": text, "n_chars": len(text)}
            )
        files.append(folder / f"{part}.parquet")
        pl.DataFrame(rows).write_parquet(files[-1])
    return files


def test_planted_topics_are_clusters_named_by_their_words(shards):
    found = topic_clusters(shards, 2, seed=1)
    assert found["id"].is_sorted() and len(found) == 80
    by_topic = found.group_by(topic=pl.col("id").str.head(1)).agg(
        pl.col("cluster").unique()
    )
    named = dict(by_topic.iter_rows())
    assert all(len(clusters) == 1 for clusters in named.values())
    assert len(named["s"][0].split("-")) == 3
    assert set(named["s"][0].split("-")) < set(SPORT)
    assert set(named["m"][0].split("-")) < set(MONEY)


def test_order_and_sharding_change_nothing_and_names_are_free(shards, tmp_path):
    found = topic_clusters(shards, 2, seed=1)
    whole = pl.concat([pl.read_parquet(shard) for shard in shards])
    whole.sort("id", descending=True).write_parquet(tmp_path / "one.parquet")
    assert topic_clusters([tmp_path / "one.parquet"], 2, seed=1).equals(found)
    taken = found["cluster"][0]
    again = topic_clusters(shards, 2, seed=1, taken=[taken])
    other = again["cluster"][0]
    assert other != taken and other.split("-")[:2] == taken.split("-")[:2]
    assert (again["cluster"] == other).equals(found["cluster"] == taken)


def test_more_clusters_than_documents_are_refused(shards):
    with pytest.raises(InputError, match="80 documents make no 81 clusters"):
        topic_clusters(shards, 81, seed=1)


def test_a_resample_without_a_cluster_is_refused():
    rows = [("mix", "a", "goal"), ("mix", "b", "stock")]
    topics = pl.DataFrame(rows, schema=["question", "id", "cluster"], orient="row")
    arm = Arm(mixture={"goal": 0.5, "stock": 0.5}, clusters_of="mix")
    both = pl.DataFrame({"pool": ["goal", "stock"]})
    require_documents(arm, both, topics)
    with pytest.raises(
        InputError, match=r"questions.mix.clusters: .* no document of .* 'stock'"
    ):
        require_documents(arm, both.head(1), topics)
