import numpy as np
import pytest

from stages.curation.duplicates.d4 import d4, duplicate_driven
from stages.curation.duplicates.semantic import semdedup
from stages.curation.vectors.spherical import Clustering, spherical_kmeans
from stages.foundation.errors import InputError


def on_circle(*degrees):
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def one_cluster(rows, centre):
    cosine = (rows @ np.asarray(centre)).astype(np.float32)
    return Clustering(
        np.asarray([centre], np.float32), np.zeros(len(rows), np.int64), cosine
    )


def planted(n=400, copies=100, seed=0, d=32):
    """`n` originals of 8 topics, and copies of the first of them with little noise."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(8, d))[random.integers(0, 8, n)] + 0.7 * random.normal(
        size=(n, d)
    )
    rows = np.concatenate(
        [rows, rows[:copies] + 0.01 * random.normal(size=(copies, d))]
    )
    return rows, [f"{i:05d}" for i in random.permutation(n + copies)]


@pytest.mark.parametrize("keep_first", ["hard", "easy", "random"])
def test_planted_copies_are_dropped_and_nothing_else(keep_first):
    rows, ids = planted()
    found = semdedup(rows, ids, eps=0.01, keep_first=keep_first, n_clusters=8)
    for copy in range(100):
        assert found.keep[copy] + found.keep[400 + copy] == 1
        dropped, kept = (
            (copy, 400 + copy) if found.keep[400 + copy] else (400 + copy, copy)
        )
        assert found.twin[dropped] == kept and found.twin[kept] == -1
    assert found.keep[100:400].all()


def test_order_does_not_matter():
    rows, ids = planted(seed=1)
    mixed = np.random.default_rng(5).permutation(len(rows))
    for wanted in ({"eps": 0.2}, {"drop_fraction": 0.3}):
        found = semdedup(rows, ids, keep_first="random", **wanted)
        again = semdedup(
            rows[mixed], [ids[i] for i in mixed], keep_first="random", **wanted
        )
        assert found.eps == again.eps
        np.testing.assert_array_equal(found.keep[mixed], again.keep)


def test_the_end_of_a_chain_stays_if_it_is_like_no_kept_row():
    """A at 0, B at 10, C at 20 degrees, A ranked first: B goes; the published rule would drop C for
    its likeness to B.
    """
    rows = on_circle(0, 10, 20)
    found = semdedup(
        rows,
        "abc",
        eps=1 - np.cos(np.radians(12)),
        clustering=one_cluster(rows, on_circle(40)[0]),
    )
    assert found.keep.tolist() == [True, False, True] and found.twin.tolist() == [
        -1,
        0,
        -1,
    ]


def test_every_dropped_row_has_a_kept_twin_and_no_two_kept_rows_are_copies():
    rows, ids = planted(seed=2)
    found = semdedup(rows, ids, eps=0.3, n_clusters=5)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = unit @ unit.T
    dropped = np.flatnonzero(~found.keep)
    assert len(dropped) > 120 and found.keep[found.twin[dropped]].all()
    assert cosine[dropped, found.twin[dropped]].min() >= 0.7 - 1e-5
    for c in range(5):
        kept = np.flatnonzero(found.keep & (found.clustering.cluster == c))
        assert (cosine[np.ix_(kept, kept)] - np.eye(len(kept))).max() < 0.7 + 1e-5


def test_hard_keeps_the_copy_farther_from_the_centre_and_easy_the_nearer():
    rows = on_circle(10, 12)
    clustering = one_cluster(rows, on_circle(0)[0])
    assert semdedup(rows, "ab", eps=0.01, clustering=clustering).keep.tolist() == [
        False,
        True,
    ]
    assert semdedup(
        rows, "ab", eps=0.01, keep_first="easy", clustering=clustering
    ).keep.tolist() == [True, False]


@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.2, 0.5])
def test_eps_is_tuned_to_the_wanted_fraction(fraction):
    rows, ids = planted()
    found = semdedup(rows, ids, drop_fraction=fraction, n_clusters=8)
    assert found.dropped_fraction == pytest.approx(fraction, abs=0.006)
    np.testing.assert_array_equal(
        found.keep, semdedup(rows, ids, eps=found.eps, n_clusters=8).keep
    )


def test_failure_case_copies_on_two_sides_of_a_border_are_not_compared():
    rows = on_circle(44, 46, 0, 90)
    two = Clustering(
        on_circle(0, 90).astype(np.float32),
        np.array([0, 1, 0, 1]),
        np.array([0.7, 0.7, 1, 1], np.float32),
    )
    assert semdedup(rows, "abcd", eps=0.01, clustering=two).keep.all()
    assert semdedup(rows, "abcd", eps=0.01, n_clusters=1).keep.sum() == 3


def test_exact_copies_go_at_eps_zero_the_smaller_id_stays():
    rows = np.repeat(np.random.default_rng(0).normal(size=(20, 64)), 3, axis=0)
    ids = [f"{i:02d}" for i in reversed(range(60))]
    found = semdedup(rows, ids, eps=0.0, n_clusters=4)
    assert found.keep.reshape(20, 3).tolist() == [[False, False, True]] * 20


def test_wishes_that_contradict_are_named():
    rows, ids = planted(20, 5)
    with pytest.raises(InputError, match="either eps or drop_fraction"):
        semdedup(rows, ids)
    with pytest.raises(InputError, match="eps 3 is outside"):
        semdedup(rows, ids, eps=3)
    with pytest.raises(InputError, match="write 25 % as 0.25"):
        semdedup(rows, ids, drop_fraction=25)
    with pytest.raises(InputError, match="cannot keep first 'best'"):
        semdedup(rows, ids, eps=0.1, keep_first="best")


def test_d4_drops_copies_then_the_typical_and_keeps_the_product():
    """One dense topic with copies, and outliers: D4 keeps an original of each copy's cluster of the
    outliers before the topic.
    """
    random = np.random.default_rng(0)
    topic = np.eye(16)[0] + 0.05 * random.normal(size=(300, 16))
    others = random.normal(size=(100, 16))
    rows = np.concatenate(
        [topic, others, others + 1e-4 * random.normal(size=(100, 16))]
    )
    ids = [f"{i:04d}" for i in range(500)]
    found = d4(rows, ids, 0.3, r_dedup=0.6, n_clusters=10)
    assert found.keep.sum() == 150
    assert (found.reason[300:] == "copy").sum() >= 95  # one of each planted pair
    assert found.keep[300:].sum() > 90 and found.keep[:300].mean() < 0.25
    assert {*found.reason} == {"", "copy", "typical"}
    with pytest.raises(InputError, match="keep <= r_dedup"):
        d4(rows, ids, 0.8)


def test_clusters_made_by_copies_are_flagged_and_gone_after_the_second_clustering():
    random = np.random.default_rng(1)
    spread = np.eye(16)[random.integers(0, 10, 300)] + 0.15 * random.normal(
        size=(300, 16)
    )
    copies = np.eye(16)[[12] * 120] + 0.005 * random.normal(size=(120, 16))
    rows, ids = np.concatenate([spread, copies]), [f"{i:04d}" for i in range(420)]
    first = spherical_kmeans(rows, ids, 11)
    flagged = duplicate_driven(first)
    assert flagged.sum() == 1 and flagged[first.cluster[300]]
    second = d4(rows, ids, 0.6, r_dedup=0.7, n_clusters=11).second
    assert (
        first.sizes[flagged].sum() == 120
        and second.sizes[duplicate_driven(second)].sum() < 10
    )  # a few originals may lie evenly by luck
