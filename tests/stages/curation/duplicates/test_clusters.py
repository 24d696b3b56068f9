import random

import polars as pl
import pytest

from stages.curation.duplicates.clusters import (
    POLICIES,
    clusters,
    deduplicate,
    duplicates,
    exact_duplicates,
)
from stages.curation.duplicates.minhash import signatures
from stages.curation.reading.documents import documents
from stages.foundation.errors import InputError

rng = random.Random(0)
BASE = " ".join(rng.choices([f"w{i}" for i in range(2000)], k=300))
NEAR = BASE.replace(" w1", " x1", 3)
OTHER = " ".join(rng.choices([f"v{i}" for i in range(2000)], k=300))
TEXTS = {"a": BASE, "b": BASE, "c": BASE.upper() + "!", "d": NEAR, "e": OTHER}


@pytest.fixture
def frame():
    return documents(list(TEXTS.values()), list(TEXTS), "p")


def names(frame, ids):
    return sorted(frame.filter(pl.col("id").is_in(ids.implode()))["source"])


@pytest.mark.parametrize(
    ("policy", "sizes"),
    [
        ("none", [1, 1, 1, 1, 1]),
        ("exact", [1, 1, 1, 2, 2]),
        ("words", [1, 1, 3, 3, 3]),
        ("near", [1, 4, 4, 4, 4]),
        ("bands", [1, 4, 4, 4, 4]),
    ],
)
def test_each_policy_removes_more(frame, policy, sizes):
    table = clusters(signatures(frame), policy)
    assert sorted(table["cluster_size"]) == sizes
    kept, dropped = deduplicate(frame, policy)
    assert kept.height == table["cluster"].n_unique() == dropped["keep"].sum()


def test_the_smallest_id_stays_and_names_its_cluster(frame):
    table = duplicates(signatures(frame), "near")
    copies = frame.filter(pl.col("source") != "e")["id"]
    kept = table.filter("keep")
    assert copies.min() in kept["id"].to_list()
    assert (kept["cluster"] == kept["id"]).all()


def test_the_best_score_stays_where_scores_are_given(frame):
    scores = frame.select(
        "id",
        score=pl.col("source").replace_strict(
            {"a": 0.1, "b": 0.2, "c": 0.9, "d": 0.3, "e": 0.0}
        ),
    )
    kept, _ = deduplicate(frame, "near", scores=scores)
    assert names(frame, kept["id"]) == ["c", "e"]
    partial, _ = deduplicate(
        frame, "near", scores=scores.filter(pl.col("score") == 0.3)
    )
    assert names(frame, partial["id"]) == ["d", "e"]


def test_a_drop_names_the_weakest_test_that_finds_it(frame):
    scores = frame.select(
        "id",
        score=pl.col("source").replace_strict(
            {"a": 0.9, "b": 0.2, "c": 0.5, "d": 0.3, "e": 0.0}
        ),
    )
    table = (
        duplicates(signatures(frame), "near", scores)
        .join(frame.select("id", "source"), on="id")
        .sort("source")
    )
    assert table["reason"].to_list() == [None, "exact", "words", "near", None]


def test_order_and_sharding_change_nothing(frame):
    table = duplicates(signatures(frame), "near")
    shuffled = frame.sample(fraction=1, shuffle=True, seed=3)
    assert duplicates(signatures(iter([shuffled[:2], shuffled[2:]])), "near").equals(
        table
    )


def chain(n, step):
    """Versions of one text, each with `step` of 400 words changed against the one before it."""
    words = [f"w{i}" for i in range(400)]
    texts = [" ".join(words)]
    for turn in range(n - 1):
        first = turn * step % 400
        words[first : first + step] = [f"new{turn}_{k}" for k in range(step)]
        texts.append(" ".join(words))
    return documents(texts, [f"{at:03d}" for at in range(n)], "p").with_columns(
        id=pl.int_range(n).cast(pl.String).str.zfill(3)
    )


def shingles_of(text, n=5):
    words = text.split()
    return {tuple(words[at : at + n]) for at in range(len(words) - n + 1)}


def jaccard(one, other):
    one, other = shingles_of(one), shingles_of(other)
    return len(one & other) / len(one | other)


def test_a_chain_is_cut_where_its_members_are_no_longer_like_the_one_that_stays():
    """Sixty texts, each .94 like the next; bands join all of them, near only what is like a kept one."""
    frame = chain(60, 12)
    text = dict(frame.select("id", "text").iter_rows())
    assert clusters(signatures(frame), "bands")["cluster"].n_unique() == 1
    kept, table = deduplicate(frame)
    assert kept.height == 60 // 4  # three steps: .83; four: .78
    for id_, of, similarity in (
        table.filter(~pl.col("keep")).select("id", "duplicate_of", "similarity").rows()
    ):
        assert of in kept["id"].to_list()
        assert similarity >= 0.8
        assert similarity == pytest.approx(jaccard(text[id_], text[of]), abs=0.06)


def test_what_is_like_a_dropped_document_alone_stays(frame):
    table = deduplicate(chain(5, 24))[1]
    assert table["keep"].to_list() == [True, False, True, False, True]
    assert table["duplicate_of"].to_list() == [None, "000", None, "002", None]


def test_the_shingles_decide_near_the_threshold():
    """Pairs at .77 to .83: every one as its true similarity says, where sketches err in a third."""
    rng, texts, truth = random.Random(5), [], []
    for changed in range(29, 38):
        for _ in range(10):
            words = [f"w{rng.randrange(10**6)}" for _ in range(304)]
            other = words[:-changed] + [f"x{k}{len(texts)}" for k in range(changed)]
            texts += [" ".join(words), " ".join(other)]
            truth.append(jaccard(texts[-2], texts[-1]))
    frame = documents(texts, [str(at) for at in range(len(texts))], "p")
    table = deduplicate(frame)[1]
    gone = set(table.filter(~pl.col("keep"))["id"])
    found = [
        bool({a, b} & gone)
        for a, b in zip(*(frame["id"][at::2] for at in (0, 1)), strict=True)
    ]
    assert 0.3 < sum(found) / len(found) < 0.7
    assert found == [similarity >= 0.8 for similarity in truth]
    by_sketch = duplicates(signatures(frame))
    assert by_sketch["keep"].sum() != table["keep"].sum()


def test_documents_without_words_are_copies_only_of_themselves():
    frame = documents(["!!!", "!!!", "???"], list("abc"), "p")
    assert clusters(signatures(frame), "near")["cluster"].n_unique() == 2


def test_nothing_to_do_is_no_error(frame):
    empty, table = deduplicate(frame.clear(), "near")
    assert empty.height == table.height == 0


def test_mistakes_are_named(frame):
    with pytest.raises(
        InputError,
        match="no deduplication policy 'fuzzy'; known are " + ", ".join(POLICIES),
    ):
        clusters(signatures(frame), "fuzzy")
    with pytest.raises(InputError, match="occurs twice"):
        clusters(signatures(pl.concat([frame, frame[:1]])), "near")


def test_exact_duplicates_alone_are_those_of_the_policy(frame):
    expected = duplicates(signatures(frame), "exact").select("id", "keep")
    assert exact_duplicates(frame).equals(expected)
    assert exact_duplicates(frame[i] for i in reversed(range(frame.height))).equals(
        expected
    )
    assert exact_duplicates([]).height == 0
