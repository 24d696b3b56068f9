"""Containment of tables: the planted graph is found, no true pair is lost, and what is deleted comes back."""

import datetime
import itertools

import numpy as np
import polars as pl
import pytest

from stages.curation.duplicates.containment import (
    containment_graph,
    read_tables,
    same_columns,
    within_statistics,
)
from stages.curation.duplicates.reconstruction import (
    Prices,
    deletion_plan,
    rebuild,
    write_recipe,
)
from stages.foundation.errors import InputError, RefusedError

N = 3000


def base(seed):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "key": rng.integers(0, 10**9, N),
            "value": rng.normal(size=N),
            "word": [f"w{i}" for i in rng.integers(0, 500, N)],
            "day": [
                datetime.date(2024, 1, 1) + datetime.timedelta(days=int(d))
                for d in rng.integers(0, 400, N)
            ],
            "maybe": [None if i % 7 == 0 else i for i in range(N)],
        }
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """whole > half > tenth, a copy, two columns of it, a near copy with 5 % changed, strangers, an
    empty one, a nested one.
    """
    folder, whole = tmp_path_factory.mktemp("lake"), base(0)
    frames = {
        "half": whole.filter(pl.col("value") > 0),
        "tenth": whole.filter(pl.col("value") > 1.2816).reverse(),
        "copy": whole.sample(fraction=1, shuffle=True, seed=1),
        "columns": (
            whole.select("word", "key")
            .head(1000)
            .with_columns(pl.col("key").cast(pl.Int32))
        ),
        "near": whole.with_columns(
            word=pl.when(pl.int_range(pl.len()) % 20 == 0)
            .then(pl.lit("other"))
            .otherwise("word")
        ),
        "stranger": base(1),
        "renamed": whole.rename({"word": "term"}),
        "empty": whole.head(0),
        "nested": pl.DataFrame({"key": [1], "parts": [[1, 2]]}),
    }
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    (folder / "whole").mkdir()
    for number, part in enumerate(whole.iter_slices(1000)):
        part.write_parquet(folder / f"whole/part-{number}.parquet", row_group_size=300)
    (folder / "notes.txt").write_text("no table")
    return folder


TRUE = {
    *(("half.parquet", parent) for parent in ("whole", "copy.parquet")),
    *(
        ("tenth.parquet", parent)
        for parent in ("whole", "copy.parquet", "half.parquet")
    ),
    ("copy.parquet", "whole"),
    ("whole", "copy.parquet"),
    *(("columns.parquet", parent) for parent in ("whole", "copy.parquet")),
    *(
        ("empty.parquet", parent)
        for parent in (
            "whole",
            "copy.parquet",
            "half.parquet",
            "tenth.parquet",
            "near.parquet",
            "stranger.parquet",
        )
    ),
}


def test_the_planted_graph_is_found_step_by_step(lake):
    graph = containment_graph(lake)
    assert set(graph.edges.select("child", "parent").iter_rows()) == TRUE
    left = list(graph.pairs_left.values())
    assert (
        left == sorted(left, reverse=True)
        and left[0] == 9 * 8
        and left[-1] == len(TRUE)
    )
    assert left[0] > left[1] > left[2] > left[3], "each step removes pairs"
    assert (
        graph.skipped == {"nested.parquet": graph.skipped["nested.parquet"]}
        and "parts" in graph.skipped["nested.parquet"]
    )


def test_schema_and_statistics_lose_no_true_pair(lake):
    tables, _ = read_tables(lake)
    for child, parent in itertools.permutations(tables.values(), 2):
        a, b = child.scan().collect(), parent.scan().collect()
        if set(a.columns) <= set(b.columns):
            contained = a.join(
                b.with_columns(pl.col("key").cast(a.schema["key"])),
                on=a.columns,
                how="anti",
                nulls_equal=True,
            ).is_empty()
            if contained:
                assert same_columns(child, parent) and within_statistics(child, parent)


