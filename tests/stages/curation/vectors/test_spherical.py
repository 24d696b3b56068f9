import numpy as np
import pytest

from stages.curation.vectors.products import close_pairs, nearest, unit_rows
from stages.curation.vectors.spherical import assign, cluster_count, spherical_kmeans
from stages.foundation.errors import InputError


def topics(n=600, k=6, d=24, spread=0.15, seed=0):
    random = np.random.default_rng(seed)
    label = random.integers(0, k, n)
    return (
        random.normal(size=(k, d))[label] + spread * random.normal(size=(n, d)),
        label,
        [f"{i:04d}" for i in range(n)],
    )


def test_planted_topics_are_found():
    rows, label, ids = topics()
    found = spherical_kmeans(rows, ids, 6)
    assert [len(np.unique(label[found.cluster == c])) for c in range(6)] == [1] * 6
    np.testing.assert_allclose(np.linalg.norm(found.centres, axis=1), 1, atol=1e-5)
    assert found.sizes.sum() == 600 and found.distance.max() < 0.2


def test_order_of_the_rows_and_their_length_do_not_matter():
    rows, _, ids = topics(spread=1.5)
    found = spherical_kmeans(rows, ids, 20, seed=3)
    mixed = np.random.default_rng(1).permutation(len(rows))
    again = spherical_kmeans(rows[mixed], [ids[i] for i in mixed], 20, seed=3)
    np.testing.assert_array_equal(found.centres, again.centres)
    np.testing.assert_array_equal(found.cluster[mixed], again.cluster)
    # a power of two, so that scaling back is exact
    longer = spherical_kmeans(rows * 4, ids, 20, seed=3)
    np.testing.assert_array_equal(found.cluster, longer.cluster)


def test_other_rows_go_to_the_centres_found_before():
    rows, _, ids = topics()
    found = spherical_kmeans(rows[:300], ids[:300], 6)
    later = assign(rows[300:], found.centres)
    np.testing.assert_array_equal(
        later.cluster, (unit_rows(rows[300:]) @ found.centres.T).argmax(axis=1)
    )


def test_as_many_clusters_as_distinct_rows_and_no_more_clusters_than_rows():
    rows = np.repeat(np.eye(4), 5, axis=0)
    found = spherical_kmeans(rows, range(20), 4)
    assert sorted(found.sizes) == [5, 5, 5, 5] and found.distance.max() < 1e-6
    with pytest.raises(InputError, match="21 clusters of 20 rows"):
        spherical_kmeans(rows, range(20), 21)
    with pytest.raises(InputError, match="10 of 20 ids occur twice"):
        spherical_kmeans(rows, [*range(10)] * 2, 4)
    assert cluster_count(10_000) == 100


def test_products_on_a_torch_device_agree_with_numpy():
    rows, _, _ = topics(400)
    rows = unit_rows(rows)
    ours, theirs = close_pairs(rows, 0.9), close_pairs(rows, 0.9, "cpu:0")
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])
    np.testing.assert_array_equal(
        nearest(rows, rows[:7])[0], nearest(rows, rows[:7], "cpu:0")[0]
    )
    with pytest.raises(InputError, match="device 'nowhere' cannot be used"):
        nearest(rows, rows[:7], "nowhere")


def test_close_pairs_are_all_pairs_over_block_borders(monkeypatch):
    from stages.curation.vectors import products as vectors

    rows = unit_rows(topics(90)[0])
    monkeypatch.setattr(vectors, "BLOCK_CELLS", 17 * 90)
    earlier, later, cosine = close_pairs(rows, 0.8)
    full = np.tril(rows @ rows.T, -1)
    assert {*zip(later.tolist(), earlier.tolist(), strict=False)} == {
        *zip(*(part.tolist() for part in np.nonzero(full >= 0.8 - 1e-6)), strict=False)
    }
    np.testing.assert_allclose(cosine, full[later, earlier], atol=1e-6)


def test_bad_embeddings_are_named():
    with pytest.raises(InputError, match="row 1 is not finite"):
        unit_rows(np.array([[1.0, 2.0], [np.nan, 0.0]]))
    with pytest.raises(InputError, match="rows and columns"):
        unit_rows(np.zeros(3))
    assert (unit_rows(np.zeros((2, 3))) == 0).all()
