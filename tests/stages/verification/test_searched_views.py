"""What a search names as views: shares of the tokens, and uses of tiers, counted by hand."""

import polars as pl
import pytest

from stages.verification.searched_views import distinct, searched_views

# two resamples; row, pool, tier, tokens
DOCUMENTS = [
    (0, "web", 0, 30),
    (1, "web", 1, 70),
    (2, "code", 0, 20),
    (3, "code", 1, 30),
]


def views(**arms):
    """arm -> the rows that it holds, in both resamples with a weight of its own."""
    return pl.DataFrame(
        {
            "arm": arm,
            "draw": draw,
            "id": f"d{row}",
            "row": row + 10 * draw,
            "weight": 7.0,
            "tier": tier,
            "pool": pool,
            "n_tokens": n_tokens,
        }
        for arm, rows in arms.items()
        for draw in (0, 1)
        for row, pool, tier, n_tokens in DOCUMENTS
        if row in rows
    )


def shares(table, key):
    used = table.with_columns(used=pl.col("weight") * pl.col("n_tokens"))
    sums = dict(used.group_by(key).agg(pl.col("used").sum()).iter_rows())
    return {name: each / sum(sums.values()) for name, each in sums.items()}


def test_a_mixture_has_its_shares_in_each_resample(searched_record):
    record = searched_record(
        "mixture",
        {"web": 0.25, "code": 0.75},
        {"web": 2 / 3, "code": 1 / 3},
        {"web": 1.0, "code": 0.0},
    )
    # no arm of the sweep has all documents; `other` is of another question
    swept = views(**{"q-0": {0, 1}, "q-1": {2, 3}, "other": {0}})
    table = searched_views(record, ["q-0", "q-1"], swept, ["best", "rest"])
    assert table.columns == swept.columns
    assert set(table["arm"]) == {"q:proposal", "q:reference", "q:best_run"}
    for draw in (0, 1):
        own = table.filter(arm="q:proposal", draw=draw)
        assert own["row"].to_list() == [10 * draw + row for row in range(4)]
        assert shares(own, "pool") == pytest.approx({"web": 0.25, "code": 0.75})
        assert own["weight"].min() == 1.0
        alone = table.filter(arm="q:best_run", draw=draw)
        assert set(alone["pool"]) == {"web"} and set(alone["weight"]) == {1.0}


def test_a_curve_uses_tiers_in_proportion_and_leaves_out_what_it_drops(searched_record):
    record = searched_record(
        "upsampling",
        {"best": 6.0, "rest": 1.5},
        {"best": 3.0, "rest": 3.0},
        {"best": 6.0, "rest": 0.0},
    )
    table = searched_views(
        record, ["q-0"], views(**{"q-0": {0, 1, 2, 3}}), ["best", "rest"]
    )
    weights = dict(
        table.filter(arm="q:proposal").select("tier", "weight").unique().iter_rows()
    )
    assert weights[0] == 4 * weights[1]
    assert set(table.filter(arm="q:best_run")["tier"]) == {0}
    flat = table.filter(arm="q:reference")
    assert flat["weight"].n_unique() == 1 and len(flat) == 8


def test_what_is_the_same_data_is_trained_once(searched_record):
    same = searched_record(
        "mixture", {"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.5}, {"a": 1.0}
    )
    assert distinct(same) == ["proposal", "best_run"]
    # uses of another number of tokens, in the same proportions
    scaled = searched_record(
        "upsampling", {"a": 4.0, "b": 2.0}, {"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 1.0}
    )
    assert distinct(scaled) == ["proposal", "reference"]
