"""Which documents come into a draw together.

Question: what would another crawl hold all of, or nothing? Input: the clusters of copies, with `semantic_of` where
semantic copies are known and `origin` where pools were made of others. Output: the same with `group`, the smallest
cluster of what belongs together. Cost: a second for a million documents.
"""

import polars as pl


def with_groups(clusters: pl.DataFrame) -> pl.DataFrame:
    """Adds `group`, where more is known than copies: what says the same, and what is reworded with its source."""
    grouped = _with_semantic(clusters)
    return _with_origins(grouped) if "origin" in clusters.columns else grouped


def _with_semantic(clusters: pl.DataFrame) -> pl.DataFrame:
    if "semantic_of" not in clusters.columns:
        return clusters
    like = clusters.filter(pl.col("semantic_of").is_not_null()).select(
        "cluster", id="semantic_of"
    )
    kept = like.join(
        clusters.select("id", group="cluster"), on="id", how="left"
    ).select("cluster", "group")
    return clusters.join(
        kept, on="cluster", how="left", maintain_order="left"
    ).with_columns(group=pl.coalesce("group", "cluster"))


def _with_origins(clusters: pl.DataFrame) -> pl.DataFrame:
    """Joins the groups of all texts of one origin, also through others that they share a group with.

    >>> table = {"id": ["a", "b", "c"], "cluster": ["a", "b", "b"], "origin": ["s", None, "s"]}
    >>> with_groups(pl.DataFrame(table))["group"].to_list()
    ['a', 'a', 'a']
    """
    import numpy as np
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    unit = "group" if "group" in clusters.columns else "cluster"
    edges = clusters.select(pl.col(unit), "origin").drop_nulls().unique()
    units = edges[unit].unique().sort()
    origins = edges["origin"].unique().sort()
    size = len(units) + len(origins)
    ends = (
        units.search_sorted(edges[unit]).to_numpy(),
        len(units) + origins.search_sorted(edges["origin"]).to_numpy(),
    )
    graph = coo_matrix((np.ones(len(edges)), ends), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    joined = pl.DataFrame({unit: units, "_label": labels[: len(units)]}).with_columns(
        _group=pl.col(unit).min().over("_label")
    )
    found = clusters.join(
        joined.drop("_label"), on=unit, how="left", maintain_order="left"
    )
    return found.with_columns(group=pl.coalesce("_group", unit)).drop("_group")
