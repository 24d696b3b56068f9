"""A very large table is thinned with a word, evenly within each arm, and its ends stay."""

import polars as pl

from stages.run_columns.thinned import MOST_ROWS, thinned


def test_a_table_of_usual_size_is_left_as_it_is():
    table = pl.DataFrame({"flops": [1.0, 2.0]})
    assert thinned(table, "t") == (table, [])


def test_every_arm_keeps_its_share_and_its_ends_and_it_is_said():
    n = 3 * MOST_ROWS
    table = pl.DataFrame(
        {
            "n_params": [1e8] * n,
            "n_tokens_seen": [float(at + 1) for at in range(n)],
            "data": ["a", "b", "b"] * MOST_ROWS,
        }
    )
    kept, [warning] = thinned(table, "runs.csv", "data")
    counts = dict(kept["data"].value_counts().iter_rows())
    assert kept.height == MOST_ROWS
    assert abs(counts["a"] - MOST_ROWS / 3) <= 1
    assert kept["n_tokens_seen"].is_sorted()
    assert kept["n_tokens_seen"].to_list()[:1] == [1.0]
    assert kept["n_tokens_seen"].to_list()[-1] == float(n)
    assert warning["code"] == "thinned" and "30,000 rows" in warning["message"]
