import numpy as np

from stages.curate.work.sorted_runs import KEY, sorted_by_first, stable_order


def test_records_are_sorted_by_key_and_equal_keys_keep_their_order():
    records = np.zeros(6, dtype=KEY)
    records["key"], records["row"] = [7, 2**63, 7, 0, 2**63, 7], range(6)
    assert sorted_by_first(records)["row"].tolist() == [3, 0, 2, 5, 1, 4]
    assert len(sorted_by_first(records[:0])) == 0


def test_the_order_of_equal_keys_is_that_of_a_stable_sort():
    rng = np.random.default_rng(0)
    for n_keys in (1, 3, 1000):
        keys = rng.integers(0, n_keys, 5000, dtype=np.uint64)
        assert (stable_order(keys) == np.argsort(keys, kind="stable")).all()