def test_a_small_sample_is_fooled_as_often_as_promised(lake):
    """5 % of `near` is not in `whole`: n rows let it through with probability .95^n."""
    seen = [
        ("near.parquet", "whole")
        in set(
            containment_graph(lake, missing_share=0.25, error=0.5, seed=seed)
            .edges.select("child", "parent")
            .iter_rows()
        )
        for seed in range(12)
    ]
    assert 0.5 < np.mean(seen)  # three rows: .95^3 = .86
    assert not any(
        ("near.parquet", "whole")
        in set(
            containment_graph(lake, missing_share=0.05, error=0.01, seed=s)
            .edges.select("child", "parent")
            .iter_rows()
        )
        for s in range(3)
    )


def test_what_is_deleted_comes_back_exactly(lake, tmp_path):
    graph = containment_graph(lake)
    plan = deletion_plan(graph, prices=Prices(read_gb=0.01))
    assert plan.cost_after < plan.cost_before
    assert {"half.parquet", "tenth.parquet", "columns.parquet"} <= set(plan.deleted)
    assert len({"whole", "copy.parquet"} & set(plan.deleted)) == 1, (
        "of two copies one stays"
    )
    assert not set(plan.deleted.values()) & set(plan.deleted), "a parent is kept"
    for child, parent in plan.deleted.items():
        write_recipe(tmp_path / child, graph.tables[child], graph.tables[parent])
        assert rebuild(tmp_path / child, graph.tables[parent]).equals(
            graph.tables[child].scan().collect()
        )


def test_the_plan_is_the_cheapest(lake):
    graph = containment_graph(lake)
    accesses, prices = {"half.parquet": 5.0, "tenth.parquet": 0.1}, Prices(read_gb=0.4)
    plan = deletion_plan(graph, accesses, prices)
    edges = {
        child: [
            p
            for c, p in graph.edges.select("child", "parent").iter_rows()
            if c == child
        ]
        for child in graph.tables
    }
    best = np.inf
    for choice in itertools.product(*[[None, *edges[name]] for name in graph.tables]):
        rebuilt = {
            child: parent
            for child, parent in zip(graph.tables, choice, strict=True)
            if parent
        }
        if set(rebuilt.values()) & set(rebuilt):
            continue
        stays = (
            sum(
                table.n_bytes
                for name, table in graph.tables.items()
                if name not in rebuilt
            )
            * prices.storage_gb
        )
        back = sum(
            graph.tables[c].n_rows * 4 * prices.storage_gb
            + accesses.get(c, 1.0) * graph.tables[p].n_bytes * prices.read_gb
            for c, p in rebuilt.items()
        )
        best = min(best, (stays + back) / 1e9)
    assert plan.cost_after == pytest.approx(best)


def test_reading_often_or_waiting_long_keeps_data_sets(lake):
    graph = containment_graph(lake)
    assert not set(deletion_plan(graph, dict.fromkeys(graph.tables, 100.0)).deleted) - {
        "empty.parquet"
    }
    assert deletion_plan(graph, prices=Prices(read_gb=0.0, latency_s=0.0)).deleted == {}


def test_an_edge_that_the_sample_let_through_deletes_nothing(lake, tmp_path):
    tables, _ = read_tables(lake)
    with pytest.raises(
        RefusedError,
        match="150 of 3000 rows of near.parquet are not in whole; keep near.parquet",
    ):
        write_recipe(tmp_path / "r", tables["near.parquet"], tables["whole"])
    assert not (tmp_path / "r").exists()


def test_a_parent_that_changed_is_refused(lake, tmp_path):
    tables, _ = read_tables(lake)
    write_recipe(tmp_path / "r", tables["tenth.parquet"], tables["whole"])
    with pytest.raises(InputError, match="give the parent as it was"):
        rebuild(tmp_path / "r", tables["copy.parquet"])


def test_failure_equal_facts_written_differently_are_not_matched(tmp_path):
    frame = base(0).select("value")
    frame.write_parquet(tmp_path / "exact.parquet")
    frame.with_columns(pl.col("value").round(6)).write_parquet(
        tmp_path / "rounded.parquet"
    )
    assert containment_graph(tmp_path).edges.is_empty()


def test_mistakes_are_named(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        containment_graph(tmp_path / "none")
    with pytest.raises(InputError, match="holds no parquet data set"):
        containment_graph(tmp_path)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="bad.parquet: not a readable parquet file"):
        containment_graph(tmp_path)
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        containment_graph(tmp_path, error=0)
