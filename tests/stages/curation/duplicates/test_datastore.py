"""Post-hoc equals pre-hoc: filtering after retrieval gives what an index of the filtered datastore gives."""

import numpy as np
import polars as pl
import pytest

from stages.curation.duplicates.datastore import (
    Datastore,
    after_retrieval,
    candidates,
    members,
    merged,
    shortfall,
)
from stages.curation.reading.documents import document_id, uniform
from stages.foundation.errors import InputError

N, Q, K = 1500, 60, 300


@pytest.fixture(scope="module")
def world():
    """1,500 documents, a fifth of them copies of others, some filtered out; 60 queries."""
    rng = np.random.default_rng(0)
    ids = [document_id("p", str(i)) for i in range(N)]
    cluster = [ids[i // 5] if i % 5 == 0 else ids[i] for i in range(N)]
    base = {name: rng.standard_normal(8) for name in set(cluster)}
    vectors = np.stack([base[name] for name in cluster])  # copies have one embedding
    documents = pl.DataFrame(
        {"id": ids, "cluster": cluster, "passes": uniform(1, ids, "filter") < 0.7}
    )
    return documents, vectors, rng.standard_normal((Q, 8))


def before_retrieval(world, store, k):
    documents, vectors, queries = world
    inside = np.isin(
        documents["id"].to_numpy(), members(documents, store)["id"].to_numpy()
    )
    found = candidates(
        queries, vectors[inside], documents.filter(inside)["id"].to_list(), k
    )
    return found.with_columns(rank=pl.int_range(pl.len()).over("query")).sort(
        "query", "rank"
    )


@pytest.mark.parametrize(
    "store",
    [
        Datastore(),
        Datastore(deduplicate=False),
        *(Datastore(fraction=f, seed=s) for f in (0.5, 0.1, 0.02) for s in (0, 1)),
    ],
)
def test_after_retrieval_equals_before(world, store):
    documents, vectors, queries = world
    wide = candidates(queries, vectors, documents["id"].to_list(), K)
    after, before = (
        after_retrieval(wide, documents, store, 3),
        before_retrieval(world, store, 3),
    )
    exact = after.queries.filter("is_exact").select("query")
    assert after.found.join(exact, on="query", how="semi").equals(
        before.join(exact, on="query", how="semi")
    )
    assert exact.height == Q or store.fraction < 0.1
    everything = candidates(queries, vectors, documents["id"].to_list(), N)
    whole = after_retrieval(everything, documents, store, 3)
    assert whole.short == whole.expected_short == 0
    assert whole.found.equals(before)


def test_the_shortfall_is_what_was_expected(world):
    documents, vectors, queries = world
    wide = candidates(queries, vectors, documents["id"].to_list(), K)
    alone = documents.drop("cluster", "passes")
    found = [
        after_retrieval(wide, alone, Datastore(fraction=0.01, seed=seed), 3)
        for seed in range(40)
    ]
    assert 0.3 < found[0].expected_short < 0.6
    assert np.mean([one.short for one in found]) == pytest.approx(
        np.mean([one.expected_short for one in found]), abs=0.06
    )
    assert shortfall(1000, 0.1, 3) < 1e-10 and shortfall(10, 0.0, 1) == 1


def test_one_datastore_for_all_queries_and_smaller_ones_inside_larger(world):
    documents, vectors, queries = world
    wide = candidates(queries, vectors, documents["id"].to_list(), K)
    small, large = (
        {
            *after_retrieval(
                wide, documents, Datastore(fraction=f, deduplicate=False), 5
            ).found["id"]
        }
        for f in (0.1, 0.3)
    )
    small_store, large_store = (
        {*members(documents, Datastore(fraction=f, deduplicate=False))["id"]}
        for f in (0.1, 0.3)
    )
    assert small <= small_store < large_store and large <= large_store
    inside = members(
        documents.drop("cluster", "passes"), Datastore(fraction=0.3)
    ).height
    assert inside / N == pytest.approx(0.3, abs=0.04)


def test_when_the_kept_copy_leaves_the_next_comes_in(world):
    documents, _, _ = world
    for seed in range(3):
        store = Datastore(fraction=0.4, seed=seed)
        drawn = documents.filter(
            pl.Series(uniform(seed, documents["id"], "datastore") < 0.4)
            & pl.col("passes")
        )
        assert members(documents, store).height == drawn["cluster"].n_unique()


def test_shards_merge_to_the_whole(world):
    documents, vectors, queries = world
    ids = documents["id"].to_list()
    parts = [candidates(queries, vectors[i::3], ids[i::3], 50) for i in range(3)]
    whole = candidates(queries, vectors, ids, 50)
    assert merged(parts, 50).equals(whole)


def test_mistakes_are_named():
    with pytest.raises(InputError, match="fraction 20 is outside 0 to 1"):
        Datastore(fraction=20)
