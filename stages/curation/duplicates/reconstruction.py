"""Which contained data sets to delete, and how each comes back exactly (R2D2's last step).

Question: which copies cost more to keep than to rebuild? Input: a containment graph, accesses and
prices. Output: a plan, each deleted data set with the kept parent it is rebuilt from; and recipes.
A plan minimises
    storage of what stays + storage of recipes + accesses x (bytes of the parent read)
subject to a parent that is kept, and one whose bytes can be read within the latency; solved to
optimality as an integer program (HiGHS through scipy). A recipe is the row numbers of the parent in the child's
order, so rows, order, types and columns come back; making one looks every row up, so a pair that
the sample let through by error is found out before anything is lost. Nothing here deletes a file.
Cost: one join of child and parent a recipe; 4 bytes a row before compression. Fails where the
parent changes: a recipe holds the hash of the parent's files and refuses another.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from stages.curation.duplicates.containment import Containment, Table, plain
from stages.foundation.errors import InputError, RefusedError
from stages.foundation.files import (
    content_hash,
    file_hash,
    read_json,
    whole_folder,
    write_json,
)

GIGABYTE = 1e9
FILES = ("recipe.json", "rows.parquet", "schema.parquet")
ROW_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What keeping and reading cost a period; defaults are cents a month of cloud object storage (assumed)."""

    storage_gb: float = 2.0
    read_gb: float = 1.0
    seconds_gb: float = 10.0  # to read a gigabyte
    latency_s: float = float("inf")  # longest wait for a data set that was deleted


@dataclass(frozen=True, eq=False)
class Plan:
    """`deleted`: child -> parent it is rebuilt from. Costs a period, before and after."""

    deleted: dict[str, str]
    cost_before: float
    cost_after: float


def deletion_plan(
    graph: Containment,
    accesses: dict[str, float] | None = None,
    prices: Prices = Prices(),
) -> Plan:
    """The cheapest set of deletions. accesses: reads of a data set a period, 1 where not named.

    >>> from stages.curation.duplicates.containment import containment_graph
    >>> visits = pl.DataFrame({"day": range(1000), "visits": range(0, 3000, 3)})
    >>> visits.write_parquet("all.parquet")
    >>> visits.head(900).write_parquet("daily.parquet")
    >>> graph = containment_graph(".")
    >>> deletion_plan(graph, {"daily.parquet": 0.01}).deleted
    {'daily.parquet': 'all.parquet'}
    >>> deletion_plan(graph, {"daily.parquet": 30}).deleted
    {}
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    names = list(graph.tables)
    if unknown := sorted(set(accesses or {}) - set(names)):
        raise InputError(
            f"accesses names {unknown[0]!r}; the data sets are {', '.join(names)}"
        )
    storage = np.array(
        [graph.tables[name].n_bytes / GIGABYTE * prices.storage_gb for name in names]
    )
    edges = [
        (c, p)
        for c, p in graph.edges.select("child", "parent").iter_rows()
        if graph.tables[p].n_bytes / GIGABYTE * prices.seconds_gb <= prices.latency_s
    ]
    if not edges:
        return Plan({}, float(storage.sum()), float(storage.sum()))
    rebuild = [
        _rebuild_cost(
            graph.tables[c],
            graph.tables[p],
            accesses=(accesses or {}).get(c, 1.0),
            prices=prices,
        )
        for c, p in edges
    ]
    place = {name: number for number, name in enumerate(names)}
    # variables: n "is deleted", then m "child is rebuilt from parent"
    n, m = (len(names), len(edges))
    one_parent, kept_parent = np.zeros((n, n + m)), np.zeros((m, n + m))
    one_parent[np.arange(n), np.arange(n)] = -1
    for number, (child, parent) in enumerate(edges):
        one_parent[place[child], n + number] = 1
        kept_parent[number, [place[parent], n + number]] = 1
    found = milp(
        np.concatenate([-storage, rebuild]),
        integrality=np.ones(n + m),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(one_parent, 0, 0),
            LinearConstraint(kept_parent, -np.inf, 1),
        ],
    )
    if not found.success:
        raise RefusedError(
            f"the deletion plan was not solved ({found.message}); give fewer data sets"
            " at once"
        )
    chosen = {
        edges[number][0]: edges[number][1]
        for number in range(m)
        if found.x[n + number] > 0.5
    }
    return Plan(chosen, float(storage.sum()), float(storage.sum() + found.fun))


def _rebuild_cost(
    child: Table, parent: Table, accesses: float, prices: Prices
) -> float:
    return (
        child.n_rows * ROW_BYTES / GIGABYTE * prices.storage_gb
        + accesses * parent.n_bytes / GIGABYTE * prices.read_gb
    )


def write_recipe(folder: Path | str, child: Table, parent: Table) -> None:
    """All that is needed to rebuild `child` from `parent`. Raises RefusedError where a row of the
    child is not there.
    """
    columns = list(child.types)
    there = (
        plain(parent.scan().select(columns))
        .with_row_index("_there")
        .unique(columns, keep="first", maintain_order=True)
    )
    mine = child.scan().select(columns)
    rows = (
        plain(mine)
        .join(there, on=columns, how="left", nulls_equal=True, maintain_order="left")
        .select("_there")
        .collect()["_there"]
    )
    if missing := rows.null_count():
        raise RefusedError(
            f"{missing} of {len(rows)} rows of {child.name} are not in {parent.name};"
            f" keep {child.name}"
        )
    with whole_folder(folder, holds=FILES) as temporary:
        rows.rename("row").to_frame().write_parquet(temporary / "rows.parquet")
        mine.head(0).collect().write_parquet(temporary / "schema.parquet")
        write_json(
            temporary / "recipe.json",
            {
                "child": child.name,
                "parent": parent.name,
                "rows": len(rows),
                "parent_hash": files_hash(parent),
            },
        )


def rebuild(folder: Path | str, parent: Table) -> pl.DataFrame:
    """The deleted data set: its rows in their order, its columns and types.

    >>> from stages.curation.duplicates.containment import containment_graph
    >>> visits = pl.DataFrame({"day": range(1000), "visits": range(0, 3000, 3)})
    >>> visits.write_parquet("all.parquet")
    >>> visits.head(900).write_parquet("daily.parquet")
    >>> tables = containment_graph(".").tables
    >>> write_recipe("recipe", tables["daily.parquet"], tables["all.parquet"])
    >>> rebuild("recipe", tables["all.parquet"]).equals(visits.head(900))
    True
    """
    recipe, schema = (
        read_json(Path(folder) / "recipe.json"),
        pl.read_parquet(Path(folder) / "schema.parquet").schema,
    )
    if (found := files_hash(parent)) != recipe["parent_hash"]:
        raise InputError(
            f"{recipe['child']} was taken from {recipe['parent']} with hash"
            f" {recipe['parent_hash']}, {parent.name} has {found}; give the parent as it was"
        )
    rows = pl.scan_parquet(Path(folder) / "rows.parquet")
    there = parent.scan().select(schema.names()).with_row_index("row")
    return (
        rows.join(there, on="row", how="left", maintain_order="left")
        .drop("row")
        .cast(dict(schema))
        .collect()
    )


def files_hash(table: Table) -> str:
    """Of the bytes of all its files."""
    return content_hash([file_hash(file) for file in table.files])
